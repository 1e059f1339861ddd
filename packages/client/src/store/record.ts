// What lies on the disk is the conversation: the frames that the server sent (welcome, load, checkpoint), as they came, and
// between them records of the outbox. Reading a store is hearing the conversation again.
//
// Invariant: rows, cursor, and what became of mutations change in one record, because they come in one frame. Loads become
// visible with the checkpoint that names them; a welcome drops those that no checkpoint named.
import {
  type Checkpoint,
  type Cursor,
  check,
  count,
  type Down,
  decodeDown,
  encode,
  HeadwaterError,
  type Infer,
  json,
  type MutationId,
  mutationFields,
  nullable,
  type Outcome,
  object,
  type Shape,
  text,
  type Welcome,
} from '@headwater/protocol'
import * as limits from '@headwater/protocol/limits'
import type { SetAside } from '../api.ts'
import type { DiskRecord } from '../ports.ts'
import type { StoredTable } from './delta.ts'
import { createEncoder } from './row.ts'
import type { Store, WireColumns } from './store.ts'

/** The format of these records. A store of a newer one is not opened: an older app must not touch what it cannot read. */
const formatVersion = 1

export const headerRecord: DiskRecord = JSON.stringify({ headwater: formatVersion })

const anyText = text(Infinity)

const identity = object({
  device: text(limits.idLengthMax),
  /** The database that the device was welcomed by; null before the first time. */
  database: nullable(text(limits.idLengthMax)),
  nonce: nullable(text(limits.idLengthMax)),
  /** Every mutation up to this number is settled. */
  confirmed: count,
})
/** Whose outbox it is. */
export type Identity = Infer<typeof identity>

const id = text<MutationId>(limits.idLengthMax)
/** As it travels, and the refused mutation that it builds on, as far as is known. */
const made = object({ ...mutationFields, after: nullable(id) })
export type Made = Infer<typeof made>

const setAside = object({ id, name: anyText, args: json, code: anyText, reason: anyText, at: anyText, after: nullable(id) })

/** What happened to the outbox. With an identity, the record says all there is, and takes the place of what was before. */
export interface OutboxRecord {
  readonly identity?: Identity | undefined
  readonly made?: readonly Made[]
  readonly setAside?: readonly SetAside[]
  /** Confirmed, and remembered for a database that loses them. */
  readonly past?: Made[]
  /** Mutations set aside that were discarded or tried again. */
  readonly discarded?: readonly string[]
}

/** null: the header, of a format that can be read, or what only an eviction reads. */
export type Entry = null | { readonly type: 'outbox'; readonly outbox: OutboxRecord; readonly isWhole: boolean } | Down

/** Which scopes were used when: written and read by `leastRecentlyUsed`. */
export const usesMark = '{"uses":'

const outboxMark = '{"outbox":'

export const outboxRecord = (outbox: OutboxRecord): DiskRecord => `${outboxMark}${JSON.stringify(outbox)}}`

/** A mutation as it is kept for the person after it was refused. */
export const setAsideOf = ({ number: _, ...made }: Made, { code, reason }: Pick<Outcome, 'code' | 'reason'>): SetAside => ({
  ...made,
  code: code ?? 'refused',
  reason: reason ?? '',
})

/** Throws `malformed` for what cannot be read, and `store-version` for what a newer app wrote. An outbox record gives whatever of it is whole. */
export function parseRecord(record: DiskRecord): Entry {
  if (record.startsWith('{"headwater":')) return parseHeader(record)
  if (record.startsWith(usesMark)) return null
  if (!record.startsWith(outboxMark)) return decodeDown(record)
  const { outbox } = JSON.parse(record)
  let isWhole = true
  const keep = <T>(items: unknown, shape: Shape<T>): T[] =>
    (Array.isArray(items) ? items : []).flatMap((item) => {
      try {
        return [check(shape, item)]
      } catch {
        isWhole = false
        return []
      }
    })
  const [whose] = keep(outbox.identity && [outbox.identity], identity)
  const parsed = {
    identity: whose,
    made: keep(outbox.made, made),
    past: keep(outbox.past, made),
    setAside: keep(outbox.setAside, setAside),
    discarded: keep(outbox.discarded, anyText),
  }
  return { type: 'outbox', outbox: parsed, isWhole }
}

function parseHeader(record: DiskRecord): Entry {
  const { headwater } = JSON.parse(record)
  if (headwater === formatVersion) return null
  throw new HeadwaterError('store-version', `This store has format ${headwater}; this app reads ${formatVersion}.`, 'Reload the page.')
}

const none = { granted: [], held: [] }

/** A checkpoint that changes nothing. */
export const emptyCheckpoint = (cursor: Cursor): Checkpoint =>
  // Members that may be null may be left out.
  ({ type: 'checkpoint', cursor, replace: false, loads: [], left: none, joined: none, tables: new Map(), outcomes: [] }) as Partial<Checkpoint> as Checkpoint

/** How many rows a frame brings or takes, and itself. */
export function weightOf(frame: Down): number {
  let weight = frame.type === 'load' ? frame.rows.length : 1
  if (frame.type !== 'checkpoint') return weight
  for (const { gone, put, parts } of frame.tables.values()) for (const { length } of [gone, put, ...(parts ?? []).map((part) => part.put)]) weight += length
  return weight
}

/** Characters in a record at which the next begins, some two thousand rows: the disk and `JSON.parse` take them piece by piece. */
const charactersMax = 500_000

/** The store as records that give the same store when read. Not to be changed while they are read. */
export function* snapshotRecords(store: Store, welcome: Welcome | null): Iterable<DiskRecord> {
  const cursor = store.cursor()
  if (welcome === null) return
  const namesOf = (table: string) => welcome.columns.get(table) ?? []
  if (cursor !== null) {
    const held = [...store.tables.values()].filter(({ name }) => welcome.columns.has(name))
    const columns: WireColumns = new Map(
      held.map(({ name, definition }) => [name, Object.keys(definition.columns).filter((column) => namesOf(name).includes(column))]),
    )
    const scopes = store.scopes()
    const joined = { granted: [...scopes.granted], held: [...scopes.held] }
    const grants = scopes.tag === null ? null : { tag: scopes.tag, replace: true, roles: scopes.roles }
    yield encode({ ...welcome, columns })
    for (const table of held) yield* loadRecords(table, columns.get(table.name) ?? [])
    yield encode({ ...emptyCheckpoint(cursor), replace: true, loads: [0], joined, grants, more: scopes.more })
  }
  // Frames that follow have the columns of the last welcome.
  yield encode(welcome)
  for (const piece of store.staged()) yield encode(piece)
}

/** A column that is absent is written as a null, and goes again when the row is read: no role shows it. */
function* loadRecords({ name, definition, rows }: StoredTable, columns: readonly string[]): Iterable<DiskRecord> {
  const encodeRow = createEncoder(definition, columns)
  const record = () => `{"type":"load","load":0,"table":${JSON.stringify(name)},"rows":[${piece.join()}]}`
  let piece: string[] = []
  let characters = 0
  for (const row of rows.values()) {
    const text = JSON.stringify(encodeRow(row))
    piece.push(text)
    characters += text.length
    if (characters < charactersMax) continue
    yield record()
    piece = []
    characters = 0
  }
  if (piece.length > 0) yield record()
}
