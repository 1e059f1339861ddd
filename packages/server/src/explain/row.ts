// What a question names: a table, columns of it, and a row. Everything comes from a command line or a program, and is checked here.
import { HeadwaterError, type ScopeKey, scopeKey } from '@headwater/protocol'
import { decodeValue, encodeValue, type Membership, type Schema, type TableDefinition } from '@headwater/schema'
import type { SqlRow } from '../ports.ts'

import { columnName, columnOf, snakeCase, tableName } from '../sql/name.ts'
import type { Parameters } from '../sql/permit.ts'
import { constant, fromJson } from '../sql/value.ts'
import type { Values } from './answer.ts'

export interface Asked {
  readonly name: string
  readonly table: TableDefinition
}

/** By the schema's name or the one that SQL has. */
export function tableOf({ definitions }: Schema, given: string): Asked {
  const name = Object.keys(definitions).find((one) => one === given || snakeCase(one) === given)
  const table = name === undefined ? undefined : definitions[name]
  if (name === undefined || table === undefined) throw usage(`There is no table ${given}.`, `There are ${Object.keys(definitions).join(', ')}.`)
  return { name, table }
}

/** Throws `usage` for a column that the table does not have. */
export function checkColumns({ name, table }: Asked, columns: readonly string[]): void {
  const unknown = columns.find((column) => !Object.hasOwn(table.columns, column))
  if (unknown !== undefined) throw usage(`There is no column ${unknown} in ${name}.`, `It has ${Object.keys(table.columns).join(', ')}.`)
}

/** The values as they would be stored, in both directions through the one table of values. */
export function checkValues(asked: Asked, values: Values): Values {
  checkColumns(asked, Object.keys(values))
  return Object.fromEntries(
    Object.entries(values).map(([column, value]) => {
      const definition = columnOf(asked.table, column)
      try {
        return [column, encodeValue(definition, decodeValue(definition, value), column)]
      } catch (error) {
        throw usage(`${asked.name}.${column} cannot be ${JSON.stringify(value)}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }),
  )
}

/** Checks that all of the key is there, and nothing else. */
export function checkKey(asked: Asked, key: Values): Values {
  const { name, table } = asked
  const checked = checkValues(asked, key)
  const missing = table.key.find((column) => checked[column] === undefined || checked[column] === null)
  if (missing !== undefined) throw usage(`The key of ${name} is ${table.key.join(', ')}: ${missing} is not given.`)
  const other = Object.keys(checked).find((column) => !table.key.includes(column))
  if (other !== undefined) throw usage(`The key of ${name} is ${table.key.join(', ')}: ${other} is not part of it.`)
  return checked
}

/** A subselect of the row with this key, of no rows if there is none. */
export function storedRow({ name, table }: Asked, key: Values, parameters: Parameters): string {
  const source = `${parameters.add(JSON.stringify(key))}::text::json`
  const isIt = table.key.map((column) => `t.${columnName(column)} = ${fromJson(columnOf(table, column), `(${source})`, column)}`)
  return `(select t.* from ${tableName(name)} t where ${isIt.join(' and ')})`
}

/** A subselect of the row that an insert of these values would make. */
export function insertedRow({ table }: Asked, values: Values, parameters: Parameters): string {
  const source = `(${parameters.add(JSON.stringify(values))}::text::json)`
  const columns = Object.entries(table.columns).map(([name, column]) => {
    const isDefault = values[name] === undefined && column.defaultValue !== undefined
    const value = isDefault ? constant(column, encodeValue(column, column.defaultValue, name)) : fromJson(column, source, name)
    return `${value} as ${columnName(name)}`
  })
  return `(select ${columns.join(', ')})`
}

export interface RowScope {
  readonly membership: Membership
  readonly scope: ScopeKey
  readonly key: string
}

/** What `scopesOf` reads: add it to a statement's columns. */
export const keyColumns = ({ memberships }: TableDefinition, image: string): readonly string[] =>
  memberships.map(({ column }, i) => `${image}.${columnName(column)}::text as key${i}`)

/** The scopes that a row is in, by the lines of its table. */
export const scopesOf = ({ memberships }: TableDefinition, row: SqlRow): readonly RowScope[] =>
  memberships.flatMap((membership, i) => {
    const key = row[`key${i}`] ?? null
    return key === null ? [] : [{ membership, scope: scopeKey(membership.kind, String(key)), key: String(key) }]
  })

export const usage = (message: string, hint = '') => new HeadwaterError('usage', message, hint)
export const absent = ({ name }: Asked, key: Values) => new HeadwaterError('absent', `There is no row ${JSON.stringify(key)} in ${name}.`)
