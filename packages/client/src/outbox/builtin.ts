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
  const given = verb === 'insert' ? withDefaults(table, values) : values
  const named = new Set([...table.key, ...(verb === 'delete' ? [] : Object.keys(given))])
  return { row: encodeAll(name, table, given, named), ...(expect && { expect: encodeAll(name, table, expect, Object.keys(expect)) }) }
}

function withDefaults({ columns }: TableDefinition, values: Values): Values {
  const given = { ...values }
  for (const column in columns) {
    const { isServerOwned, defaultValue = null } = columns[column] ?? {}
    if (!isServerOwned && given[column] === undefined) given[column] = defaultValue
  }
  return given
}

function encodeAll(name: string, table: TableDefinition, values: Values, columns: Iterable<string>): Json {
  const encoded: Record<string, Json> = {}
  for (const column of columns) {
    if (values[column] === undefined && !table.key.includes(column)) continue
    encoded[column] = encodeValue(columnOf(table, column, 'invalid'), values[column], `${name}.${column}`)
  }
  return encoded
}

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
  if (isWhole) for (const column in table.columns) row[column] = table.columns[column]?.defaultValue ?? null
  const given = Object(encoded)
  for (const column in given) row[column] = decodeValue(columnOf(table, column, 'invalid'), given[column])
  return row
}
