// Invariant: what is seen is the confirmed rows with the overlay above them, and both change in one step, after which every
// live query has followed. A row that did not change keeps its object.
import { type Checkpoint, type Cursor, HeadwaterError, type Load } from '@headwater/protocol'
import { type Schema, type TableDefinition, tableOf } from '@headwater/schema'
import type { ResultState, Rows, RowsOption } from '../api.ts'
import type { Clock } from '../ports.ts'
import type { Change } from './change.ts'
import { type Base, clear, type Delta, deltaOf, type StoredTable } from './delta.ts'
import { type Layer, merge, over, setIn, type View } from './layer.ts'
import { createLiveQueries, type LiveQueries } from './live.ts'
import { createLookups } from './lookups.ts'
import { areEqualRows, createDecoder, type Places, type Row, type Tuple } from './row.ts'
import { noScopes, type Scopes } from './scopes.ts'

export type WireColumns = ReadonlyMap<string, readonly string[]>

export interface Store extends LiveQueries {
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
  /** Rows of loads that tables take as they lie. */
  take?(checkpoint: Checkpoint, loads: readonly Load[]): ReadonlyMap<string, Rows>
  /** Without rows that did not decode, which was reported, and without all of a table that is not known to this build. */
  decode: Base['decode']
  /** Applies a delta below and exchanges the overlay above, as one. */
  commit(delta: Delta | null, overlay: Layer): void
  /** Rows of the last delta that lie above the others still: who looks at `confirmed` sees them. */
  rest(): Layer
  /** Puts them all in their place; or those, which are to be taken from the rest. */
  settle(): void
  put(table: string, rows: ReadonlyMap<string, Row | null>): void
  /** Applies a delta before anything is shown: for reading a disk. To be followed by `startAnew`. */
  restore(delta: Delta): void
  /** Adds rows to the overlay, as one batch. */
  show(layer: Layer): void
  /** What forgets rows, scopes and cursor. */
  nothing(): Delta
  /** The next greeting asks for a first load; rows stay until it is there. */
  forgetCursor(): void
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
  const stored: View = {
    get: (table, key) => tables.get(table)?.rows.get(key),
    each: (table, run, among, asked) => {
      if (!among) return tables.get(table)?.rows.forEach(run, asked)
      for (const key of lookups.keysOf(table, among)) {
        const row = stored.get(table, key)
        if (row) run(row, key)
      }
    },
  }
  const lookups = createLookups(stored)
  let rest: Layer = new Map()
  const confirmed = over(stored, () => rest)
  let overlay: Layer = new Map()
  let scopes: Scopes = noScopes
  let cursor: Cursor | null = null
  const visible = over(confirmed, () => overlay)
  const tableNamed = (name: string) => tableOf(deps.schema, name)
  const queries = createLiveQueries({ ...deps, view: visible, tableOf: tableNamed, stateOf: (name) => deps.stateOf(tableNamed(name)) })
  const reading = createReading(tables, deps.report)

  function commit(delta: Delta | null, next: Layer): void {
    const renew = delta?.renew
    change(
      [...(next === overlay ? [] : [overlay, next]), ...(delta && !renew ? [delta.layer] : [])],
      () => {
        if (delta) restore(delta)
        overlay = next
      },
      renew,
    )
  }

  function restore(delta: Delta): void {
    settle()
    ;({ layer: rest, scopes, cursor } = delta)
    if (!delta.renew) settle()
  }

  function settle(): void {
    for (const [name, rows] of rest) put(name, rows)
    rest = new Map()
  }

  function put(name: string, rows: ReadonlyMap<string, Row | null>): void {
    const place = tables.get(name)?.rows
    lookups.follow(name, rows)
    rows.forEach((row, key) => (row ? place?.set(key, row) : place?.delete(key)))
  }

  /** Lets live queries follow what `apply` does to rows in the layers; those of all other rows are renewed. */
  function change(layers: readonly Layer[], apply: () => void, renew?: Delta['renew']): void {
    const befores: Layer = new Map()
    for (const layer of layers) for (const [name, rows] of layer) for (const key of rows.keys()) setIn(befores, name, key, visible.get(name, key) ?? null)
    apply()
    const batch = new Map([...befores].map(([name, before]) => [name, compare(name, before, renew)]))
    queries.follow(batch, renew?.())
  }

  function compare(name: string, before: ReadonlyMap<string, Row | null>, renew: Delta['renew']): readonly Change[] {
    const changes: Change[] = []
    // What is renewed has the rows as they are below the overlay.
    const layers = [overlay.get(name), ...(renew ? [] : [rest.get(name), tables.get(name)?.rows])]
    for (const [key, was] of before) {
      const after = visible.get(name, key) ?? null
      if (was === after) continue
      // An equal row takes the object of before, wherever it lies, so that nobody sees a difference where there is none.
      if (was && after && areEqualRows(was, after)) layers.find((one) => one?.get(key))?.set(key, was)
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
      overlay = merge(new Map(), overlay)
    },
    ...queries,
    ...reading,
    prepare: (checkpoint, loads) => {
      settle()
      return deltaOf({ tables, confirmed, scopes, ...reading }, checkpoint, loads)
    },
    commit,
    rest: () => rest,
    settle,
    put,
    restore,
    show: (layer) => change([layer], () => merge(overlay, layer)),
    nothing: () => {
      settle()
      const layer: Layer = new Map()
      for (const table of tables.values()) clear(table, layer)
      return { layer, scopes: noScopes, cursor: null }
    },
    forgetCursor: () => {
      cursor = null
      queries.followStates()
    },
  }
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
