// Invariant: a batch is reduced to one before and one after per row. Between them nothing is visible, so nothing is sent.
import { deviceId, type DeviceId, type Json, type Outcome, type ScopeKey } from '@headwater/protocol'
import type { Schema } from '@headwater/schema'
import { snakeCase } from '../sql/name.ts'
import type { LogRow } from './log.ts'

/** One row's net change in a batch. */
export interface Change {
  /** The name in the schema. */
  readonly table: string
  /** Encoded JSON array, as text. */
  readonly key: string
  /** The transaction that changed it last. */
  readonly xid: bigint
  /** Scopes the row was in before the batch, and is in after it. */
  readonly before: readonly ScopeKey[]
  readonly after: readonly ScopeKey[]
  /** The whole row after, as an encoded JSON array in the order of the schema's columns, as text; null: deleted. */
  readonly row: string | null
}

export interface OutcomeOf {
  readonly device: DeviceId
  readonly outcome: Outcome
  readonly xid: bigint
}

export interface Net {
  readonly changes: readonly Change[]
  readonly outcomes: readonly OutcomeOf[]
  /** Tables that were truncated; what came after it in the batch is among the changes. */
  readonly cleared: readonly string[]
}

/** Per table, how a logged object becomes the encoded array that devices get. */
export type Encoders = ReadonlyMap<string, { readonly table: string; readonly columns: readonly string[] }>

export function encodersOf(schema: Schema): Encoders {
  return new Map(
    Object.entries(schema.definitions).map(([table, { columns }]) => [snakeCase(table), { table, columns: Object.keys(columns).map(snakeCase) }]),
  )
}

/** Rows in the order of the log. Rows of tables that the schema does not know are passed over. */
export function netOf(rows: readonly LogRow[], encoders: Encoders): Net {
  const changes = new Map<string, Change>()
  const cleared = new Set<string>()
  const outcomes: OutcomeOf[] = []
  for (const row of rows) {
    if (row.op === 'm') outcomes.push(outcomeOf(row))
    const encoder = row.table === null ? undefined : encoders.get(row.table)
    if (encoder === undefined || row.op === 'm' || row.op === 'g') continue
    if (row.op === 't') {
      cleared.add(encoder.table)
      for (const [id, change] of changes) if (change.table === encoder.table) changes.delete(id)
    } else add(changes, row, encoder)
  }
  return { changes: [...changes.values()].filter(isVisibleChange), outcomes, cleared: [...cleared] }
}

function add(changes: Map<string, Change>, row: LogRow, { table, columns }: { readonly table: string; readonly columns: readonly string[] }): void {
  const id = `${table} ${row.key}`
  const earlier = changes.get(id)
  changes.set(id, {
    table,
    key: row.key ?? '[]',
    xid: row.xid,
    before: earlier ? earlier.before : (row.before as readonly ScopeKey[]),
    after: row.after as readonly ScopeKey[],
    row: row.new === null ? null : arrayOf(row.new, columns),
  })
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
