// The one table of values. A column's value exists in two forms: the JavaScript value an app reads and writes, and the
// encoded value (JSON) that travels, lies on disk and is handed to SQL. Both directions are here, and nowhere else.
import { HeadwaterError, type Json, unstorable, unstorableText } from '@headwater/protocol'
import * as limits from '@headwater/protocol/limits'
import type { ColumnDefinition, ColumnType } from './column.ts'
import { validate } from './standard.ts'

/** The encoded form of what an app wrote. Throws `invalid`, naming the column, if the database could not store it. */
export function encodeValue(column: ColumnDefinition, value: unknown, name: string): Json {
  if (value === null || value === undefined) {
    if (column.isNullable) return null
    throw invalid(`${name} is required`)
  }
  if (column.validator) validate(column.validator, value, name)
  const encoded = encoders[column.type](value, column, name)
  if (encoded === undefined) throw invalid(`${name} is not of type ${column.type} (${typeof value})`)
  return encoded
}

/** The JavaScript value of an encoded one. What is not of the column's form is `corrupt`: tampered data is never handed to the app. */
export function decodeValue(column: ColumnDefinition, encoded: Json | undefined): unknown {
  if (encoded === null || encoded === undefined) return null
  const decode = decoders[column.type]
  if (decode === undefined) return encoded
  const value = decode(encoded, column)
  if (value === undefined) throw new HeadwaterError('corrupt', `What came is not of type ${column.type}.`)
  return value
}

/** True where the encoded value is the JavaScript value: such columns cost nothing to decode. */
export const isPlain = (column: ColumnDefinition): boolean => decoders[column.type] === undefined

/** undefined: not of the column's type. */
type Encode = (value: unknown, column: ColumnDefinition, name: string) => Json | undefined

const encoders: Record<ColumnType, Encode> = {
  text: encodeText,
  // defineSchema gave it the type of the key that it refers to, if there is one.
  reference: () => undefined,
  boolean: (value) => (typeof value === 'boolean' ? value : undefined),
  // To 32 bits and back: -0 becomes 0.
  integer: (value) => (typeof value === 'number' && (value | 0) === value ? value | 0 : undefined),
  bigint: (value) => (typeof value === 'bigint' && BigInt.asIntN(64, value) === value ? String(value) : undefined),
  numeric: (value) => (typeof value === 'string' && numericPattern.test(value) ? value : undefined),
  // JSON has no word for -0, NaN and the infinities.
  float: (value) => (typeof value !== 'number' ? undefined : Object.is(value, -0) ? '-0' : Number.isFinite(value) ? value : String(value)),
  json: (value, _, name) => {
    refuseFor(unstorable(value, limits.jsonDepthMax, name))
    // unstorable() has walked the whole value.
    return value as Json
  },
  // An invalid Date has no text.
  timestamp: (value) => encodeDay(value instanceof Date && Number.isFinite(value.getTime()) ? value.toISOString() : value, true),
  date: (value) => encodeDay(value, false),
  bytes: (value) => (value instanceof Uint8Array ? toBase64(value) : undefined),
  uuid: (value) => (typeof value === 'string' && uuidPattern.test(value) ? value.toLowerCase() : undefined),
  enumeration: (value, { values }) => values?.find((one) => one === value),
  array: (value, column, name) => (Array.isArray(value) ? Array.from(value, (item, i) => encodeValue(elementOf(column), item, `${name}[${i}]`)) : undefined),
}

/** undefined: not of the column's form. */
type Decode = (encoded: Json, column: ColumnDefinition) => unknown

const decoders: Partial<Record<ColumnType, Decode>> = {
  bigint: (encoded) => (typeof encoded === 'string' && /^-?\d{1,19}$/.test(encoded) ? BigInt(encoded) : undefined),
  float: (encoded) => (typeof encoded === 'number' ? encoded : /^(NaN|-?Infinity|-0)$/.test(String(encoded)) ? Number(encoded) : undefined),
  bytes: (encoded) => (typeof encoded === 'string' ? fromBase64(encoded) : undefined),
  array: (encoded, column) => {
    if (!Array.isArray(encoded)) return undefined
    return isPlain(elementOf(column)) ? encoded : encoded.map((item: Json) => decodeValue(elementOf(column), item))
  },
}

const numericPattern = /^(-?\d{1,131072}(\.\d{1,16383})?|NaN|-?Infinity)$/
const dayPattern = /^(\d{4})-(\d\d)-(\d\d)(T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z)?$/
const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

function encodeText(value: unknown, { lengthMax = Infinity }: ColumnDefinition, name: string): Json | undefined {
  if (typeof value !== 'string') return undefined
  refuseFor(unstorableText(value, name))
  if (value.length > lengthMax && [...value].length > lengthMax) throw invalid(`${name} is longer than ${lengthMax}`)
  return value
}

/** A day, with a time of it or without. */
function encodeDay(text: unknown, hasTime: boolean): Json | undefined {
  if (typeof text !== 'string') return undefined
  if (/^-?infinity$/.test(text)) return text
  const [, year, month, day, time, , fraction = '.'] = dayPattern.exec(text) ?? []
  if ((time !== undefined) !== hasTime || !isCalendarDay(Number(year), Number(month), Number(day))) return undefined
  return hasTime ? `${text.slice(0, 19)}${fraction.padEnd(7, '0')}Z` : text
}

/** PostgreSQL has no year 0, and the 31st of February is no day. By arithmetic: a Date would cost most of what writing a row costs. */
function isCalendarDay(year: number, month: number, day: number): boolean {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  // Long and short months take turns, and July and August are both long.
  const days = month === 2 ? (isLeap ? 29 : 28) : 30 + ((month + (month >> 3)) % 2)
  return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= days
}

// array() gave it one.
const elementOf = (column: ColumnDefinition) => column.element ?? column

function toBase64(value: Uint8Array): string {
  let units = ''
  // In pieces: a call with 100,000 arguments overflows the stack.
  for (let i = 0; i < value.length; i += 8_192) units += String.fromCharCode(...value.subarray(i, i + 8_192))
  return btoa(units)
}

function fromBase64(encoded: string): Uint8Array | undefined {
  try {
    const units = atob(encoded)
    const value = new Uint8Array(units.length)
    for (let i = 0; i < units.length; i++) value[i] = units.charCodeAt(i)
    return value
  } catch {
    return undefined
  }
}

const invalid = (what: string) => new HeadwaterError('invalid', `${what}.`)

function refuseFor(why: string | null): void {
  if (why !== null) throw invalid(why)
}
