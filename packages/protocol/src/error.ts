export type ErrorDetails = Readonly<Record<string, unknown>>

/**
 * The one error of Headwater. `code` is for programs, the message says what happened with its values, `hint` says what to do.
 * `details` carries values that a caller may branch on, never a row's contents.
 */
export class HeadwaterError extends Error {
  override readonly name = 'HeadwaterError'
  // Declared only: the constructor sets them.
  declare readonly code: string
  declare readonly hint: string
  declare readonly details: ErrorDetails

  constructor(code: string, message: string, hint = '', details: ErrorDetails = {}) {
    super(message)
    this.code = code
    this.hint = hint
    this.details = details
  }
}

/** What was thrown, as the one error. Another's keeps its message, gets this code, and is the cause in `details`. */
export const asError = (thrown: unknown, code: string): HeadwaterError =>
  thrown instanceof HeadwaterError ? thrown : new HeadwaterError(code, thrown instanceof Error ? thrown.message : String(thrown), '', { cause: thrown })

/** For bugs of ours, never for the world: what is asserted can only be false if the code is wrong. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new HeadwaterError('bug', `Assertion failed: ${message}`, 'This is a bug in Headwater. Please report it.')
}

/** In the last arm of a switch over a union: does not compile while a member is unhandled. */
export function unreachable(value: never): never {
  throw new HeadwaterError('bug', `Unreachable: ${JSON.stringify(value)}`)
}
