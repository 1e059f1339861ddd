// The one table of values. A column's value exists in two forms: the JavaScript value an app reads and writes, and the
// encoded value (JSON) that travels, lies on disk and is handed to SQL. Both directions are here, and nowhere else.
import { HeadwaterError, type Json, limits, unstorable, unstorableText } from '@headwater/protocol'
import type { ColumnDefinition, ColumnType } from './column.ts'
import { validate } from './standard.ts'

/** The encoded form of what an app wrote. Throws `invalid`, naming the column, if the database could not store it. */
export function encodeValue(column: ColumnDefinition, value: unknown, name: string): Json {
  if (value === null || value === undefined) {
    if (column.isNullable) return null
    throw invalid(name, 'is required', value)
  }
  if (column.validator) validate(column.validator, value, name)
  return encoders[column.type](value, name, column)
}

/** The JavaScript value of an encoded one. What is not of the column's form is `corrupt`: tampered data is never handed to the app. */
export function decodeValue(column: ColumnDefinition, encoded: Json | undefined): unknown {
  if (encoded === null || encoded === undefined) return null
  const decode = decoders[column.type]
  return decode ? decode(encoded, column) : encoded
}

/** True where the encoded value is the JavaScript value: such columns cost nothing to decode. */
export const isPlain = (column: ColumnDefinition): boolean => decoders[column.type] === undefined

type Encode = (value: unknown, name: string, column: ColumnDefinition) => Json

const encoders: Record<ColumnType, Encode> = {
  text: encodeText,
  reference: (_, name) => fail(name, 'is a reference that defineSchema has not resolved', undefined),
  boolean: (value, name) => (typeof value === 'boolean' ? value : fail(name, 'is not true or false', value)),
  // Only numbers are integers.
  integer: (value, name) =>
    Number.isInteger(value) && Math.abs(value as number) <= 2_147_483_648 && value !== 2_147_483_648
      ? (value as number) + 0
      : fail(name, 'is not a 32-bit integer', value),
  bigint: (value, name) => (typeof value === 'bigint' && BigInt.asIntN(64, value) === value ? value.toString() : fail(name, 'is not a 64-bit bigint', value)),
  numeric: (value, name) => (typeof value === 'string' && numericPattern.test(value) ? value : fail(name, 'is not a decimal number in a string', value)),
  float: encodeFloat,
  json: (value, name) => {
    const why = unstorable(value, limits.jsonDepthMax)
    if (why !== null) throw invalid(name, why, undefined)
    // unstorable() has walked the whole value.
    return value as Json
  },
  timestamp: encodeTimestamp,
  date: (value, name) =>
    typeof value === 'string' && datePattern.test(value) && (isInfinite(value) || isCalendarDay(value)) ? value : fail(name, 'is not a date YYYY-MM-DD', value),
  bytes: (value, name) => (value instanceof Uint8Array ? toBase64(value) : fail(name, 'is not a Uint8Array', value)),
  uuid: (value, name) => (typeof value === 'string' && uuidPattern.test(value) ? value.toLowerCase() : fail(name, 'is not a uuid', value)),
  enumeration: (value, name, column) => column.values?.find((one) => one === value) ?? fail(name, `is not one of ${column.values?.join(', ')}`, value),
  array: (value, name, column) =>
    Array.isArray(value) ? Array.from(value, (item, i) => encodeValue(elementOf(column), item, `${name}[${i}]`)) : fail(name, 'is not an array', value),
}

type Decode = (encoded: Json, column: ColumnDefinition) => unknown

const decoders: Partial<Record<ColumnType, Decode>> = {
  bigint: (encoded) => (typeof encoded === 'string' && /^-?\d{1,19}$/.test(encoded) ? BigInt(encoded) : corrupt('bigint')),
  float: (encoded) => (typeof encoded === 'number' ? encoded : (floatWords.get(encoded) ?? corrupt('float'))),
  bytes: (encoded) => (typeof encoded === 'string' ? fromBase64(encoded) : corrupt('bytes')),
  array: (encoded, column) => {
    if (!Array.isArray(encoded)) return corrupt('array')
    return isPlain(elementOf(column)) ? encoded : encoded.map((item: Json) => decodeValue(elementOf(column), item))
  },
}

const numericPattern = /^(-?\d{1,131072}(\.\d{1,16383})?|NaN|-?Infinity)$/
const datePattern = /^(\d{4}-\d{2}-\d{2}|-?infinity)$/
const timestampPattern = /^(\d{4}-\d{2}-\d{2})T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z$/
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

function encodeText(value: unknown, name: string, column: ColumnDefinition): Json {
  if (typeof value !== 'string') return fail(name, 'is not a text', value)
  const why = unstorableText(value, name)
  if (why !== null) throw new HeadwaterError('invalid', `${why}.`, 'Remove it before writing.')
  if (column.lengthMax !== undefined && value.length > column.lengthMax && [...value].length > column.lengthMax)
    throw invalid(name, `is longer than ${column.lengthMax}`, undefined)
  return value
}

const floatWords = new Map<Json, number>([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
])

function encodeFloat(value: unknown, name: string): Json {
  if (typeof value !== 'number') return fail(name, 'is not a number', value)
  // JSON has no word for these four.
  return Number.isFinite(value) && !Object.is(value, -0) ? value : Object.is(value, -0) ? '-0' : String(value)
}

function encodeTimestamp(value: unknown, name: string): Json {
  if (value instanceof Date && Number.isNaN(value.getTime())) return fail(name, 'is an invalid Date', undefined)
  const text = value instanceof Date ? value.toISOString() : value
  if (typeof text === 'string' && isInfinite(text)) return text
  const parts = typeof text === 'string' ? timestampPattern.exec(text) : null
  if (!parts || !isCalendarDay(parts[1] ?? '')) return fail(name, 'is not a time YYYY-MM-DDTHH:MM:SS.ffffffZ', value)
  const [head = '', fraction = ''] = parts[0].slice(0, -1).split('.')
  return `${head}.${fraction.padEnd(6, '0')}Z`
}

const isInfinite = (text: string) => text === 'infinity' || text === '-infinity'

/** PostgreSQL has no year 0, and the 31st of February is no day. By arithmetic: a Date would cost most of what writing a row costs. */
function isCalendarDay(text: string): boolean {
  const [year, month, day] = [Number(text.slice(0, 4)), Number(text.slice(5, 7)), Number(text.slice(8, 10))]
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  const days = month === 2 ? (isLeap ? 29 : 28) : month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
  return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= days
}

function elementOf(column: ColumnDefinition): ColumnDefinition {
  if (column.element === undefined) throw new HeadwaterError('bug', 'An array column without an element.')
  return column.element
}

function toBase64(value: Uint8Array): string {
  let units = ''
  // In pieces: a call with 100,000 arguments overflows the stack.
  for (let i = 0; i < value.length; i += 8_192) units += String.fromCharCode(...value.subarray(i, i + 8_192))
  return btoa(units)
}

function fromBase64(encoded: string): Uint8Array {
  const units = unitsOf(encoded)
  const value = new Uint8Array(units.length)
  for (let i = 0; i < units.length; i++) value[i] = units.charCodeAt(i)
  return value
}

function unitsOf(encoded: string): string {
  try {
    return atob(encoded)
  } catch {
    return corrupt('bytes')
  }
}

function invalid(name: string, what: string, value: unknown): HeadwaterError {
  const shown = value === undefined ? '' : ` (${typeof value})`
  return new HeadwaterError('invalid', `${name} ${what}${shown}.`, 'Correct the value and try again.', { column: name })
}

function fail(name: string, what: string, value: unknown): never {
  throw invalid(name, what, value)
}

function corrupt(type: string): never {
  throw new HeadwaterError('corrupt', `An encoded ${type} has not the form of one.`, 'The data was damaged; it is loaded again.')
}
