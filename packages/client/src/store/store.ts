// Invariant: what is seen is the confirmed rows with the overlay above them, and both change in one step, after which every
// live query has followed. A row that did not change keeps its object.
import { type Checkpoint, type Cursor, HeadwaterError, type Load } from '@headwater/protocol'
import { type QueryDefinition, type Schema, type TableDefinition, tableOf } from '@headwater/schema'
import type { LiveQuery, ResultState, Rows, RowsOption } from '../api.ts'
import type { Clock } from '../ports.ts'
import type { Change } from './change.ts'
import { clear, type Delta, deltaOf, type StoredTable } from './delta.ts'
import { copyOf, type Layer, over, rowsIn, setIn, type View } from './layer.ts'
import { createLiveQueries } from './live.ts'
import { createLookups } from './lookups.ts'
import { areEqualRows, createDecoder, type Places, type Row, type Tuple } from './row.ts'
import { noScopes, type Scopes } from './scopes.ts'

export type WireColumns = ReadonlyMap<string, readonly string[]>

export interface Store {
  readonly tables: ReadonlyMap<string, StoredTable>
  readonly confirmed: View
  readonly visible: View
  cursor(): Cursor | null
  /** True if all of what the device is to hold has come. */
  isLoaded(): boolean
  scopes(): Scopes
  /** By which roles the person holds scopes, as of the cursor. */
  roles(): Scopes['roles']
  overlay(): Layer
  /** From here on changes of the visible overlay leave the one that `overlay()` answered before as it is. */
  splitOverlay(): void
  /** True if rows held were made without a column that comes by these: they must be loaded again. */
  lacks(columns: WireColumns): boolean
  /** The order of values in rows to come. */
  setColumns(columns: WireColumns): void
  /** Keeps a piece of a load until a checkpoint names it. Throws `malformed` if one has: then rows are missing. */
  stage(load: Load): void
  /** The loads that a checkpoint names, once: one of which nothing came is empty. Throws `malformed` for one that was named before. */
  takeLoads(numbers: readonly number[]): readonly Load[]
  /** Drops loads that no checkpoint named; all but the one that goes on, if one does. */
  dropLoads(isContinued?: boolean | null): void
  /** Pieces that no checkpoint has named yet. */
  staged(): readonly Load[]
  /** The last of them behind which its load can go on. */
  marked(): Load | undefined
  prepare(checkpoint: Checkpoint, loads: readonly Load[]): Delta
  /** Applies a delta below and exchanges the overlay above, as one. */
  commit(delta: Delta | null, overlay: Layer): void
  /** Applies a delta before anything is shown: for reading a disk. To be followed by `startAnew`. */
  restore(delta: Delta): void
  startAnew(): void
  /** Adds rows to the overlay, as one batch. */
  show(layer: Layer): void
  /** What forgets rows, scopes and cursor. */
  nothing(): Delta
  /** The next greeting asks for a first load; rows stay until it is there. */
  forgetCursor(): void
  ask(definition: QueryDefinition): readonly Row[]
  live(definition: QueryDefinition): LiveQuery<Row>
  followStates(): void
}

export interface StoreDeps {
  readonly schema: Schema
  readonly clock: Clock
  readonly report: (error: unknown) => void
  readonly stateOf: (table: TableDefinition) => ResultState
  readonly rows?: RowsOption | undefined
}

export function createStore(deps: StoreDeps): Store {
  const tables = new Map<string, StoredTable>(
    Object.entries(deps.schema.definitions).map(([name, definition]) => [
      name,
      { name, definition, rows: deps.rows?.create(definition, deps.report) ?? new Map() },
    ]),
  )
  const stored: Pick<View, 'get' | 'each'> = {
    get: (table, key) => tables.get(table)?.rows.get(key),
    each: (table, run, _, asked) => tables.get(table)?.rows.forEach(run, asked),
  }
  const lookups = createLookups(stored)
  const confirmed: View = {
    ...stored,
    each: (table, run, among, asked) => {
      if (!among) return stored.each(table, run, among, asked)
      for (const key of lookups.keysOf(table, among)) {
        const row = stored.get(table, key)
        if (row) run(row, key)
      }
    },
  }
  let overlay: Layer = new Map()
  let scopes: Scopes = noScopes
  let cursor: Cursor | null = null
  const visible = over(confirmed, () => overlay)
  const tableNamed = (name: string) => tableOf(deps.schema, name)
  const queries = createLiveQueries({ ...deps, view: visible, tableOf: tableNamed, stateOf: (name) => deps.stateOf(tableNamed(name)) })
  const reading = createReading(tables, deps.report)

  function commit(delta: Delta | null, next: Layer): void {
    change([...(next === overlay ? [] : [overlay, next]), ...(delta ? [delta.layer] : [])], () => {
      if (delta) restore(delta)
      overlay = next
    })
  }

  function restore(delta: Delta): void {
    for (const [name, rows] of delta.layer) {
      lookups.follow(name, rows)
      settle(rows, tables.get(name)?.rows)
    }
    scopes = delta.scopes
    cursor = delta.cursor
  }

  /** As `change` does, in one pass: each mutation passes here. */
  function show(layer: Layer): void {
    const batch = new Map<string, readonly Change[]>()
    for (const [name, rows] of layer) {
      const above = rowsIn(overlay, name)
      const changes: Change[] = []
      for (const [key, row] of rows) {
        const was = visible.get(name, key) ?? null
        const after = was && row && areEqualRows(was, row) ? was : row
        above.set(key, after)
        if (was !== after) changes.push({ before: was, after })
      }
      batch.set(name, changes)
    }
    queries.follow(batch)
  }

  /** Lets live queries follow what `apply` does to rows in the layers. */
  function change(layers: readonly Layer[], apply: () => void): void {
    const befores: Layer = new Map()
    for (const layer of layers) for (const [name, rows] of layer) for (const key of rows.keys()) setIn(befores, name, key, visible.get(name, key) ?? null)
    apply()
    queries.follow(new Map([...befores].map(([name, before]) => [name, compare(name, before)])))
  }

  function compare(name: string, before: ReadonlyMap<string, Row | null>): readonly Change[] {
    const changes: Change[] = []
    const above = overlay.get(name)
    for (const [key, was] of before) {
      const after = visible.get(name, key) ?? null
      if (was === after) continue
      // An equal row takes the object of before, wherever it lies, so that nobody sees a difference where there is none.
      if (was && after && areEqualRows(was, after)) (above?.get(key) ? above : tables.get(name)?.rows)?.set(key, was)
      else changes.push({ before: was, after })
    }
    return changes
  }

  return {
    tables,
    confirmed,
    visible,
    cursor: () => cursor,
    isLoaded: () => cursor !== null && !scopes.more,
    scopes: () => scopes,
    roles: () => scopes.roles,
    overlay: () => overlay,
    splitOverlay: () => {
      overlay = copyOf(overlay)
    },
    ...reading,
    prepare: (checkpoint, loads) => deltaOf({ tables, confirmed, scopes, decode: reading.decode }, checkpoint, loads),
    commit,
    restore,
    startAnew: () => queries.follow(null),
    show,
    nothing: () => {
      const layer: Layer = new Map()
      for (const table of tables.values()) clear(table, layer)
      return { layer, scopes: noScopes, cursor: null }
    },
    forgetCursor: () => {
      cursor = null
      queries.followStates()
    },
    ask: queries.ask,
    live: queries.live,
    followStates: queries.followStates,
  }
}

function settle(changes: ReadonlyMap<string, Row | null>, rows?: Rows): void {
  changes.forEach((row, key) => (row ? rows?.set(key, row) : rows?.delete(key)))
}

/** Rows as they come from the wire, by the columns that the last welcome named. */
function createReading(tables: ReadonlyMap<string, StoredTable>, report: (error: unknown) => void) {
  let columns: WireColumns = new Map()
  let staged: Load[] = []
  let taken = new Set<number>()
  const marked = () => staged.filter(({ mark }) => mark).at(-1)
  const assertNew = (load: number) => {
    if (taken.has(load)) throw new HeadwaterError('malformed', 'It is over.')
  }

  function decode(name: string, tuples: readonly Tuple[], places: Places): readonly Row[] {
    const [definition, wire] = [tables.get(name)?.definition, columns.get(name)]
    const rows: Row[] = []
    if (!definition || !wire) return rows
    const decoder = createDecoder(definition, wire, places)
    for (const values of tuples) {
      try {
        rows.push(decoder(values))
      } catch (error) {
        report(error)
      }
    }
    return rows
  }

  return {
    decode,
    lacks: (next: WireColumns) =>
      columns.size > 0 &&
      [...tables.values()].some(({ name, definition }) =>
        Object.keys(definition.columns).some((column) => next.get(name)?.includes(column) && !columns.get(name)?.includes(column)),
      ),
    setColumns: (next: WireColumns) => {
      columns = next
    },
    stage: (piece: Load) => {
      assertNew(piece.load)
      staged.push(piece)
    },
    takeLoads: (numbers: readonly number[]) => {
      for (const number of numbers) {
        assertNew(number)
        taken.add(number)
      }
      const named = staged.filter(({ load }) => taken.has(load))
      staged = staged.filter(({ load }) => !taken.has(load))
      return named
    },
    dropLoads: (isContinued?: boolean | null) => {
      const kept = isContinued && marked()?.load
      staged = staged.filter(({ load }) => load === kept)
      taken = new Set()
    },
    staged: () => staged,
    marked,
  }
}
