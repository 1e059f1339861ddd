// Rows as an app has them, as one text and back: JSON, in which what JSON has not is an object with the one member `$`.
import { HeadwaterError } from '@headwater/protocol'

/** Rows of results: texts, numbers (all of them), bigints, bytes, booleans, null, and lists and objects of these. */
export const textOfRows = (rows: unknown): string => JSON.stringify(marked(rows))

/** Throws `malformed` for what `textOfRows` does not make. */
export const rowsOfText = (text: string): unknown => plain(JSON.parse(text))

function marked(value: unknown): unknown {
  if (typeof value === 'bigint') return { $: ['bigint', String(value)] }
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0) ? value : { $: ['number', Object.is(value, -0) ? '-0' : String(value)] }
  if (value instanceof Uint8Array) return { $: ['bytes', [...value]] }
  if (Array.isArray(value)) return value.map(marked)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, marked(one)]))
  // A value of the app that looks like a mark is one more level down.
  return '$' in members ? { $: ['object', members] } : members
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  if (!('$' in value)) return members(value)
  const [kind, of] = Array.isArray(value.$) ? value.$ : []
  if (kind === 'bigint' && typeof of === 'string') return BigInt(of)
  if (kind === 'number' && typeof of === 'string') return Number(of)
  if (kind === 'bytes' && Array.isArray(of)) return Uint8Array.from(of)
  if (kind === 'object' && typeof of === 'object' && of !== null) return members(of)
  throw new HeadwaterError('malformed', 'There is no such value.')
}

const members = (value: object) => Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]))
