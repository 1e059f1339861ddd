// What values of a type are: encoded, decoded and compared. Each form comes with the function that declares a column of it, so that a device
// loads those that its schema has.
import { type Json, unstorable } from '@headwater/protocol'
import * as limits from '@headwater/protocol/limits'
import type { ColumnDefinition, Form } from './column.ts'
import { comparatorOf, compareScalars } from './order.ts'
import { decodeValue, encodeValue, isPlain, refuseFor } from './value.ts'

export const jsonForm: Form = {
  encode: (value, _, name) => {
    refuseFor(unstorable(value, limits.jsonDepthMax, name))
    // unstorable() has walked the whole value.
    return value as Json
  },
}

export const timestampForm: Form = {
  // An invalid Date has no text.
  encode: (value) => encodeDay(value instanceof Date && Number.isFinite(value.getTime()) ? value.toISOString() : value, true),
}

export const dateForm: Form = { encode: (value) => encodeDay(value, false) }

export const uuidForm: Form = { encode: (value) => (typeof value === 'string' && uuidPattern.test(value) ? value.toLowerCase() : undefined) }

export const enumerationForm: Form = { encode: (value, { values }) => values?.find((one) => one === value) }

export const bigintForm: Form = {
  encode: (value) => (typeof value === 'bigint' && BigInt.asIntN(64, value) === value ? String(value) : undefined),
  decode: (encoded) => (typeof encoded === 'string' && /^-?\d{1,19}$/.test(encoded) ? BigInt(encoded) : undefined),
}

export const numericForm: Form = {
  encode: (value) => (typeof value === 'string' && numericPattern.test(value) ? value : undefined),
  compare: () => (a, b) => compareNumerics(String(a), String(b)),
}

// JSON has no word for -0, NaN and the infinities.
export const floatForm: Form = {
  encode: (value) => (typeof value !== 'number' ? undefined : Object.is(value, -0) ? '-0' : Number.isFinite(value) ? value : String(value)),
  decode: (encoded) => (typeof encoded === 'number' ? encoded : /^(NaN|-?Infinity|-0)$/.test(String(encoded)) ? Number(encoded) : undefined),
  compare: () => compareFloats,
}

export const bytesForm: Form = {
  encode: (value) => (value instanceof Uint8Array ? toBase64(value) : undefined),
  decode: (encoded) => (typeof encoded === 'string' ? fromBase64(encoded) : undefined),
  // What a column holds has the column's JavaScript form: it was encoded or decoded as one.
  compare: () => (a, b) => compareLists(a as Uint8Array, b as Uint8Array, compareScalars),
}

export const arrayForm: Form = {
  encode: (value, column, name) => (Array.isArray(value) ? Array.from(value, (item, i) => encodeValue(elementOf(column), item, `${name}[${i}]`)) : undefined),
  decode: (encoded, column) => {
    if (!Array.isArray(encoded)) return undefined
    return isPlain(elementOf(column)) ? encoded : encoded.map((item: Json) => decodeValue(elementOf(column), item))
  },
  // As above.
  compare: (column) => (a, b) => compareLists(a as readonly unknown[], b as readonly unknown[], comparatorOf(elementOf(column))),
}

const dayPattern = /^(\d{4})-(\d\d)-(\d\d)(T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z)?$/
const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const numericPattern = /^(-?\d{1,131072}(\.\d{1,16383})?|NaN|-?Infinity)$/

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

function compareFloats(a: unknown, b: unknown): number {
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b)) || compareScalars(a, b)
}

function compareLists(a: ArrayLike<unknown>, b: ArrayLike<unknown>, compare: (a: unknown, b: unknown) => number): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const order = compare(a[i], b[i])
    if (order !== 0) return order
  }
  return a.length - b.length
}

/** NaN and the infinities; 0 for what has digits. */
const wordOf = (text: string) => (/\d/.test(text) ? 0 : Number(text))

/** Exact, whatever the number of digits: `1.10` equals `1.1`, as in SQL. */
function compareNumerics(a: string, b: string): number {
  const order = compareFloats(wordOf(a), wordOf(b))
  if (order !== 0 || wordOf(a) !== 0) return order
  const scale = Math.max(scaleOf(a), scaleOf(b))
  return compareScalars(unscaled(a, scale), unscaled(b, scale))
}

const scaleOf = (text: string) => (text.includes('.') ? text.length - text.indexOf('.') - 1 : 0)
const unscaled = (text: string, scale: number) => BigInt(text.replace('.', '') + '0'.repeat(scale - scaleOf(text)))
