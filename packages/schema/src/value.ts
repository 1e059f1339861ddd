// The one table of values. A column's value exists in two forms: the JavaScript value an app reads and writes, and the
// encoded value (JSON) that travels, lies on disk and is handed to SQL. Both directions are here, and for the rarer types in form.ts, and nowhere else.
import { HeadwaterError, type Json, unstorableText } from '@headwater/protocol'
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
  const value = decode ? decode(encoded, column) : encoded
  if (value === undefined) throw new HeadwaterError('corrupt', `Not of type ${column.type}.`)
  return value
}

/** True where the encoded value is the JavaScript value: such columns cost nothing to decode. */
export const isPlain = (column: ColumnDefinition): boolean => column.form?.decode === undefined

/** Of the types that every app uses, whose encoded value is the JavaScript value. The others bring a form of their own. */
const encoders: Partial<Record<ColumnType, Form['encode']>> = {
  text: encodeText,
  boolean: (value) => (typeof value === 'boolean' ? value : undefined),
  // To 32 bits and back: -0 becomes 0.
  integer: (value) => (typeof value === 'number' && (value | 0) === value ? value | 0 : undefined),
}

function encodeText(value: unknown, { lengthMax = Infinity }: ColumnDefinition, name: string): Json | undefined {
  if (typeof value !== 'string') return undefined
  refuseFor(unstorableText(value, name))
  if (value.length > lengthMax && [...value].length > lengthMax) throw invalid(`${name} is longer than ${lengthMax}`)
  return value
}

const invalid = (what: string) => new HeadwaterError('invalid', `${what}.`)

/** Throws `invalid` if there is a reason. */
export function refuseFor(why: string | null): void {
  if (why !== null) throw invalid(why)
}
