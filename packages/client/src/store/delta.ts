// Invariant: a checkpoint is worked out apart from what is shown, and becomes visible as a whole or not at all. The order
// inside it is fixed: scopes left, `replace`, scopes joined with their loads, then per table cleared, gone, put.
import type { Checkpoint, Cursor } from '@headwater/protocol'
import type { TableDefinition } from '@headwater/schema'
import { type Layer, rowsIn, setIn } from './layer.ts'
import { keyOfRow, keyOfTuple, type Row, type Tuple } from './row.ts'
import { belongs, changed, concerns, noScopes, type Scopes } from './scopes.ts'

export interface StoredTable {
  readonly name: string
  readonly definition: TableDefinition
  /** Confirmed rows by key. */
  readonly rows: Map<string, Row>
}

/** The decoded rows of a piece of a load. */
export interface Loaded {
  readonly table: string
  readonly rows: readonly Row[]
}

/** What a checkpoint makes of the confirmed rows. */
export interface Delta {
  readonly layer: Layer
  readonly scopes: Scopes
  readonly cursor: Cursor | null
}

export interface Base {
  readonly tables: ReadonlyMap<string, StoredTable>
  readonly scopes: Scopes
  /** null: the row did not decode, which was reported, or its table is not known to this build. */
  readonly decode: (table: string, values: Tuple) => Row | null
}

export function deltaOf(base: Base, checkpoint: Checkpoint, loads: readonly Loaded[]): Delta {
  const layer: Layer = new Map()
  const remaining = checkpoint.replace ? noScopes : changed(base.scopes, checkpoint.left, 'delete')
  const scopes = changed(remaining, checkpoint.joined, 'add')
  if (checkpoint.replace) for (const table of base.tables.values()) clear(table, layer)
  else if (remaining !== base.scopes) leave(base, checkpoint, remaining, layer)
  for (const { table, rows } of loads) for (const row of rows) put(base, scopes, layer, table, row)
  for (const [name, changes] of checkpoint.tables) {
    const table = base.tables.get(name)
    if (table === undefined) continue
    if (changes.cleared) clear(table, layer)
    for (const key of changes.gone) setIn(layer, name, keyOfTuple(key), null)
    for (const values of changes.put) {
      const row = base.decode(name, values)
      if (row) put(base, scopes, layer, name, row)
    }
  }
  return { layer, scopes, cursor: checkpoint.cursor }
}

/** All rows of the table go, those in the layer included. */
export function clear({ name, rows }: StoredTable, layer: Layer): void {
  layer.delete(name)
  for (const key of rows.keys()) setIn(layer, name, key, null)
}

/** Rows that no scope contains which the device still holds go. */
function leave(base: Base, checkpoint: Checkpoint, remaining: Scopes, layer: Layer): void {
  for (const { name, definition, rows } of base.tables.values()) {
    if (!concerns(definition, checkpoint.left)) continue
    const gone = rowsIn(layer, name)
    for (const [key, row] of rows) if (!belongs(definition, row, remaining)) gone.set(key, null)
  }
}

/** A row that no held scope contains is not kept, whoever sent it. */
function put(base: Base, scopes: Scopes, layer: Layer, name: string, row: Row): void {
  const table = base.tables.get(name)
  if (table) setIn(layer, name, keyOfRow(table.definition, row), belongs(table.definition, row, scopes) ? row : null)
}
