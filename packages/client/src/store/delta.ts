// Invariant: a checkpoint is worked out apart from what is shown, and becomes visible as a whole or not at all. The order
// inside it is fixed: scopes left and roles, `replace`, scopes joined with their loads, then per table cleared, gone, put and parts.
import type { Checkpoint, Cursor, Load } from '@headwater/protocol'
import type { TableDefinition } from '@headwater/schema'
import type { Rows } from '../api.ts'
import { type Layer, over, setIn, type View, within } from './layer.ts'
import type { Active } from './live.ts'
import { keyOfRow, keyOfTuple, type Places, type Row, type Tuple } from './row.ts'
import { changed, concerns, narrowed, remaining, type Scopes } from './scopes.ts'

export interface StoredTable {
  readonly name: string
  readonly definition: TableDefinition
  /** Confirmed rows by key. Of a large checkpoint some are put here behind it: where all must be, `settle` is called before. */
  readonly rows: Rows
}

/** What a checkpoint makes of the confirmed rows. */
export interface Delta {
  readonly layer: Layer
  readonly scopes: Scopes
  readonly cursor: Cursor | null
  /** Rows that a table takes as they lie, where it has none. */
  readonly taken?: ReadonlyMap<string, Rows>
  /** Of one that was made ready in turns: has live queries come to what it gives, and answers them. Its rows lie above the others until they are put in their place. */
  readonly renew?: () => readonly Active[]
}

export interface Base {
  readonly tables: ReadonlyMap<string, StoredTable>
  readonly confirmed: View
  readonly scopes: Scopes
  /** Without rows that did not decode, which was reported, and without all of a table that is not known to this build. */
  readonly decode: (table: string, tuples: readonly Tuple[], places: Places) => readonly Row[]
}

/** `layer`: what is known of it already. */
export function deltaOf(base: Base, checkpoint: Checkpoint, loads: readonly Load[], layer: Layer = new Map()): Delta {
  const kept = remaining(base.scopes, checkpoint)
  const joined = changed(kept, checkpoint.joined, 'add')
  const more = checkpoint.more ?? joined.more
  const scopes = more === joined.more ? joined : { ...joined, more }
  if (checkpoint.replace) for (const table of base.tables.values()) clear(table, layer)
  else if (kept !== base.scopes) leave(base, checkpoint, kept, layer)
  const view = over(base.confirmed, () => layer)
  /** What no held scope shows is not kept, whoever sent it. A load may bring some columns, beside which those stay that the device has by other scopes. */
  const put = ({ name, definition }: StoredTable, row: Row, isLoad: boolean) => {
    const key = keyOfRow(definition, row)
    const before = isLoad && view.get(name, key)
    setIn(layer, name, key, narrowed(definition, before ? { ...before, ...row } : row, scopes))
  }
  for (const { table: name, rows, columns } of loads) {
    const table = base.tables.get(name)
    if (table) for (const row of base.decode(name, rows, columns)) put(table, row, true)
  }
  for (const [name, { cleared, gone, put: whole, parts }] of checkpoint.tables) {
    const table = base.tables.get(name)
    if (table === undefined) continue
    if (cleared) clear(table, layer)
    for (const key of gone) setIn(layer, name, keyOfTuple(key), null)
    for (const { columns, put: tuples } of [{ columns: null, put: whole }, ...(parts ?? [])])
      for (const row of base.decode(name, tuples, columns)) put(table, row, false)
  }
  return { layer, scopes, cursor: checkpoint.cursor }
}

/** All rows of the table go, those in the layer included. */
export function clear({ name, rows }: StoredTable, layer: Layer): void {
  layer.delete(name)
  for (const key of rows.keys()) setIn(layer, name, key, null)
}

/** Rows go that no scope contains which the device still holds, and columns that none shows. */
function leave(base: Base, checkpoint: Checkpoint, scopes: Scopes, layer: Layer): void {
  for (const { name, definition, rows } of base.tables.values()) {
    if (!concerns(definition, checkpoint)) continue
    const next = within(layer, name)
    rows.forEach((row, key) => {
      const kept = narrowed(definition, row, scopes)
      if (kept !== row) next.set(key, kept)
    })
  }
}
