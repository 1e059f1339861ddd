// Which rows are taken from their tables, in the batch's own snapshot: those of which the log has keys alone, and those whose order in the log is not
// theirs. A trigger of the app that updates a sibling row of the same statement is logged before that sibling's own change: where one transaction
// changed a row several times, once of them from inside another trigger, the last that is logged need not be the last that happened.
import { limits } from '../limits.ts'
import type { Transaction } from '../ports.ts'
import { columnName, columnOf, tableName } from '../sql/name.ts'
import { rowToArray, scopesOf } from '../sql/row.ts'
import { fromJson } from '../sql/value.ts'
import type { LogRow } from './log.ts'
import { type Change, type Encoder, type Encoders, streamsOf } from './net.ts'

/** A row that is larger than any device could take. It is told as if it were not there. */
export interface Withheld {
  /** The name in the schema. */
  readonly table: string
  readonly key: string
  readonly bytes: number
}

const idOf = (row: LogRow) => `${row.xid} ${row.table} ${row.key}`

/** Keys, per SQL table name, of rows that the log does not have, or not surely in their order. */
export function unsettledKeys(rows: readonly LogRow[]): ReadonlyMap<string, ReadonlySet<string>> {
  const several = new Set<string>()
  const seen = new Map<string, LogRow>()
  const keys = new Map<string, Set<string>>()
  for (const row of rows) {
    if (row.table === null || row.key === null) continue
    const other = seen.get(idOf(row))
    if (other && (other.depth > 1 || row.depth > 1)) several.add(idOf(row))
    if (!other || row.depth > 1) seen.set(idOf(row), row)
    if (row.byKey || several.has(idOf(row))) keys.set(row.table, (keys.get(row.table) ?? new Set()).add(row.key))
  }
  return keys
}

interface SettleDeps {
  readonly encoders: Encoders
  readonly onWithheld: (row: Withheld) => void
}

/** The changes with the rows of `keys` as their tables have them in the transaction's snapshot; null: these rows have more than `bytesMax`. */
export async function settle(
  transaction: Transaction,
  { encoders, onWithheld }: SettleDeps,
  keys: ReturnType<typeof unsettledKeys>,
  changes: readonly Change[],
  bytesMax: number,
): Promise<readonly Change[] | null> {
  const settled = new Map<string, Pick<Change, 'row' | 'after'>>()
  const told = new Set(changes.map(({ table, key }) => `${table} ${key}`))
  let bytes = 0
  for (const [sqlName, wanted] of keys) {
    const encoder = encoders.get(sqlName)
    if (encoder === undefined) continue
    const asked = [...wanted].filter((key) => told.has(`${encoder.table} ${key}`))
    for (let from = 0; from < asked.length; from += limits.settledRows) {
      const piece = asked.slice(from, from + limits.settledRows)
      for (const key of piece) settled.set(`${encoder.table} ${key}`, { row: null, after: [] })
      for (const { key, row, scopes, size } of await readRows(transaction, encoder, piece, bytesMax - bytes)) {
        if (size > limits.rowBytesMax) onWithheld({ table: encoder.table, key, bytes: size })
        else if (row === null) return null
        else {
          bytes += size
          settled.set(`${encoder.table} ${key}`, { row, after: streamsOf(encoder, scopes) })
        }
      }
    }
  }
  return changes.map((change) => ({ ...change, ...settled.get(`${change.table} ${change.key}`) }))
}

interface Found {
  readonly key: string
  readonly size: number
  /** null: it is withheld, or with it they would be more than was asked for. */
  readonly row: string | null
  readonly scopes: readonly string[]
}

/** Those of the rows that are there. */
async function readRows(
  transaction: Transaction,
  { definition: table, table: name }: Encoder,
  keys: readonly string[],
  bytesMax: number,
): Promise<readonly Found[]> {
  const found = await transaction.query(
    `select r.key, r.size::text as size, r.scopes, case when r.size <= ${limits.rowBytesMax} and r.total <= $2::text::bigint then r.row end as row
       from (select *, sum(case when s.size <= ${limits.rowBytesMax} then s.size else 0 end) over (order by s.at) as total
         from (select *, octet_length(t.row) as size
           from (select asked.at, asked.key::text as key, array_to_json(${scopesOf(table, 't')})::text as scopes, ${rowToArray(table, 't')} as row
             from json_array_elements($1::text::json) with ordinality as asked(key, at) join ${tableName(name)} t on ${isAt(table, 'asked.key')} offset 0) t offset 0) s) r`,
    [`[${keys.join(',')}]`, String(bytesMax)],
  )
  return found.map(({ key, size, row, scopes }) => ({
    key: String(key),
    size: Number(size),
    row: row === null ? null : String(row),
    scopes: JSON.parse(String(scopes)),
  }))
}

/** That row `t` has the key that is a JSON array. */
export const isAt = (table: Encoder['definition'], key: string): string =>
  table.key.map((column, i) => `t.${columnName(column)} = ${fromJson(columnOf(table, column), `json_build_object('k', ${key} -> ${i})`, 'k')}`).join(' and ')
