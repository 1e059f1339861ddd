// The rows of scopes, in pieces and in an order in which a load can go on behind any piece, in another transaction and on another server.
import { type Json, scopeKind } from '@headwater/protocol'
import { type ColumnDefinition, decodeValue, encodeValue, type Schema, type TableDefinition } from '@headwater/schema'
import { type Held, type Places, wireColumns } from '../feed/columns.ts'
import type { Withheld } from '../feed/settle.ts'
import { type StreamKey, streamLoad, streamScope } from '../feed/stream.ts'
import { limits } from '../limits.ts'
import type { Parameter, Transaction } from '../ports.ts'
import { loadOrder } from '../sql/create.ts'
import { columnName, columnOf, tableName } from '../sql/name.ts'
import { rowToArray } from '../sql/row.ts'
import { castType, fromJson } from '../sql/value.ts'

/** How far a load has come: in which of its passes it is, and behind which row of it; null: before its first. */
export interface Place {
  readonly pass: number
  readonly after: readonly Json[] | null
}
export const loadStart: Place = { pass: 0, after: null }

/** Rows as encoded JSON arrays of these columns, joined by commas, and the place behind them. */
export interface Piece {
  readonly table: string
  readonly columns: Places
  readonly rows: string
  readonly place: Place
}

export interface LoadDeps {
  readonly schema: Schema
  readonly onWithheld: (row: Withheld) => void
}

/**
 * Hands out the rows of the held streams that come behind `from`, in the transaction's snapshot, until `onPiece` answers false. Answers where
 * it stopped, or null at the end. What no device could take is passed over, and reported. A row that several of the streams contain comes once for each set of columns that they show.
 */
export async function loadRows(
  transaction: Transaction,
  { schema, onWithheld }: LoadDeps,
  held: Held,
  from: Place,
  onPiece: (piece: Piece) => boolean,
): Promise<Place | null> {
  let place = from
  let isStopped = false
  for (const [number, pass] of passesOf(schema, held).entries()) {
    if (number < from.pass || isStopped) continue
    if (number > place.pass) place = { pass: number, after: null }
    for (let count: number = limits.loadStatementRows; count === limits.loadStatementRows && !isStopped; ) {
      count = 0
      const { text, parameters } = statementOf(pass, place.after)
      await transaction.stream(text, parameters, (rows) => {
        count += rows.length
        isStopped = !inPieces(rows, (part) => {
          place = { pass: number, after: behind(pass, part.at(-1) ?? '[]') }
          const sent = part.filter((text) => !isWithheld(text))
          for (const text of sent.length < part.length ? part.filter(isWithheld) : []) onWithheld(withheldIn(pass, text))
          return sent.length === 0 || onPiece({ table: pass.name, columns: pass.columns, rows: rowsIn(pass, sent), place })
        })
        return !isStopped
      })
    }
  }
  return isStopped ? place : null
}

/** About how many rows the held streams have, in the transaction's snapshot: one that comes in several sets of columns counts in each. */
export async function countRows(transaction: Transaction, schema: Schema, held: Held): Promise<number> {
  let count = 0
  for (const pass of passesOf(schema, held)) {
    const { conditions, parameters } = conditionsOf(pass)
    const rows = await transaction.query(`select count(*)::text as count from ${tableName(pass.name)} t where ${conditions.join(' and ')}`, parameters)
    count += Number(rows[0]?.count)
  }
  return count
}

/** Whether a place, which came from a device, can be one of these streams'. */
export function isPlace(schema: Schema, held: Held, { pass: number, after }: Place): boolean {
  const pass = passesOf(schema, held)[number]
  if (pass === undefined || after === null) return pass !== undefined
  const isValue = (name: string, i: number) => {
    const column = columnOf(pass.table, name)
    return encodeValue(column, decodeValue(column, after[i]), name) === after[i]
  }
  try {
    return after.length === pass.order.length && pass.order.every(isValue)
  } catch {
    return false
  }
}

/** Tables that the streams can have rows in. */
export const tablesOf = (schema: Schema, held: Held): ReadonlySet<string> => new Set(passesOf(schema, held).map(({ name }) => name))

/** Tables that one stream can have rows in, whatever of them it shows. */
export const tablesIn = (schema: Schema, stream: StreamKey): readonly string[] =>
  Object.entries(schema.definitions).flatMap(([name, { memberships }]) =>
    memberships.some(({ kind, load }) => kind === scopeKind(streamScope(stream)) && load === streamLoad(stream)) ? [name] : [],
  )

/** Rows of one table that are in scopes by one of its memberships, with the columns that these show; without those of the passes before it with the same columns. */
interface Pass {
  readonly name: string
  readonly table: TableDefinition
  readonly columns: Places
  readonly order: readonly string[]
  readonly scopes: Keys
  readonly earlier: readonly Keys[]
}
interface Keys {
  readonly column: string
  readonly values: string[]
}

function passesOf(schema: Schema, held: Held): readonly Pass[] {
  return Object.entries(schema.definitions).flatMap(([name, table]) => {
    const passes: Pass[] = []
    for (const { kind, column, load } of table.memberships) {
      const bySet = new Map<string, { readonly columns: Places; readonly scopes: Keys }>()
      for (const [stream, { tables }] of held) {
        const scope = streamScope(stream)
        const key = scope.slice(kind.length + 1)
        if (streamLoad(stream) !== load || scopeKind(scope) !== kind || !couldBe(columnOf(table, column), key)) continue
        const columns = tables.get(name) ?? null
        const set = bySet.get(JSON.stringify(columns)) ?? { columns, scopes: { column, values: [] } }
        bySet.set(JSON.stringify(columns), set)
        set.scopes.values.push(key)
      }
      for (const [text, { columns, scopes }] of [...bySet].sort(([a], [b]) => (a < b ? -1 : 1))) {
        const earlier = passes.filter((pass) => JSON.stringify(pass.columns) === text).map((pass) => pass.scopes)
        passes.push({ name, table, columns, order: loadOrder(table, column), scopes, earlier })
      }
    }
    return passes
  })
}

function conditionsOf({ table, scopes, earlier }: Pass): { readonly conditions: string[]; readonly parameters: Parameter[] } {
  const parameters: Parameter[] = []
  const isIn = ({ column, values }: Keys) => {
    const type = castType(columnOf(table, column))
    return `t.${columnName(column)} = any (array(select value::${type} from json_array_elements_text($${parameters.push(JSON.stringify(values))}::text::json) as keys(value)))`
  }
  const conditions = [isIn(scopes), ...earlier.map((keys) => `(${isIn(keys)}) is not true`)]
  return { conditions, parameters }
}

/** The index by the same columns answers in this order, and begins at any place of it. */
function statementOf(pass: Pass, after: Place['after']): { readonly text: string; readonly parameters: readonly Parameter[] } {
  const { name, table, order } = pass
  const { conditions, parameters } = conditionsOf(pass)
  const columns = order.map((column) => `t.${columnName(column)}`).join(', ')
  if (after !== null) {
    const source = `$${parameters.push(JSON.stringify(Object.fromEntries(after.entries())))}::text::json`
    conditions.push(`(${columns}) > (${order.map((column, i) => fromJson(columnOf(table, column), source, String(i))).join(', ')})`)
  }
  const text = `select ${textOf(pass)} from (select t.* from ${tableName(name)} t where ${conditions.join(' and ')} order by ${columns} limit ${limits.loadStatementRows}) t
    cross join lateral (select ${rowToArray(table, 't', namesOf(pass))} as row offset 0) r`
  return { text, parameters }
}

/** The row, behind the place's values where it lacks one of them; of a row that is withheld these and its size, behind a mark. No JSON of ours has a line feed. */
function textOf(pass: Pass): string {
  const place = rowToArray(pass.table, 't', pass.order)
  const whole = lacksOrder(pass) ? `${place} || chr(10) || r.row` : 'r.row'
  return `case when octet_length(r.row) > ${limits.rowBytesMax} then '${withheldMark}' || ${place} || chr(10) || octet_length(r.row) else ${whole} end`
}

const withheldMark = '!'
const isWithheld = (text: string) => text.startsWith(withheldMark)

function withheldIn({ name, table, order }: Pass, text: string): Withheld {
  // Our own statement made it.
  const values = JSON.parse(text.slice(withheldMark.length, text.indexOf('\n'))) as readonly Json[]
  const key = table.key.map((column) => values[order.indexOf(column)] ?? null)
  return { table: name, key: JSON.stringify(key), bytes: Number(text.slice(text.indexOf('\n') + 1)) }
}

const namesOf = ({ table, columns }: Pass) => wireColumns(table).filter((_, place) => columns?.includes(place) ?? true)
const lacksOrder = (pass: Pass) => !pass.order.every((column) => namesOf(pass).includes(column))

function behind(pass: Pass, text: string): readonly Json[] {
  const names = namesOf(pass)
  const isPlace = lacksOrder(pass) || isWithheld(text)
  // Our own statement made it.
  const values = JSON.parse(text.slice(isWithheld(text) ? withheldMark.length : 0, isPlace ? text.indexOf('\n') : undefined)) as readonly Json[]
  return isPlace ? values : pass.order.map((column) => values[names.indexOf(column)] ?? null)
}

const rowsIn = (pass: Pass, texts: readonly string[]) => (lacksOrder(pass) ? texts.map((text) => text.slice(text.indexOf('\n') + 1)) : texts).join(',')

/** Messages of a bounded size: a device applies nothing of a load before all of it is there, but it need not hold it as one text. False: stopped. */
function inPieces(rows: readonly string[], emit: (piece: readonly string[]) => boolean): boolean {
  let from = 0
  let bytes = 0
  for (let i = 0; i < rows.length; i++) {
    bytes += rows[i]?.length ?? 0
    if (i < rows.length - 1 && bytes < limits.loadBytes && i - from < limits.loadRowsMax) continue
    if (!emit(rows.slice(from, i + 1))) return false
    from = i + 1
    bytes = 0
  }
  return true
}

const patterns: Partial<Record<ColumnDefinition['type'], RegExp>> = {
  uuid: /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
  integer: /^-?\d{1,9}$/,
  bigint: /^-?\d{1,18}$/,
  date: /^\d{4}-\d{2}-\d{2}$/,
}

/** A scope's key is text. Where the column is not, a key that cannot be one of its values has no rows, and must not fail the load. */
const couldBe = (column: ColumnDefinition, key: string) => patterns[column.type]?.test(key) ?? true
