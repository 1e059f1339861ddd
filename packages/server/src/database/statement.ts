import type { Parameter } from '../ports.ts'
import { type ErrorFields, sqlFailure } from './failure.ts'

/** A parameter as the text that is bound, or null. */
export type BoundText = string | null

/**
 * Parameters as texts, so that no driver guesses a type. Refuses with SQLSTATE 22021 what PostgreSQL cannot store and what UTF-8
 * cannot say: a driver would replace half a character by U+FFFD without a word.
 */
export const bindable = (parameters: readonly Parameter[]): BoundText[] =>
  parameters.map((parameter, i) => (parameter === null ? null : textOf(parameter, `$${i + 1}`)))

/**
 * Refuses a statement that would begin or end a transaction behind the back of whoever holds it (SQLSTATE 25001), a COPY that
 * wants to send or receive what there is no place for here (0A000), and one whose text the wire would cut short. Savepoints are fine.
 */
export function checkStatement(text: string): string {
  if (transactionControl.test(text)) {
    throw sqlFailure(controlFailure)
  }
  if (copyOverConnection.test(text)) {
    throw sqlFailure({
      sqlstate: '0A000',
      message: 'COPY FROM STDIN and COPY TO STDOUT have no place here',
      severity: 'ERROR',
      hint: 'Use stream() to read, and insert to write.',
    })
  }
  return textOf(text, 'the statement')
}

export const controlFailure: ErrorFields = {
  sqlstate: '25001',
  message: 'a statement must not begin or end a transaction',
  severity: 'ERROR',
  hint: 'Use transaction() or batch().',
}

const copyOverConnection = /^\s*copy\s[^;]*\s(from\s+stdin|to\s+stdout)\b/i
const transactionControl = /^\s*(begin|start\s+transaction|commit|end|abort|prepare\s+transaction|rollback(?!\s+((work|transaction)\s+)?to\b))\b/i

/** The text of a script, which may hold anything but what the wire would cut short. */
export const checkScript = (text: string): string => textOf(text, 'the script')

function textOf(value: string | number | boolean, name: string): string {
  if (typeof value !== 'string') return String(value)
  if (value.includes('\0'))
    throw sqlFailure({ sqlstate: '22021', message: `${name} contains a NUL character, which PostgreSQL cannot store`, severity: 'ERROR' })
  if (halfCharacter.test(value))
    throw sqlFailure({ sqlstate: '22021', message: `${name} contains a lone surrogate, which is half a character`, severity: 'ERROR' })
  return value
}

// With the u flag, a class of surrogates matches only those without a partner.
const halfCharacter = /\p{Surrogate}/u
