import type { TableDefinition } from '@headwater/schema'
import { columnName, columnOf, literal, snakeCase } from './name.ts'
import { toJson } from './value.ts'

// Text is put together by ||, and not by json_build_object, which takes at most 50 columns and is no faster.

/** These columns of a row as an encoded JSON array; without them, the whole row in the order of the schema. `row` names the row: `t`, `new`. */
export const rowToArray = (table: TableDefinition, row: string, columns: readonly string[] = Object.keys(table.columns)): string =>
  `'[' || ${columns.map((name) => toJson(columnOf(table, name), `${row}.${columnName(name)}`)).join(` || ',' || `)} || ']'`

/** The whole row as a JSON object by SQL names, as the log keeps it. */
export const rowToObject = (table: TableDefinition, row: string): string => objectOf(table, row, () => true)

/** The same of some columns, by SQL name. */
export function objectOf(table: TableDefinition, row: string, isWanted: (column: string) => boolean): string {
  const wanted = Object.entries(table.columns).filter(([name]) => isWanted(snakeCase(name)))
  if (wanted.length === 0) return `'{}'`
  return `'{' || ${wanted.map(([name, column]) => `${literal(`"${snakeCase(name)}":`)} || ${toJson(column, `${row}.${columnName(name)}`)}`).join(` || ',' || `)} || '}'`
}

/** The key as an encoded JSON array, as text: `["…"]`. */
export const keyToArray = (table: TableDefinition, row: string): string =>
  `'[' || ${table.key.map((name) => toJson(columnOf(table, name), `${row}.${columnName(name)}`)).join(` || ',' || `)} || ']'`

/** A text[] of the scopes that a row is in. */
export const scopesOf = (table: TableDefinition, row: string): string =>
  table.memberships.length === 0
    ? `'{}'::text[]`
    : `array_remove(array[${table.memberships.map(({ kind, column }) => `${literal(`${kind}:`)} || ${row}.${columnName(column)}::text`).join(', ')}], null)`
