import type { ColumnDefinition, TableDefinition } from '@headwater/schema'

/** `ownerId` in the schema is `owner_id` in SQL. */
export const snakeCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** An identifier, quoted. Names come from the schema alone, never from a device; quoting covers the reserved words. */
export const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`

/** A text as an SQL literal, for the few places of DDL that take no parameters. */
export const literal = (text: string) => `'${text.replaceAll("'", "''")}'`

/** The table, with its schema: our functions run with a search_path of their own. */
export const tableName = (name: string) => `public.${quoted(snakeCase(name))}`
export const columnName = (name: string) => quoted(snakeCase(name))

export function columnOf(table: TableDefinition, name: string): ColumnDefinition {
  const column = table.columns[name]
  if (column === undefined) throw new Error(`no column ${name}`)
  return column
}
