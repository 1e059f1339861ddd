// A store written anew: fetched when a log has outgrown its rows, when nobody waits.
import { type Checkpoint, type Cursor, encode, type Welcome } from '@headwater/protocol'
import type { TableDefinition } from '@headwater/schema'
import type { Clock, DiskRecord } from '../ports.ts'
import type { StoredTable } from './delta.ts'
import { createEncoder } from './encode.ts'
import { isPacked, type Page } from './packed.ts'
import { encoded, pageRecord, pagesOf } from './pages.ts'
import type { Row } from './row.ts'
import type { Store, WireColumns } from './store.ts'
import { createTurns } from './turns.ts'

/** Characters in a record at which the next begins, some two thousand rows: the disk and `JSON.parse` take them piece by piece. */
const charactersMax = 500_000
/** Rows encoded between two looks at the clock. */
const stepRows = 100

/** What is kept, and the store as it is at the same moment: made in turns, between which others run and the store may change. */
export async function everything(store: Store, kept: () => readonly DiskRecord[], welcome: Welcome | null, clock: Clock): Promise<readonly DiskRecord[]> {
  const records = [...kept()]
  const turns = createTurns(clock)
  for (const record of snapshotRecords(store, welcome)) {
    if (record) records.push(record)
    if (turns.isOver()) await turns.next()
  }
  return records
}

/** The store as records that give the same store when read, as it was when the first was asked for. '': nothing yet. */
export function* snapshotRecords(store: Store, welcome: Welcome | null): Iterable<DiskRecord> {
  if (welcome === null) return
  store.settle()
  const cursor = store.cursor()
  const staged = store.staged()
  const namesOf = (table: string) => welcome.columns.get(table) ?? []
  if (cursor !== null) {
    // Rows do not change, so that the lists alone are kept as they are now.
    const held = [...store.tables.values()].filter(({ name }) => welcome.columns.has(name)).map(heldIn)
    const columns: WireColumns = new Map(
      held.map(({ name, definition }) => [name, Object.keys(definition.columns).filter((column) => namesOf(name).includes(column))]),
    )
    const scopes = store.scopes()
    const joined = { granted: [...scopes.granted], held: [...scopes.held] }
    const grants = scopes.tag === null ? null : { tag: scopes.tag, replace: true, roles: scopes.roles }
    yield encode({ ...welcome, columns })
    for (const table of held) if (!table.pages) yield* loadRecords(table, columns.get(table.name) ?? [])
    yield encode({ ...emptyCheckpoint(cursor), replace: true, loads: [0], joined, grants, more: scopes.more })
    for (const table of held) if (table.pages) yield* packedRecords(table, table.pages, columns.get(table.name) ?? [])
  }
  // Frames that follow have the columns of the last welcome.
  yield encode(welcome)
  for (const piece of staged) yield encode(piece)
}

interface Held {
  readonly name: string
  readonly definition: TableDefinition
  readonly rows: readonly Row[]
  /** Those that lie packed; null: the table has none that could. */
  readonly pages: readonly Page[] | null
}

function heldIn({ name, definition, rows }: StoredTable): Held {
  const all: Row[] = []
  if (isPacked(rows)) rows.made((row) => all.push(row))
  else rows.forEach((row, _key) => all.push(row))
  return { name, definition, rows: all, pages: isPacked(rows) ? rows.pages.filter((page) => page !== null) : null }
}

/** A column that is absent is written as a null, and goes again when the row is read: no role shows it. */
function* loadRecords({ name, definition, rows }: Held, columns: readonly string[]): Iterable<DiskRecord> {
  const encodeRow = createEncoder(definition, columns)
  const record = () => `{"type":"load","load":0,"table":${JSON.stringify(name)},"rows":[${piece.join()}]}`
  let piece: string[] = []
  let characters = 0
  for (const row of rows) {
    const text = JSON.stringify(encodeRow(row))
    piece.push(text)
    characters += text.length
    if (piece.length % stepRows === 0) yield ''
    if (characters < charactersMax) continue
    yield record()
    piece = []
    characters = 0
  }
  if (piece.length > 0) yield record()
}

function* packedRecords({ name, definition, rows }: Held, pages: readonly Page[], columns: readonly string[]): Iterable<DiskRecord> {
  let record: string[] = []
  let characters = 0
  const yielded = function* (all: Iterable<Page>) {
    for (const page of all) {
      const text = pageRecord(page)
      record.push(text)
      characters += text.length
      if (characters < charactersMax) yield ''
      else {
        yield record.join('\n\n')
        record = []
        characters = 0
      }
    }
  }
  yield* yielded(pages)
  yield* yielded(pagesOf(name, columns, encoded(definition, columns, rows)))
  if (record.length > 0) yield record.join('\n\n')
}

const none = { granted: [], held: [] }

/** A checkpoint that changes nothing. */
export const emptyCheckpoint = (cursor: Cursor): Checkpoint =>
  // Members that may be null may be left out.
  ({ type: 'checkpoint', cursor, replace: false, loads: [], left: none, joined: none, tables: new Map(), outcomes: [] }) as Partial<Checkpoint> as Checkpoint
