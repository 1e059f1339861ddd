// A checkpoint of many rows, made ready in turns between which frames are drawn: fetched when the first comes.
// Invariant: until it is committed nothing of it is seen, and then all of it at once. What is called meanwhile shows above the rows of before, and then above these.
import type { Checkpoint, Load } from '@headwater/protocol'
import type { Clock } from '../ports.ts'
import type { Batch } from './change.ts'
import { type Base, type Delta, deltaOf, type StoredTable } from './delta.ts'
import { type Filling, fillingOf } from './filling.ts'
import { type Layer, setIn } from './layer.ts'
import type { Active } from './live.ts'
import { inPieces, piecesOf } from './pieces.ts'
import { createRoutes, type Routes } from './routes.ts'
import { areEqualRows, keyOfRow, type Row } from './row.ts'
import { concerns } from './scopes.ts'
import type { Store } from './store.ts'

/** A frame of a screen has sixteen milliseconds, and others need some of them. */
const turnMs = 4
/** A page that nobody looks at runs its timers once a second: it draws no frames, and what is left is done in one turn. */
const lateMs = 500

export interface Ready {
  /** What was made ready, to be committed now; null where that would not be right any more. `pending`: how many mutations would run again. */
  delta(pending: number): Delta | null
  /** Puts the rows in their place, once they are committed. */
  settle(): Promise<void>
}

export async function inTurns(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  checkpoint: Checkpoint,
  loads: readonly Load[],
): Promise<Ready> {
  const [cursor, scopes] = [store.cursor(), store.scopes()]
  const turns = createTurns(clock)
  store.settle()
  const taken = store.take?.(checkpoint, loads)
  const others = loads.filter(({ table }) => !taken?.has(table))
  // It has no table to take rows from.
  const delta = deltaOf({ ...baseOf(store), tables: new Map() }, checkpoint, [])
  await inSteps(prepare(store, delta, checkpoint, others), turns)
  await inSteps(keepEqual(store, delta.layer), turns)
  const touched = new Set([...[...delta.layer].flatMap(([name, rows]) => (rows.size > 0 ? [name] : [])), ...(taken?.keys() ?? [])])
  const isConcerned = ({ follows }: Active) => follows.some(({ table }) => touched.has(table))
  const fillings = new Map([...store.active].filter(isConcerned).map((query) => [query, fillingOf(query.window)]))
  const routes = createRoutes<Active>()
  for (const query of fillings.keys()) routes.change(query, 'add')
  for (const table of ownTables(store, fillings.keys()))
    await inSteps(fill({ ...table, rows: taken?.get(table.name) ?? table.rows }, delta.layer.get(table.name), { fillings, routes }), turns)
  await inSteps(gather(fillings.values()), turns)

  function renew(): readonly Active[] {
    const above = routes.concerned(aboveOf(store))
    const renewed = [...store.active].filter(isConcerned)
    for (const query of renewed) {
      const filling = fillings.get(query)
      // Somebody began to follow it meanwhile.
      if (filling) filling.end(above.get(query) ?? new Map())
      else query.window.fill()
    }
    return renewed
  }

  const ready = { ...delta, ...(taken && { taken }), renew }
  return {
    delta: (pending) => {
      const isLevel = store.cursor() === cursor && store.scopes() === scopes
      // Mutators would not find rows that are taken as they lie.
      return isLevel && !(taken?.size && pending > 0) ? ready : null
    },
    settle: () => inSteps(putAll(store, delta.layer), turns),
  }
}

const baseOf = ({ tables, confirmed, scopes, decode }: Store): Base => ({ tables, confirmed, scopes: scopes(), decode })

/** The checkpoint's changes of rows, into the layer of the delta: what goes with scopes, what the loads bring, and what else there is. */
function* prepare(store: Store, { layer, scopes }: Delta, checkpoint: Checkpoint, loads: readonly Load[]): Iterable<void> {
  const base = baseOf(store)
  const leaves = { ...checkpoint, replace: false, tables: new Map() }
  const losing = [...store.tables.values()].filter(({ definition }) => checkpoint.replace || concerns(definition, checkpoint))
  for (const { name, definition, rows } of losing)
    for (const keys of inPieces([...rows.keys()])) {
      const piece = new Map<string, Row>()
      for (const key of keys) {
        const row = rows.get(key)
        if (row) piece.set(key, row)
      }
      if (checkpoint.replace) for (const key of keys) setIn(layer, name, key, null)
      else deltaOf({ ...base, tables: new Map([[name, { name, definition, rows: piece }]]) }, leaves, [], layer)
      yield
    }
  // Scopes are what they will be.
  const after = { ...base, scopes }
  const changes = { ...leaves, left: none, joined: none, grants: null, more: null }
  for (const load of loads) yield void deltaOf(after, changes, [load], layer)
  yield void deltaOf(after, { ...changes, tables: checkpoint.tables }, [], layer)
}

const none = { granted: [], held: [] }

interface Turns {
  /** It is time that others run. */
  isOver(): boolean
  /** Resolves when they have. */
  next(): Promise<void>
}

export function createTurns(clock: Clock): Turns {
  let [sinceMs, isSeen] = [clock.now(), true]
  return {
    isOver: () => isSeen && clock.now() - sinceMs >= turnMs,
    next: async () => {
      const askedMs = clock.now()
      await new Promise<void>((resolve) => clock.timer(0, resolve))
      sinceMs = clock.now()
      isSeen = sinceMs - askedMs < lateMs
    },
  }
}

export async function inSteps(steps: Iterable<void>, turns: Turns): Promise<void> {
  for (const _ of steps) if (turns.isOver()) await turns.next()
}

/** A row that comes to the same as the one that is here stays the object that it is. */
function* keepEqual(store: Store, layer: Layer): Iterable<void> {
  for (const [name, rows] of layer)
    for (const piece of inPieces(rows)) {
      for (const [key, row] of piece) {
        const before = row && store.visible.get(name, key)
        if (!before || !areEqualRows(before, row)) continue
        if (before === store.confirmed.get(name, key)) rows.delete(key)
        else rows.set(key, before)
      }
      yield
    }
}

/** The tables of whose rows the queries are, and not those of related ones. */
function ownTables({ tables }: Store, queries: Iterable<Active>): readonly StoredTable[] {
  const names = new Set([...queries].flatMap(({ follows: [own] }) => own?.table ?? []))
  return [...tables.values()].filter(({ name }) => names.has(name))
}

interface Followed {
  readonly fillings: ReadonlyMap<Active, Filling>
  readonly routes: Routes<Active>
}

/** Hands all rows that a table will have to those who want them, each with no more than all of them look at. */
function* fill({ name, definition, rows }: StoredTable, above: ReadonlyMap<string, Row | null> | undefined, { fillings, routes }: Followed): Iterable<void> {
  const asked = [...fillings].flatMap(([{ follows }, filling]) => (follows[0]?.table === name ? [filling.asked] : []))
  for (const piece of piecesOf(rows, asked)) {
    hand(above?.size ? piece.filter((row) => !above.has(keyOfRow(definition, row))) : piece)
    yield
  }
  for (const piece of inPieces(above ?? [])) {
    hand(piece.flatMap(([, row]) => (row ? [row] : [])))
    yield
  }

  function hand(piece: readonly Row[]): void {
    const batch = new Map([[name, piece.map((after) => ({ before: null, after }))]])
    for (const [query, own] of routes.concerned(batch)) {
      const filling = query.follows[0]?.table === name ? fillings.get(query) : undefined
      if (filling) for (const { after } of own.get(name) ?? []) if (after) filling.add(after)
    }
  }
}

/** What pending mutations show above the rows. */
function aboveOf({ overlay, confirmed }: Store): Batch {
  return new Map(
    [...overlay()].map(([name, rows]) => {
      const changes = [...rows].map(([key, after]) => ({ before: confirmed.get(name, key) ?? null, after }))
      return [name, changes.filter(({ before, after }) => before !== after)]
    }),
  )
}

function* gather(fillings: Iterable<Filling>): Iterable<void> {
  for (const { gather } of fillings) yield gather()
}

function* putAll(store: Store, layer: Layer): Iterable<void> {
  for (const [name, rows] of layer)
    for (const piece of inPieces(rows)) {
      // Somebody had to have all of it at once.
      if (store.rest() !== layer) return
      store.put(name, new Map(piece))
      for (const [key] of piece) rows.delete(key)
      yield
    }
}
