import { HeadwaterError, limits } from '@headwater/protocol'
import type { ColumnDefinition } from './column.ts'
import type { Table, TableDefinition } from './table.ts'

// biome-ignore lint/suspicious/noExplicitAny: a bound; each table's own type is kept
export type Tables = Readonly<Record<string, Table<any, any>>>

export interface Schema<T extends Tables = Tables> {
  /** As declared: what types are inferred from. */
  readonly tables: T
  /** As both sides use them: checked, and every reference has the type of the key it refers to. */
  readonly definitions: Readonly<Record<string, TableDefinition>>
}
export type TableName<S extends Schema> = keyof S['tables'] & string

/** What a mutator's `tx` offers besides the tables; a table cannot have such a name. */
const reservedNames = ['id', 'now', 'query', 'user', 'then']
const namePattern = /^[a-z][a-zA-Z0-9]{0,57}$/

/** Declares what the app stores. Throws `schema` when something cannot be: the message names table and column. */
export function defineSchema<const T extends Tables>(tables: T): Schema<T> {
  const definitions: Record<string, TableDefinition> = {}
  for (const [name, { definition }] of Object.entries(tables)) {
    checkTable(name, definition, tables)
    const columns = Object.entries(definition.columns).map(([column, declared]) => [column, resolve(declared, tables)])
    definitions[name] = { ...definition, columns: Object.fromEntries(columns) }
  }
  return { tables, definitions }
}

/** The definition of a table. Throws `schema` if there is none of that name. */
export function tableOf(schema: Schema, name: string): TableDefinition {
  const definition = Object.hasOwn(schema.definitions, name) ? schema.definitions[name] : undefined
  if (definition === undefined) throw new HeadwaterError('schema', `There is no table ${name}.`, `The schema has ${Object.keys(schema.definitions).join(', ')}.`)
  return definition
}

/** A reference is stored as the key it refers to; `table` and `onDelete` stay. */
function resolve(column: ColumnDefinition, tables: Tables): ColumnDefinition {
  if (column.type !== 'reference') return column
  const target = tables[column.table ?? '']?.definition
  const key = target?.columns[target.key[0] ?? '']
  if (key === undefined || target?.key.length !== 1) throw new HeadwaterError('schema', `A reference needs a key of one column, which ${column.table} has not.`)
  const { type, lengthMax, values } = resolve(key, tables)
  return { ...column, type, ...(lengthMax !== undefined && { lengthMax }), ...(values && { values }) }
}

function checkTable(name: string, table: TableDefinition, tables: Tables): void {
  const fail = (what: string, hint = '') => {
    throw new HeadwaterError('schema', `Table ${name}: ${what}`, hint)
  }
  if (!namePattern.test(name)) fail('the name is not camelCase letters and digits, at most 58.')
  if (reservedNames.includes(name)) fail('the name is reserved.', `Reserved are ${reservedNames.join(', ')}.`)
  if (table.key.length === 0) fail('there is no key.', 'Say .primaryKey() on a column, or .primaryKey(a, b) on the table.')
  for (const [columnName, column] of Object.entries(table.columns)) {
    if (!namePattern.test(columnName)) fail(`column ${columnName}: the name is not camelCase letters and digits, at most 58.`)
    if (column.type === 'reference' && !Object.hasOwn(tables, column.table ?? '')) fail(`column ${columnName} refers to ${column.table}, which is not in the schema.`)
    if (column.onDelete === 'setNull' && !column.isNullable) fail(`column ${columnName} is set null when its row is deleted, but is not nullable.`)
  }
  for (const column of table.key) checkKeyColumn(name, column, table)
  for (const { kind } of table.memberships) {
    if (!namePattern.test(kind) || kind.length > limits.idLengthMax) fail(`scope kind ${kind} is not camelCase letters and digits.`)
  }
}

function checkKeyColumn(name: string, column: string, table: TableDefinition): void {
  const definition = table.columns[column]
  const keyTypes = ['text', 'uuid', 'integer', 'bigint', 'enumeration', 'reference', 'date']
  if (definition === undefined || definition.isNullable || !keyTypes.includes(definition.type)) {
    throw new HeadwaterError('schema', `Table ${name}: ${column} cannot be part of the key.`, `A key's columns are not nullable and of type ${keyTypes.join(', ')}.`)
  }
}
