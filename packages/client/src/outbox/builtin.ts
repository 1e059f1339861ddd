// Insert, update and delete exist for every table without being written by the app. They travel as `<table>.insert` with
// `{ row: { column: encoded value } }`; an update may carry `expect` in the same form.
import { HeadwaterError, type Json } from '@headwater/protocol'
import { columnOf, decodeValue, encodeValue, type Schema, type TableDefinition, tableOf } from '@headwater/schema'
import type { Row } from '../store/row.ts'

const verbs = ['insert', 'update', 'delete'] as const
export type Verb = (typeof verbs)[number]

/** Insert, update and delete of a table, each made by `make`. */
export const eachVerb = <T>(make: (verb: Verb) => T): Readonly<Record<string, T>> => Object.fromEntries(verbs.map((verb) => [verb, make(verb)]))

export interface BuiltIn {
  readonly table: string
  readonly definition: TableDefinition
  readonly verb: Verb
  /** insert: every column. update: the key and what changes. delete: the key. */
  readonly row: Row
  readonly expect: Row
}

type Values = Readonly<Record<string, unknown>>

export const isBuiltIn = (name: string): boolean => name.includes('.')

/**
 * The arguments as they travel. Throws `invalid` for what the database could not store. Constant defaults are filled in here, so that both
 * sides agree; what the server owns is not named.
 */
export function encodeBuiltIn(name: string, table: TableDefinition, verb: Verb, values: Values, expect?: Values): Json {
  const row: Record<string, Json> = {}
  const encode = (column: string, value: unknown) => encodeValue(columnOf(table, column, 'invalid'), value, `${name}.${column}`)
  const add = (to: Record<string, Json>, given: Values) => {
    for (const column of Object.keys(given)) if (given[column] !== undefined && !Object.hasOwn(to, column)) to[column] = encode(column, given[column])
    return to
  }
  if (verb !== 'insert') for (const column of table.key) row[column] = encode(column, values[column])
  else
    for (const column in table.columns) {
      const { isServerOwned, defaultValue = null } = table.columns[column] ?? {}
      const value = values[column] === undefined && !isServerOwned ? defaultValue : values[column]
      if (value !== undefined) row[column] = encode(column, value)
    }
  if (verb !== 'delete') add(row, values)
  return expect ? { row, expect: add({}, expect) } : { row }
}

/** True if no column has a value with members. */
export const isFlat = (args: Json): boolean =>
  Object.values(Object(args)).every((row) => Object.values(Object(row)).every((value) => typeof value !== 'object' || value === null))

/** What travelled, understood. Throws `invalid` for what this build does not know: another wrote it. */
export function decodeBuiltIn(schema: Schema, name: string, args: Json): BuiltIn {
  const [table = '', word = ''] = name.split('.')
  const verb = verbs.find((one) => one === word)
  const definition = tableOf(schema, table)
  // Members are only read, and decoded one by one.
  const { row, expect } = Object(args) as { readonly row?: Json; readonly expect?: Json }
  if (verb === undefined || row === undefined) throw new HeadwaterError('invalid', `There is no ${name}.`)
  return { table, definition, verb, row: decodeAll(definition, row, verb === 'insert'), expect: decodeAll(definition, expect) }
}

/** A whole row has the columns first, in their order, as the database would fill them in: rows of one table have one form. */
function decodeAll(table: TableDefinition, encoded: Json | undefined, isWhole?: boolean): Row {
  const row: Record<string, unknown> = {}
  // Members are only read.
  const given = Object(encoded) as Readonly<Record<string, Json>>
  if (isWhole)
    for (const column in table.columns) {
      const definition = columnOf(table, column, 'invalid')
      row[column] = given[column] === undefined ? (definition.defaultValue ?? null) : decodeValue(definition, given[column])
    }
  for (const column of Object.keys(given)) if (!Object.hasOwn(row, column)) row[column] = decodeValue(columnOf(table, column, 'invalid'), given[column])
  return row
}
