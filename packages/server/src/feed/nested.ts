// A trigger of the app that updates a sibling row of the same statement is logged before that sibling's own change: the order
// of the log is not the order of the row then. Where one transaction changed a row several times, once of them from inside
// another trigger, the row is taken from its table, in the batch's own snapshot.
import { type Schema, tableOf } from '@headwater/schema'
import type { Transaction } from '../ports.ts'
import { columnName, columnOf, tableName } from '../sql/name.ts'
import { rowToArray, scopesOf } from '../sql/row.ts'
import { fromJson } from '../sql/value.ts'
import type { LogRow } from './log.ts'
import { type Change, type Encoders, streamsOf } from './net.ts'

const idOf = (row: LogRow) => `${row.xid} ${row.table} ${row.key}`

/** Keys, per SQL table name, whose logged order cannot be trusted. */
export function nestedKeys(rows: readonly LogRow[]): ReadonlyMap<string, ReadonlySet<string>> {
  const several = new Set<string>()
  const seen = new Map<string, LogRow>()
  const keys = new Map<string, Set<string>>()
  for (const row of rows) {
    if (row.table === null || row.key === null) continue
    const other = seen.get(idOf(row))
    if (other && (other.depth > 1 || row.depth > 1)) several.add(idOf(row))
    if (!other || row.depth > 1) seen.set(idOf(row), row)
    if (several.has(idOf(row))) keys.set(row.table, (keys.get(row.table) ?? new Set()).add(row.key))
  }
  return keys
}

/** The changes with the rows of `keys` as their tables have them in the transaction's snapshot. */
export async function settleNested(
  transaction: Transaction,
  schema: Schema,
  encoders: Encoders,
  keys: ReturnType<typeof nestedKeys>,
  changes: readonly Change[],
): Promise<readonly Change[]> {
  const settled = new Map<string, Pick<Change, 'row' | 'after'>>()
  for (const [sqlName, wanted] of keys) {
    const encoder = encoders.get(sqlName)
    if (encoder === undefined) continue
    for (const key of wanted) {
      const { row, scopes } = await readRow(transaction, schema, encoder.table, key)
      settled.set(`${encoder.table} ${key}`, { row, after: streamsOf(encoder, scopes) })
    }
  }
  return changes.map((change) => ({ ...change, ...settled.get(`${change.table} ${change.key}`) }))
}

async function readRow(transaction: Transaction, schema: Schema, name: string, key: string): Promise<{ row: string | null; scopes: readonly string[] }> {
  const table = tableOf(schema, name)
  const where = table.key.map(
    (column, i) => `t.${columnName(column)} = ${fromJson(columnOf(table, column), `json_build_object('k', $1::text::json -> ${i})`, 'k')}`,
  )
  const rows = await transaction.query(
    `select ${rowToArray(table, 't')} as row, array_to_json(${scopesOf(table, 't')})::text as scopes from ${tableName(name)} t where ${where.join(' and ')}`,
    [key],
  )
  const found = rows[0]
  if (found === undefined) return { row: null, scopes: [] }
  return { row: String(found.row), scopes: JSON.parse(String(found.scopes)) }
}
