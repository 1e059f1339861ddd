import { HeadwaterError } from '@headwater/protocol'
import type { ColumnDefinition } from './column.ts'
import type { Mutators } from './mutator.ts'
import type { Schema } from './schema.ts'
import type { TableDefinition } from './table.ts'

/** What a mutator's `tx` offers besides the tables; a table cannot have such a name. */
const reservedNames = ['id', 'now', 'query', 'user', 'then', 'unchecked', 'after']
const namePattern = /^[a-z][a-zA-Z0-9]{0,57}$/
const keyTypes = ['text', 'uuid', 'integer', 'bigint', 'enumeration', 'reference', 'date']

/**
 * Throws `schema` when something that is declared cannot be: the message names table and column. A server calls this when it
 * starts. A device does not: it runs what a server has run before, and would carry the checks and their words for nothing.
 */
export function checkSchema(schema: Schema, mutators: Mutators = {}): void {
  for (const [name, { definition }] of Object.entries(schema.tables)) checkTable(name, definition, schema)
  for (const name of Object.keys(mutators)) {
    if (name.includes('.')) throw failure(`Mutator ${name}: a name with a dot is kept for insert, update and delete of a table.`)
    if (name === 'void') throw failure('Mutator void: the name is kept for what was discarded.')
    if (Object.hasOwn(schema.tables, name)) throw failure(`Mutator ${name}: there is a table of that name.`)
  }
}

function checkTable(name: string, table: TableDefinition, { tables }: Schema): void {
  const fail = (what: string, hint?: string) => {
    throw failure(`Table ${name}: ${what}`, hint)
  }
  if (!namePattern.test(name)) fail('the name is not camelCase letters and digits, at most 58.')
  if (reservedNames.includes(name)) fail('the name is reserved.', `Reserved are ${reservedNames.join(', ')}.`)
  if (table.key.length === 0) fail('there is no key.', 'Say .primaryKey() on a column, or .primaryKey(a, b) on the table.')
  for (const column of [...table.key, ...table.memberships.map((membership) => membership.column), ...table.uniques.flat(), ...table.indexes.flat()])
    if (!Object.hasOwn(table.columns, column)) fail(`there is no column ${column}.`, `The table has ${Object.keys(table.columns).join(', ')}.`)
  for (const [column, definition] of Object.entries(table.columns)) checkColumn(name, column, definition, tables)
  for (const column of table.key) {
    const { isNullable, type } = table.columns[column] ?? {}
    if (isNullable || !keyTypes.includes(type ?? ''))
      fail(`${column} cannot be part of the key.`, `A key's columns are not nullable and of type ${keyTypes.join(', ')}.`)
  }
  for (const { kind, columns } of table.memberships) {
    if (!namePattern.test(kind)) fail(`scope kind ${kind} is not camelCase letters and digits.`)
    if (columns === undefined) continue
    for (const column of Array.isArray(columns) ? columns : Object.values(columns).flat())
      if (!Object.hasOwn(table.columns, column)) fail(`${kind} shows ${column}, which is no column.`, `The table has ${Object.keys(table.columns).join(', ')}.`)
    // A row of the log says by which scopes it is seen, not by which line.
    if (table.memberships.filter((other) => other.kind === kind).length > 1)
      fail(`rows are in scopes of kind ${kind} by several columns, and not every column is shown.`, 'Use another kind for one of them, with grants of its own.')
  }
}

function checkColumn(table: string, name: string, column: ColumnDefinition, tables: Schema['tables']): void {
  const where = `Table ${table}: column ${name}`
  if (!namePattern.test(name)) throw failure(`${where}: the name is not camelCase letters and digits, at most 58.`)
  if (column.type === 'array' && column.element?.type === 'array') throw failure(`${where} is an array of arrays.`, 'Use json() for nested lists.')
  if (column.isServerOwned) checkServerOwned(where, column, tables[table]?.definition.key.includes(name) ?? false)
  if (column.type !== 'reference') return
  const target = Object.hasOwn(tables, column.table ?? '') ? tables[column.table ?? ''] : undefined
  if (target === undefined) throw failure(`${where} refers to ${column.table}, which is not in the schema.`)
  if (target.definition.key.length !== 1) throw failure(`${where} refers to ${column.table}, which has not a key of one column.`)
  if (column.onDelete === 'setNull' && !column.isNullable) throw failure(`${where} is set null when its row is deleted, but is not nullable.`)
}

/** A device's insert cannot name it, and until it is confirmed the device shows what the database will fill in. */
function checkServerOwned(where: string, column: ColumnDefinition, isInKey: boolean): void {
  const { defaultValue, isNullable } = column
  if (isInKey) throw failure(`${where} is owned by the server and part of the key.`, 'Then no device could insert a row.')
  if (defaultValue === undefined && !isNullable)
    throw failure(`${where} is owned by the server, not nullable, and has no default.`, 'Then no device could insert a row.')
  if (defaultValue instanceof Date) throw failure(`${where} has a Date as its default.`, 'Write the default as text: 2026-11-21T00:00:00.000000Z.')
}

const failure = (message: string, hint?: string) => new HeadwaterError('schema', message, hint)
