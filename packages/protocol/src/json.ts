export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/**
 * Says why a value cannot be stored as JSON in PostgreSQL, or null if it can.
 * Refused: undefined, functions, NaN and infinity, a NUL or a lone surrogate in any text or key, and what is too deep.
 */
export function unstorable(value: unknown, depthMax: number, path = ''): string | null {
  if (value === null || typeof value === 'boolean') return null
  if (typeof value === 'string') return unstorableText(value, path)
  if (typeof value === 'number') return Number.isFinite(value) ? null : `${path || 'the value'} is ${value}, which JSON cannot hold`
  if (typeof value !== 'object') return `${path || 'the value'} is ${typeof value}, which JSON cannot hold`
  if (depthMax === 0) return `${path || 'the value'} is nested too deep`
  return Array.isArray(value) ? unstorableItem(value, depthMax, path) : unstorableMember(value, depthMax, path)
}

function unstorableItem(items: readonly unknown[], depthMax: number, path: string): string | null {
  for (let i = 0; i < items.length; i++) {
    const why = unstorable(items[i], depthMax - 1, `${path}[${i}]`)
    if (why !== null) return why
  }
  return null
}

function unstorableMember(members: object, depthMax: number, path: string): string | null {
  const prototype = Object.getPrototypeOf(members)
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return `${path || 'the value'} is not a plain object`
  for (const [key, member] of Object.entries(members)) {
    if (member === undefined) continue
    const why = unstorableText(key, `a key in ${path || 'the value'}`) ?? unstorable(member, depthMax - 1, path ? `${path}.${key}` : key)
    if (why !== null) return why
  }
  return null
}

const suspectUnit = /[\0\ud800-\udfff]/

/** Says why PostgreSQL cannot store a text, or null if it can: no NUL, and every surrogate has its partner. */
export function unstorableText(text: string, path = ''): string | null {
  // Nearly every text has none of these, and a pattern finds that out several times as fast as a loop.
  if (!suspectUnit.test(text)) return null
  if (text.includes('\0')) return `${path || 'the text'} contains a NUL character, which PostgreSQL cannot store`
  // A lone surrogate is the one thing encodeURIComponent refuses; isWellFormed() is too young for the oldest devices.
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0xd800 || unit > 0xdfff) continue
    const next = text.charCodeAt(i + 1)
    if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return `${path || 'the text'} contains a lone surrogate (half a character)`
    i++
  }
  return null
}
