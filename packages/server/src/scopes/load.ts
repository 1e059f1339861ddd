import { scopeKind } from '@headwater/protocol'
import type { ColumnDefinition, Schema, TableDefinition } from '@headwater/schema'
import { type Held, type Places, wireColumns } from '../feed/columns.ts'
import { streamLoad, streamScope } from '../feed/stream.ts'
import { limits } from '../limits.ts'
import type { Transaction } from '../ports.ts'
import { columnName, columnOf, tableName } from '../sql/name.ts'
import { rowToArray } from '../sql/row.ts'
import { castType } from '../sql/value.ts'

/** A piece of a load: rows as encoded JSON arrays of these columns, joined by commas. */
export type OnRows = (table: string, columns: Places, rows: string) => void | Promise<void>

/** Every row of the held streams, in the transaction's snapshot. A row that several of them contain comes once for each set of columns that they show. */
export async function loadRows(transaction: Transaction, schema: Schema, held: Held, onRows: OnRows): Promise<void> {
  for (const [name, table] of Object.entries(schema.definitions)) {
    for (const { columns, keys } of partsOf(name, table, held)) {
      const conditions = keys.map(({ column }, i) => {
        const definition = columnOf(table, column)
        return `t.${columnName(column)} = any (array(select value::${castType(definition)} from json_array_elements_text($${i + 1}::text::json) as keys(value)))`
      })
      const names = wireColumns(table).filter((_, place) => columns?.includes(place) ?? true)
      const text = `select ${rowToArray(table, 't', names)} from ${tableName(name)} t where ${conditions.join(' or ')}`
      const parameters = keys.map(({ values }) => JSON.stringify(values))
      await transaction.stream(text, parameters, (rows) => inPieces(rows, (piece) => onRows(name, columns, piece)))
    }
  }
}

/** Messages of a bounded size: a device applies nothing of a load before all of it is there, but it need not hold it as one text. */
async function inPieces(rows: readonly string[], emit: (piece: string) => void | Promise<void>): Promise<void> {
  let from = 0
  let bytes = 0
  for (let i = 0; i < rows.length; i++) {
    bytes += rows[i]?.length ?? 0
    if (bytes < limits.loadBytes && i - from < limits.loadRowsMax) continue
    await emit(rows.slice(from, i + 1).join(','))
    from = i + 1
    bytes = 0
  }
  if (from < rows.length) await emit(rows.slice(from).join(','))
}

interface Keys {
  readonly column: string
  readonly values: readonly string[]
}

/** Rows of a table of which the same columns are shown. */
interface Part {
  readonly columns: Places
  readonly keys: readonly Keys[]
}

function partsOf(name: string, table: TableDefinition, held: Held): readonly Part[] {
  const parts = new Map<string, { readonly columns: Places; readonly keys: Keys[] }>()
  for (const { kind, column, load } of table.memberships) {
    const bySet = new Map<string, { readonly columns: Places; readonly values: string[] }>()
    for (const [stream, { tables }] of held) {
      const scope = streamScope(stream)
      const key = scope.slice(kind.length + 1)
      if (streamLoad(stream) !== load || scopeKind(scope) !== kind || !couldBe(columnOf(table, column), key)) continue
      const columns = tables.get(name) ?? null
      const set = bySet.get(JSON.stringify(columns)) ?? { columns, values: [] }
      bySet.set(JSON.stringify(columns), set)
      set.values.push(key)
    }
    for (const [text, { columns, values }] of bySet) {
      const part = parts.get(text) ?? { columns, keys: [] }
      parts.set(text, part)
      part.keys.push({ column, values })
    }
  }
  return [...parts.values()]
}

const patterns: Partial<Record<ColumnDefinition['type'], RegExp>> = {
  uuid: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
  integer: /^-?\d{1,9}$/,
  bigint: /^-?\d{1,18}$/,
  date: /^\d{4}-\d{2}-\d{2}$/,
}

/** A scope's key is text. Where the column is not, a key that cannot be one of its values has no rows, and must not fail the load. */
const couldBe = (column: ColumnDefinition, key: string) => patterns[column.type]?.test(key) ?? true
