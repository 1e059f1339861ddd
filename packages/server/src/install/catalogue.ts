// What the catalogue says of captured tables, and whether it suits the schema.
import type { ColumnDefinition, ColumnType, TableDefinition } from '@headwater/schema'
import type { Transaction } from '../ports.ts'
import { snakeCase } from '../sql/name.ts'

/** As headwater.catalogue() answers it. */
export interface Form {
  /** By SQL name: the column's type, the one that this stands for, its modifier, and the transaction that changed the column last. */
  readonly columns: Readonly<Record<string, readonly [type: string, base: string, modifier: number, changed: string]>>
  /** A digest of the rest. */
  readonly rest: string
}

/** By SQL name of those of the tables that there are; each as text, whose letters are the same while nothing has changed. */
export async function readForms(session: Pick<Transaction, 'query'>, names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const rows = await session.query('select name, form from headwater.catalogue(array(select json_array_elements_text($1::text::json)))', [
    JSON.stringify(names),
  ])
  return new Map(rows.map((row) => [String(row.name), String(row.form)]))
}

// headwater.catalogue() made it.
export const parseForm = (text: string) => JSON.parse(text) as Form

/** Whether these columns, or anything but columns, are not as they were. */
export const hasChanged = (before: string, now: string, columns: Iterable<string>): boolean => {
  if (before === now) return false
  const [a, b] = [parseForm(before), parseForm(now)]
  return a.rest !== b.rest || [...columns].some((column) => JSON.stringify(a.columns[column]) !== JSON.stringify(b.columns[column]))
}

/** Why rows of the table cannot be what the schema says, or null. */
export function misfitOf(name: string, table: TableDefinition, form: Form | null): string | null {
  if (form === null) return `there is no table ${name} in schema public`
  for (const [key, column] of Object.entries(table.columns)) {
    const found = form.columns[snakeCase(key)]
    if (found === undefined) return `there is no column ${name}.${snakeCase(key)}`
    if (!suits(column, found[1])) return `${name}.${snakeCase(key)} is ${found[0]} in the database, and ${describe(column)} in the schema`
  }
  return null
}

const describe = (column: ColumnDefinition) => (column.type === 'array' ? `array of ${column.element?.type}` : column.type)

const integers = ['smallint', 'integer']
const wholes = [...integers, 'bigint']
const suiting: Record<Exclude<ColumnType, 'array' | 'reference' | 'text' | 'enumeration'>, readonly string[]> = {
  integer: integers,
  bigint: wholes,
  numeric: [...wholes, 'numeric'],
  float: ['real', 'double precision'],
  boolean: ['boolean'],
  json: ['jsonb'],
  timestamp: ['timestamp with time zone'],
  date: ['date'],
  bytes: ['bytea'],
  uuid: ['uuid'],
}

/** Types whose JSON is no text. */
const notTexts = new Set([...wholes, 'numeric', 'real', 'double precision', 'boolean', 'json', 'jsonb', 'bytea'])

/** Whether every value of the type is encoded as one of the column. */
function suits(column: ColumnDefinition, type: string): boolean {
  if (column.type === 'array') return type.endsWith('[]') && column.element !== undefined && suits(column.element, type.slice(0, -2))
  if (column.type === 'text' || column.type === 'enumeration' || column.type === 'reference') return !notTexts.has(type) && !type.endsWith('[]')
  return suiting[column.type].includes(type)
}
