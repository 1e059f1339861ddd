// The one table of values. A column's value exists in two forms: the JavaScript value an app reads and writes, and the
// encoded value (JSON) that travels, lies on disk and is handed to SQL. Both directions are here, and for the rarer types in form.ts, and nowhere else.
import { HeadwaterError, type Json, unstorable, unstorableText } from '@headwater/protocol'
import * as limits from '@headwater/protocol/limits'
import type { ColumnDefinition, ColumnType, Form } from './column.ts'
import { validate } from './standard.ts'

/** The encoded form of what an app wrote. Throws `invalid`, naming the column, if the database could not store it. */
export function encodeValue(column: ColumnDefinition, value: unknown, name: string): Json {
  if (value === null || value === undefined) {
    if (column.isNullable) return null
    throw invalid(`${name} is required`)
  }
  if (column.validator) validate(column.validator, value, name)
  const encoded = (column.form?.encode ?? encoders[column.type])?.(value, column, name)
  if (encoded === undefined) throw invalid(`${name} is not of type ${column.type} (${typeof value})`)
  return encoded
}

/** The JavaScript value of an encoded one. What is not of the column's form is `corrupt`: tampered data is never handed to the app. */
export function decodeValue(column: ColumnDefinition, encoded: Json | undefined): unknown {
  if (encoded === null || encoded === undefined) return null
  const decode = column.form?.decode
  if (decode === undefined) return encoded
  const value = decode(encoded, column)
  if (value === undefined) throw new HeadwaterError('corrupt', `What came is not of type ${column.type}.`)
  return value
}

/** True where the encoded value is the JavaScript value: such columns cost nothing to decode. */
export const isPlain = (column: ColumnDefinition): boolean => column.form?.decode === undefined

/** Of the types that most apps use: whose encoded value is the JavaScript value. The others bring a form of their own. */
const encoders: Partial<Record<ColumnType, Form['encode']>> = {
  text: encodeText,
  boolean: (value) => (typeof value === 'boolean' ? value : undefined),
  // To 32 bits and back: -0 becomes 0.
  integer: (value) => (typeof value === 'number' && (value | 0) === value ? value | 0 : undefined),
  json: (value, _, name) => {
    refuseFor(unstorable(value, limits.jsonDepthMax, name))
    // unstorable() has walked the whole value.
    return value as Json
  },
  // An invalid Date has no text.
  timestamp: (value) => encodeDay(value instanceof Date && Number.isFinite(value.getTime()) ? value.toISOString() : value, true),
  date: (value) => encodeDay(value, false),
  uuid: (value) => (typeof value === 'string' && uuidPattern.test(value) ? value.toLowerCase() : undefined),
  enumeration: (value, { values }) => values?.find((one) => one === value),
}

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

const invalid = (what: string) => new HeadwaterError('invalid', `${what}.`)

function refuseFor(why: string | null): void {
  if (why !== null) throw invalid(why)
}
