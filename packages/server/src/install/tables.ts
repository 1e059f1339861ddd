import type { Schema } from '@headwater/schema'
import type { Transaction } from '../ports.ts'
import { addColumn, constraintsOf, createTable } from '../sql/create.ts'
import { snakeCase } from '../sql/name.ts'

/** What is missing of an app's tables. */
export interface Missing {
  /** Makes it; empty: nothing is missing. */
  readonly script: string
  /** SQL names of tables that are not there. */
  readonly tables: ReadonlySet<string>
}

/** Tables, columns, constraints and indexes of the schema that are not there. What is there and differs is not looked at. */
export async function missingOf(transaction: Transaction, schema: Schema): Promise<Missing> {
  // The information schema hides what the role may not use.
  const columns = await transaction.query(
    `select c.relname as table, a.attname as column from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
      where n.nspname = 'public' and c.relkind in ('r', 'p', 'v', 'm', 'f') and a.attnum > 0 and not a.attisdropped`,
  )
  const present = new Map<string, Set<string>>()
  for (const row of columns) present.set(String(row.table), (present.get(String(row.table)) ?? new Set()).add(String(row.column)))
  const statements = Object.entries(schema.definitions).flatMap(([name, table]) => {
    const have = present.get(snakeCase(name))
    if (have === undefined) return [createTable(name, table)]
    return Object.entries(table.columns).flatMap(([column, definition]) => (have.has(snakeCase(column)) ? [] : [addColumn(name, column, definition)]))
  })
  const named = await transaction.query(
    `select conname as name from pg_constraint c join pg_namespace n on n.oid = c.connamespace where n.nspname = 'public'
     union select indexname from pg_indexes where schemaname = 'public'`,
  )
  const names = new Set(named.map((row) => String(row.name)))
  const constraints = Object.keys(schema.definitions).flatMap((name) => constraintsOf(schema, name).filter((one) => !names.has(one.name)))
  const tables = new Set(
    Object.keys(schema.definitions)
      .map(snakeCase)
      .filter((name) => !present.has(name)),
  )
  return { script: [...statements, ...constraints.map((one) => one.sql)].join('\n'), tables }
}
