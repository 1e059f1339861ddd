// Invariant: rows that a load brings into an empty table are packed piece by piece, as the pieces come, beside what is shown; the checkpoint that names the
// load puts them there as they lie, whatever their number. What is not as simple goes the way of all rows, through a delta: a table that has rows, column sets, rows
// that came twice, pending mutations that may read them.
import { assert, type Checkpoint, type Load, type ScopeKey, scopeKey } from '@headwater/protocol'
import type { TableDefinition } from '@headwater/schema'
import type { Rows } from '../api.ts'
import type { Delta, StoredTable } from './delta.ts'
import { isPacked, type PackedRows } from './packed.ts'
import { type Encoded, pagesOf } from './pages.ts'
import { keyOfTuple, type Tuple } from './row.ts'
import type { Scopes } from './scopes.ts'
import type { Store, WireColumns } from './store.ts'

/** What pieces of one load have brought for one table. */
interface Packing {
  readonly rows: PackedRows
  /** By which scopes rows are here: one of each of these sets must be held. */
  readonly scopes: Map<string, readonly InScope[]>
  pieces: number
  /** False: something of it must be looked at row by row. */
  isWhole: boolean
}
interface InScope {
  readonly scope: ScopeKey
  readonly isEager: boolean
}

export function packLoads(store: Store, pending: () => number, create: (table: TableDefinition) => PackedRows): Store {
  let columns: WireColumns = new Map()
  // By load and table.
  let packings = new Map<number, Map<string, Packing>>()

  function pack({ load, table: name, rows, columns: places }: Load): void {
    const table = store.tables.get(name)
    const wire = columns.get(name)
    if (!table || !wire) return
    const packing = packingOf(load, table)
    packing.pieces++
    packing.isWhole &&= places === null && !table.definition.memberships.some((one) => one.columns) && packPiece(packing, table, wire, rows)
  }

  function packingOf(load: number, { name, definition }: StoredTable): Packing {
    const byTable = packings.get(load) ?? new Map<string, Packing>()
    packings.set(load, byTable)
    const packing = byTable.get(name) ?? { rows: create(definition), scopes: new Map(), pieces: 0, isWhole: true }
    byTable.set(name, packing)
    return packing
  }

  /** Those of the loads that can be put into their tables as they lie. */
  function simple(checkpoint: Parameters<Store['prepare']>[0], loads: readonly Load[], { scopes }: Delta): Map<string, Packing> {
    const found = new Map<string, Packing>()
    for (const { load, table: name } of loads) {
      const packing = packings.get(load)?.get(name)
      const pieces = loads.filter(({ table }) => table === name).length
      const changes = checkpoint.tables.get(name)
      const isEmpty = !store.tables.get(name)?.rows.size
      if (packing?.isWhole && packing.pieces === pieces && isEmpty && !changes?.cleared && !changes?.parts && isHeld(packing, scopes)) found.set(name, packing)
    }
    return found
  }

  function take(checkpoint: Checkpoint, loads: readonly Load[]): ReadonlyMap<string, Rows> {
    const found = pending() > 0 ? new Map<string, Packing>() : simple(checkpoint, loads, store.prepare({ ...checkpoint, tables: new Map() }, []))
    for (const { load } of loads) packings.delete(load)
    return new Map([...found].map(([name, { rows }]) => [name, rows]))
  }

  function put({ taken }: Delta): boolean {
    for (const [name, rows] of taken ?? []) {
      const table = store.tables.get(name)?.rows
      assert(table && isPacked(table) && isPacked(rows), 'rows were made by the same option')
      table.take(rows)
    }
    return taken !== undefined && taken.size > 0
  }

  return {
    ...store,
    setColumns: (next) => {
      columns = next
      store.setColumns(next)
    },
    stage: (load) => {
      store.stage(load)
      pack(load)
    },
    dropLoads: (isContinued) => {
      store.dropLoads(isContinued)
      const kept = new Set(store.staged().map(({ load }) => load))
      packings = new Map([...packings].filter(([load]) => kept.has(load)))
    },
    take,
    prepare: (checkpoint, loads) => {
      const taken = take(checkpoint, loads)
      const others = loads.filter(({ table }) => !taken.has(table))
      return { ...store.prepare(checkpoint, others), taken }
    },
    commit: (delta, overlay) => {
      const isPut = delta !== null && put(delta)
      store.commit(delta, overlay)
      // Rows that came by no change: queries look at all of them.
      if (isPut && !delta?.renew) store.startAnew()
    },
    restore: (delta) => {
      put(delta)
      store.restore(delta)
    },
  }
}

/** False where a row came twice, or is none: then what was packed is not used. */
function packPiece({ rows, scopes }: Packing, { name, definition }: StoredTable, wire: readonly string[], tuples: readonly Tuple[]): boolean {
  const keyPlaces = definition.key.map((column) => wire.indexOf(column))
  const memberships = definition.memberships.map(({ kind, column, load }) => ({ kind, isEager: load === 'eager', at: wire.indexOf(column) }))
  const keys: string[] = []
  for (const tuple of tuples) {
    if (tuple.length !== wire.length || keyPlaces.some((at) => tuple[at] === undefined || typeof tuple[at] === 'object')) return false
    const key = keyOfTuple(keyPlaces.map((at) => tuple[at] ?? null))
    if (rows.state.byKey.has(key)) return false
    keys.push(key)
    const values = memberships.map(({ at }) => tuple[at] ?? null)
    const text = values.length === 1 ? String(values[0]) : JSON.stringify(values)
    if (!scopes.has(text))
      scopes.set(
        text,
        memberships.flatMap(({ kind, isEager }, at) => (values[at] === null ? [] : [{ scope: scopeKey(kind, String(values[at])), isEager }])),
      )
  }
  if (new Set(keys).size !== keys.length) return false
  let from = 0
  // Rows with the same columns come out in their order.
  for (const page of pagesOf(name, wire, encodedOf(tuples, definition, wire))) {
    rows.add(page, keys.slice(from, from + page.size))
    from += page.size
  }
  return true
}

/** Columns that this build does not know are not kept. */
function* encodedOf(tuples: readonly Tuple[], definition: TableDefinition, wire: readonly string[]): Iterable<Encoded> {
  const names = wire.filter((column) => definition.columns[column])
  const places = names.map((column) => wire.indexOf(column))
  for (const tuple of tuples) yield { names, tuple: names.length === wire.length ? tuple : places.map((at) => tuple[at] ?? null) }
}

/** What no held scope shows is not kept, whoever sent it. */
const isHeld = ({ scopes }: Packing, { granted, held }: Scopes): boolean =>
  [...scopes.values()].every((ofRows) => ofRows.some(({ scope, isEager }) => (isEager ? granted : held).has(scope)))
