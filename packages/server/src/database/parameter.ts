import type { Parameter } from '../ports.ts'
import { sqlFailure } from './failure.ts'

/** A parameter as the text that is bound, or null. */
export type BoundText = string | null

/**
 * Parameters as texts, so that no driver guesses a type. Refuses with SQLSTATE 22021 what PostgreSQL cannot store and what UTF-8
 * cannot say: a driver would replace half a character by U+FFFD without a word.
 */
export const bindable = (parameters: readonly Parameter[]): BoundText[] => parameters.map((parameter, i) => (parameter === null ? null : textOf(parameter, `$${i + 1}`)))

/** The text of a statement ends at its first NUL on the wire: it must not have one. */
export function checkStatement(text: string): void {
  textOf(text, 'the statement')
}

function textOf(value: string | number | boolean, name: string): string {
  if (typeof value !== 'string') return String(value)
  if (value.includes('\0')) throw sqlFailure({ sqlstate: '22021', message: `${name} contains a NUL character, which PostgreSQL cannot store`, severity: 'ERROR' })
  if (halfCharacter.test(value)) throw sqlFailure({ sqlstate: '22021', message: `${name} contains a lone surrogate, which is half a character`, severity: 'ERROR' })
  return value
}

// With the u flag, a class of surrogates matches only those without a partner.
const halfCharacter = /\p{Surrogate}/u
