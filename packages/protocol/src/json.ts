export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/**
 * Says why a value cannot be stored as JSON in PostgreSQL, or null if it can.
 * Refused: undefined, functions, NaN and infinity, a NUL or a lone surrogate in any text or key, and what is too deep.
 */
export function unstorable(value: unknown, depthMax: number, path = 'the value'): string | null {
  if (value === null || typeof value === 'boolean') return null
  if (typeof value === 'string') return unstorableText(value, path)
  if (typeof value === 'number' && Number.isFinite(value)) return null
  if (typeof value !== 'object') return `${path} is ${typeof value === 'number' ? value : typeof value}, and not JSON`
  if (depthMax === 0) return `${path} is nested too deep`
  if (!Array.isArray(value)) return unstorableMember(value, depthMax, path)
  for (let i = 0; i < value.length; i++) {
    const why = unstorable(value[i], depthMax - 1, `${path}[${i}]`)
    if (why !== null) return why
  }
  return null
}

function unstorableMember(members: object, depthMax: number, path: string): string | null {
  const prototype = Object.getPrototypeOf(members)
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return `${path} is not a plain object`
  for (const [key, member] of Object.entries(members)) {
    const why = member === undefined ? null : (unstorableText(key, `a key in ${path}`) ?? unstorable(member, depthMax - 1, `${path}.${key}`))
    if (why !== null) return why
  }
  return null
}

// Matches by code point, so that a surrogate that has its partner is none.
const unstorableUnit = /[\0\ud800-\udfff]/u

/** Says why PostgreSQL cannot store a text, or null if it can: no NUL, and every surrogate has its partner. */
export const unstorableText = (text: string, path = 'the text'): string | null =>
  unstorableUnit.test(text) ? `${path} contains ${text.includes('\0') ? 'a NUL character' : 'half a character'}` : null
