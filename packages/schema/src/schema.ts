import { HeadwaterError } from '@headwater/protocol'
import type { ColumnDefinition } from './column.ts'
import { mapped, own, type Table, type TableDefinition } from './table.ts'

// biome-ignore lint/suspicious/noExplicitAny: a bound; each table's own type is kept
export type Tables = Readonly<Record<string, Table<any, any, any, any>>>

export interface Schema<T extends Tables = Tables> {
  /** As declared: what types are inferred from. */
  readonly tables: T
  /** As both sides use them: every reference has the type of the key it refers to. */
  readonly definitions: Readonly<Record<string, TableDefinition>>
}
export type TableName<S extends Schema> = keyof S['tables'] & string

/** Declares what the app stores. Nothing is checked here: a server does so when it starts, by `checkSchema`. */
export function defineSchema<const T extends Tables>(tables: T): Schema<T> {
  const definitions = mapped(
    tables,
    ({ definition }): TableDefinition => ({ ...definition, columns: mapped(definition.columns, (column) => resolve(column, tables)) }),
  )
  return { tables, definitions }
}

/** The definition of a table. Throws `schema` if there is none of that name. */
export function tableOf(schema: Schema, name: string): TableDefinition {
  const definition = own(schema.definitions, name)
  if (definition === undefined) throw new HeadwaterError('schema', `There is no table ${name}.`)
  return definition
}

/** A reference is stored as the key it refers to; `table` and `onDelete` stay. */
function resolve(column: ColumnDefinition, tables: Tables): ColumnDefinition {
  const target = column.table === undefined ? undefined : tables[column.table]?.definition
  const key = target?.columns[target.key[0] ?? '']
  if (key === undefined) return column
  const { type, form, lengthMax, values } = resolve(key, tables)
  return { ...column, type, form, lengthMax, values }
}
