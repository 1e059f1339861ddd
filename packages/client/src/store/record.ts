// What lies on the disk is the conversation: the frames that the server sent (welcome, load, checkpoint), as they came, and
// between them records of the outbox. Reading a store is hearing the conversation again.
//
// Invariant: rows, cursor, and what became of mutations change in one record, because they come in one frame. Loads become
// visible with the checkpoint that names them; a welcome drops those that no checkpoint named.
import { type Checkpoint, decodeDown, type Down, encode, HeadwaterError, type Mutation, mutation, type Welcome } from '@headwater/protocol'
import type { SetAside } from '../api.ts'
import type { DiskRecord } from '../ports.ts'
import { createEncoder } from './row.ts'
import type { Store, WireColumns } from './store.ts'

/** The format of these records. A store of a newer one is not opened: an older app must not touch what it cannot read. */
const formatVersion = 1

export const headerRecord: DiskRecord = JSON.stringify({ headwater: formatVersion })

/** Whose outbox it is. */
export interface Identity {
  readonly device: string
  /** The database that the device was welcomed by; null before the first time. */
  readonly database: string | null
  readonly nonce: string | null
  /** Every mutation up to this number is settled. */
  readonly confirmed: number
}

/** What happened to the outbox. With an identity, the record says all there is, and takes the place of what was before. */
export interface OutboxRecord {
  readonly identity: Identity | null
  readonly made: readonly Mutation[]
  readonly setAside: readonly SetAside[]
  /** Mutations set aside that were discarded or tried again. */
  readonly discarded: readonly string[]
}

export type Entry = { readonly type: 'header' } | { readonly type: 'outbox'; readonly outbox: OutboxRecord; readonly isWhole: boolean } | Down

const outboxMark = '{"outbox":'

export const outboxRecord = (outbox: OutboxRecord): DiskRecord => `${outboxMark}${JSON.stringify(outbox)}}`

/** Throws `malformed` for what cannot be read, and `store-version` for what a newer app wrote. An outbox record gives whatever of it is whole. */
export function parseRecord(record: DiskRecord): Entry {
  if (record.startsWith('{"headwater":')) return parseHeader(record)
  if (!record.startsWith(outboxMark)) return decodeDown(record)
  const { outbox } = JSON.parse(record)
  const made = listOf(outbox?.made, parseMutation)
  const setAside = listOf(outbox?.setAside, parseSetAside)
  const discarded = listOf(outbox?.discarded, (id) => (typeof id === 'string' ? id : null))
  const identity = outbox?.identity === null ? null : parseIdentity(outbox?.identity)
  const isWhole = made.isWhole && setAside.isWhole && discarded.isWhole && identity !== undefined
  return { type: 'outbox', isWhole, outbox: { identity: identity ?? null, made: made.items, setAside: setAside.items, discarded: discarded.items } }
}

function parseHeader(record: DiskRecord): Entry {
  const { headwater } = JSON.parse(record)
  if (headwater === formatVersion) return { type: 'header' }
  throw new HeadwaterError('store-version', `The store on this device has format ${headwater}; this app reads ${formatVersion}.`, 'Reload the page to get the newer app.')
}

function listOf<T>(items: unknown, parse: (item: unknown) => T | null): { readonly items: readonly T[]; readonly isWhole: boolean } {
  const parsed = Array.isArray(items) ? items.map(parse).filter((item) => item !== null) : []
  return { items: parsed, isWhole: Array.isArray(items) && parsed.length === items.length }
}

function parseMutation(item: unknown): Mutation | null {
  try {
    return mutation.check(item, '')
  } catch {
    return null
  }
}

function parseSetAside(item: unknown): SetAside | null {
  // Members are only read, and checked below.
  const { code, reason, ...rest } = Object(item) as Record<string, unknown>
  const made = parseMutation({ ...rest, number: 0 })
  return made && typeof code === 'string' && typeof reason === 'string' ? { id: made.id, name: made.name, args: made.args, at: made.at, code, reason } : null
}

function parseIdentity(item: unknown): Identity | undefined {
  // Members are only read, and checked below.
  const { device, database = null, nonce = null, confirmed } = Object(item) as Record<string, unknown>
  const isText = (value: unknown) => typeof value === 'string' || value === null
  if (typeof device !== 'string' || !isText(database) || !isText(nonce) || !Number.isSafeInteger(confirmed)) return undefined
  // Each was just checked.
  return { device, database, nonce, confirmed } as Identity
}

/** Rows in a record, and characters, at which the next begins: the disk and `JSON.parse` take them piece by piece. */
const rowsMax = 2_000
const charactersMax = 4_000_000

/** The store as records that give the same store when read: what it is at the time of the call, whenever the records are asked for. */
export function snapshotRecords(store: Store, welcome: Welcome | null): Iterable<DiskRecord> {
  const cursor = store.cursor()
  if (welcome === null || cursor === null) return welcome === null ? [] : [encode(welcome)]
  const held = [...store.tables.values()].filter(({ name }) => welcome.columns.has(name)).map((table) => ({ ...table, rows: [...table.rows.values()] }))
  const columns: WireColumns = new Map(held.map(({ name, definition }) => [name, Object.keys(definition.columns).filter((column) => welcome.columns.get(name)?.includes(column))]))
  const { granted, held: inUse } = store.scopes()
  const none = { granted: [], held: [] }
  const joined = { granted: [...granted], held: [...inUse] }
  const isEmpty = held.every(({ rows }) => rows.length === 0)
  const last: Checkpoint = { type: 'checkpoint', cursor, replace: true, loads: isEmpty ? [] : [0], left: none, joined, tables: new Map(), outcomes: [] }
  return (function* () {
    yield encode({ ...welcome, columns })
    for (const { name, definition, rows } of held) {
      const encodeRow = createEncoder(definition, columns.get(name) ?? [])
      let piece: string[] = []
      let characters = 0
      for (const row of rows) {
        const text = JSON.stringify(encodeRow(row))
        piece.push(text)
        characters += text.length
        if (piece.length < rowsMax && characters < charactersMax) continue
        yield loadRecord(name, piece)
        piece = []
        characters = 0
      }
      if (piece.length > 0) yield loadRecord(name, piece)
    }
    yield encode(last)
    // Frames that follow have the columns of the last welcome.
    yield encode(welcome)
  })()
}

const loadRecord = (table: string, rows: readonly string[]): DiskRecord => `{"type":"load","load":0,"table":${JSON.stringify(table)},"rows":[${rows.join()}]}`
