// Invariant: a batch is reduced to one before and one after per row. Between them nothing is visible, so nothing is sent.
import { type DeviceId, deviceId, type Json, type Outcome } from '@headwater/protocol'
import type { LoadKind, Schema, TableDefinition } from '@headwater/schema'
import { snakeCase } from '../sql/name.ts'
import { wireColumns } from './columns.ts'
import type { LogRow } from './log.ts'
import { type StreamKey, streamKey } from './stream.ts'

/** One row's net change in a batch. */
export interface Change {
  /** The name in the schema. */
  readonly table: string
  /** Encoded JSON array, as text. */
  readonly key: string
  /** The transaction that changed it last. */
  readonly xid: bigint
  /** Streams the row was in before the batch, and is in after it. */
  readonly before: readonly StreamKey[]
  readonly after: readonly StreamKey[]
  /** Places on the wire of the columns that have changed; null: any may have. */
  readonly changed: ReadonlySet<number> | null
  /** The whole row after, as an encoded JSON array in the order of the schema's columns, as text; null: deleted. `inItsTable`: to be settled. */
  readonly row: string | null
}

/** In the place of a row that the log does not have: see settle.ts. */
export const inItsTable = ''

/** Of changes that are not settled: what is not read any more has gone again, and what came after says so. */
export const asGone = (change: Change): Change => (change.row === inItsTable ? { ...change, row: null, after: [] } : change)

export interface OutcomeOf {
  readonly device: DeviceId
  readonly outcome: Outcome
  readonly xid: bigint
}

export interface Net {
  readonly changes: readonly Change[]
  readonly outcomes: readonly OutcomeOf[]
  /** Tables that were truncated; what came after it in the batch is among the changes. */
  readonly cleared: readonly Cleared[]
  /** Tables that changed in a way that no row tells: what is held of them is to be loaded again, behind the batch. Nothing else is said of them. */
  readonly barriers: ReadonlySet<string>
}
export interface Cleared {
  readonly table: string
  readonly xid: bigint
}

/** How a logged row of a table becomes what devices get. */
export interface Encoder {
  /** The name in the schema. */
  readonly table: string
  readonly definition: TableDefinition
  /** SQL names of the columns on the wire, in order. */
  readonly columns: readonly string[]
  readonly loads: ReadonlyMap<string, LoadKind>
}
/** By SQL name. */
export type Encoders = ReadonlyMap<string, Encoder>

export function encodersOf(schema: Schema): Encoders {
  return new Map(
    Object.entries(schema.definitions).map(([table, definition]) => [
      snakeCase(table),
      { table, definition, columns: wireColumns(definition).map(snakeCase), loads: loadsOf(definition) },
    ]),
  )
}

/** Where a table is in a kind of scope twice, once eagerly, it is eager. */
const loadsOf = ({ memberships }: TableDefinition) =>
  new Map(memberships.toSorted((a, b) => (a.load === 'eager' ? 1 : 0) - (b.load === 'eager' ? 1 : 0)).map(({ kind, load }) => [kind, load]))

/** A newer server may have captured the table, with kinds of scopes that this one does not know of it. */
export const streamsOf = ({ loads }: Encoder, scopes: readonly string[]): readonly StreamKey[] =>
  scopes.flatMap((scope) => {
    const load = loads.get(scope.slice(0, scope.indexOf(':')))
    return load === undefined ? [] : [streamKey(load, scope)]
  })

/** Rows in the order of the log. Rows of tables that the schema does not know are passed over. */
export function netOf(rows: readonly LogRow[], encoders: Encoders): Net {
  const changes = new Map<string, Change>()
  const cleared = new Map<string, Cleared>()
  const barriers = new Set<string>()
  const outcomes: OutcomeOf[] = []
  for (const row of rows) {
    if (row.op === 'm') outcomes.push(outcomeOf(row))
    const encoder = row.table === null ? undefined : encoders.get(row.table)
    if (encoder === undefined || row.op === 'm' || row.op === 'g') continue
    if (row.op === 'b') barriers.add(encoder.table)
    else if (row.op === 't') {
      cleared.set(encoder.table, { table: encoder.table, xid: row.xid })
      for (const [id, change] of changes) if (change.table === encoder.table) changes.delete(id)
    } else add(changes, row, encoder)
  }
  const isTold = ({ table }: { readonly table: string }) => !barriers.has(table)
  return { changes: [...changes.values()].filter(isVisibleChange).filter(isTold), outcomes, cleared: [...cleared.values()].filter(isTold), barriers }
}

function add(changes: Map<string, Change>, row: LogRow, encoder: Encoder): void {
  const { table, columns } = encoder
  const id = `${table} ${row.key}`
  const earlier = changes.get(id)
  const changed = changedBy(row, columns)
  changes.set(id, {
    table,
    key: row.key ?? '[]',
    xid: row.xid,
    before: earlier ? earlier.before : streamsOf(encoder, row.before),
    after: streamsOf(encoder, row.after),
    changed: earlier ? allOf(earlier.changed, changed) : changed,
    row: row.new === null ? null : row.byKey ? inItsTable : arrayOf(row.new, columns),
  })
}

/** What either has changed. */
export const allOf = (a: Change['changed'], b: Change['changed']): Change['changed'] => (a === null || b === null ? null : new Set([...a, ...b]))

function changedBy({ op, old }: LogRow, columns: readonly string[]): Change['changed'] {
  if (op !== 'u' || old === null) return null
  return new Set(Object.keys(JSON.parse(old)).flatMap((column) => (columns.includes(column) ? [columns.indexOf(column)] : [])))
}

/** Made and gone within the batch: nobody has seen it. */
const isVisibleChange = (change: Change) => change.row !== null || change.before.length > 0

function arrayOf(object: string, columns: readonly string[]): string {
  // Our own trigger wrote it: an object of encoded values by SQL names.
  const values = JSON.parse(object) as Readonly<Record<string, Json>>
  return JSON.stringify(columns.map((column) => values[column] ?? null))
}

function outcomeOf(row: LogRow): OutcomeOf {
  // headwater.end_mutation wrote both.
  const [device, number] = JSON.parse(row.key ?? '[]') as [string, number]
  const { outcome, code, reason } = JSON.parse(row.new ?? '{}') as { outcome: Outcome['type']; code: string | null; reason: string | null }
  return { device: deviceId(device), outcome: { number, type: outcome, code, reason }, xid: row.xid }
}
