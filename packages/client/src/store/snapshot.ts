// A store written anew: fetched when a log has outgrown its rows, when nobody waits.
import { encode, type Welcome } from '@headwater/protocol'
import type { DiskRecord } from '../ports.ts'
import type { StoredTable } from './delta.ts'
import { createEncoder } from './encode.ts'
import { isPacked, type PackedRows } from './packed.ts'
import { encoded, pageRecord, pagesOf } from './pages.ts'
import { emptyCheckpoint } from './record.ts'
import type { Row } from './row.ts'
import type { Store, WireColumns } from './store.ts'

/** Characters in a record at which the next begins, some two thousand rows: the disk and `JSON.parse` take them piece by piece. */
const charactersMax = 500_000

/** The store as records that give the same store when read. Not to be changed while they are read. */
export function* snapshotRecords(store: Store, welcome: Welcome | null): Iterable<DiskRecord> {
  if (welcome === null) return
  const cursor = store.cursor()
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
    for (const table of held) if (!isPacked(table.rows)) yield* loadRecords(table, columns.get(table.name) ?? [])
    yield encode({ ...emptyCheckpoint(cursor), replace: true, loads: [0], joined, grants, more: scopes.more })
    for (const table of held) if (isPacked(table.rows)) yield* packedRecords(table, table.rows, columns.get(table.name) ?? [])
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
  const all: Row[] = []
  rows.forEach((row, _key) => all.push(row))
  for (const row of all) {
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

function* packedRecords({ name, definition }: StoredTable, { pages, made }: PackedRows, columns: readonly string[]): Iterable<DiskRecord> {
  const rows: Row[] = []
  made((row) => rows.push(row))
  let record: string[] = []
  let characters = 0
  for (const page of [...pages.filter((page) => page !== null), ...pagesOf(name, columns, encoded(definition, columns, rows))]) {
    const text = pageRecord(page)
    record.push(text)
    characters += text.length
    if (characters < charactersMax) continue
    yield record.join('\n\n')
    record = []
    characters = 0
  }
  if (record.length > 0) yield record.join('\n\n')
}
