export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/**
 * Says why a value cannot be stored as JSON in PostgreSQL, or null if it can.
 * Refused: undefined, functions, NaN and infinity, a NUL or a lone surrogate in any text or key, and what is too deep.
 */
export function unstorable(value: unknown, depthMax: number, path = ''): string | null {
  const why = wrong(value, depthMax)
  return why && path + why
}

/** Where it is wrong and why: of the many values that are right, no path is made. */
function wrong(value: unknown, depthMax: number): string | null {
  if (value === null || typeof value === 'boolean') return null
  if (typeof value === 'string') return unstorableText(value)
  if (typeof value === 'number' && Number.isFinite(value)) return null
  if (typeof value !== 'object') return ` is ${typeof value === 'number' ? value : typeof value}, and not JSON`
  if (depthMax === 0) return ' is too deep'
  const isList = Array.isArray(value)
  const prototype = isList ? null : Object.getPrototypeOf(value)
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return ' is not JSON'
  for (const key of isList ? value.keys() : Object.keys(value)) {
    // It has this key, or as a list this place.
    const member = (value as Readonly<Record<string | number, unknown>>)[key]
    if (!isList && member === undefined) continue
    const why = isList ? null : unstorableText(String(key))
    if (why !== null) return ` has a key that${why}`
    const within = wrong(member, depthMax - 1)
    if (within !== null) return (isList ? `[${key}]` : `.${key}`) + within
  }
  return null
}

// Matches by code point, so that a surrogate that has its partner is none.
const unstorableUnit = /[\0\ud800-\udfff]/u

/** Says why PostgreSQL cannot store a text, or null if it can: no NUL, and every surrogate has its partner. */
export const unstorableText = (text: string, path = ''): string | null =>
  unstorableUnit.test(text) ? `${path} contains ${text.includes('\0') ? 'a NUL' : 'half a character'}` : null
