// R5 for everything that can be asked: generated stores, changes and queries, each answer beside one that is worked out from nothing by other means.
// A seed is 40 cases: four queries, ten batches of changes. `QUERIES=5000 npx vitest run --project unit packages/client/test/queries.test.ts` tries as many seeds,
// `SEED=17` begins with that one.
import { describe, expect, test } from 'vitest'
import type { LiveQuery } from '../src/api.ts'
import { avg, count, max, min, sum } from '../src/store/group.ts'
import { type Layer, setIn } from '../src/store/layer.ts'
import { many, one } from '../src/store/related.ts'
import type { Row } from '../src/store/row.ts'
import { createStore } from '../src/store/store.ts'
import { type Asked, type AskedAggregate, type AskedRelated, answer, type Seen } from './generated/answer.ts'
import { count as countOf, keysOf, mixed, pick, queryOf, type Random, rowOf, schema, type Table } from './generated/ask.ts'
import { createClock, createRandom } from './world.ts'

const first = Number(process.env.SEED ?? 1)
const seeds = Number(process.env.QUERIES ?? 200)
const tables: readonly Table[] = ['lists', 'things']
const batches = 10

describe('R5: a live query equals the same query worked out from nothing', () => {
  test(`after every batch, of ${seeds} seeds from ${first} on: rows, related rows and aggregates, with and without an overlay`, {
    timeout: Math.max(60_000, seeds * 300),
  }, () => {
    for (let seed = first; seed < first + seeds; seed++) {
      try {
        run(seed)
      } catch (error) {
        throw new Error(`Seed ${seed} fails: SEED=${seed} QUERIES=1.`, { cause: error })
      }
    }
  })
})

function run(seed: number): void {
  const random = createRandom(seed)
  const model = createModel(random)
  const lives = Array.from({ length: 4 }, () => {
    const asked = askedOf(random)
    const live = model.store.live({ ...asked.definition, ...planOf(asked) })
    // Some are there before the first row.
    return { asked, live, told: 0, since: random() < 0.5 ? 0 : 2 }
  })
  for (let batch = 0; batch < batches; batch++) {
    for (const one of lives) if (batch === one.since) one.live.subscribe(() => one.told++)
    const before = lives.map(({ live }) => live.result())
    for (const one of lives) one.told = 0
    const isAnew = model.change() === 'anew'
    for (const [at, { asked, live, told, since }] of lives.entries())
      judge(model.seen(), asked, live, isAnew ? [] : (before[at]?.rows ?? []), batch >= since && !isAnew ? told : null)
  }
  expect(model.errors).toEqual([])
}

/** The answer is right, its array and its rows are those of before where they are equal, and subscribers heard exactly of what changed. */
function judge(seen: Seen, asked: Asked, live: LiveQuery<Row>, before: readonly Row[], told: number | null): void {
  const { rows } = live.result()
  expect(rows).toEqual(answer(seen, asked))
  const nameOf = (row: Row) => JSON.stringify(asked.by ? asked.by.map((column) => [typeof row[column], String(row[column])]) : row.id)
  const known = new Map(before.map((row) => [nameOf(row), row]))
  for (const row of rows) {
    const was = known.get(nameOf(row))
    if (!was) continue
    if (isSame(was, row)) expect(row).toBe(was)
    for (const { name } of asked.related ?? []) if (isSame(was[name], row[name])) expect(row[name]).toBe(was[name])
  }
  if (told === null) return
  const isUnchanged = rows.length === before.length && rows.every((row, at) => row === before[at])
  expect(rows === before).toBe(isUnchanged)
  expect(told).toBe(isUnchanged ? 0 : 1)
}

function isSame(a: unknown, b: unknown): boolean {
  try {
    expect(a).toEqual(b)
    return true
  } catch {
    return false
  }
}

const aggregatesOf: readonly (readonly [kind: keyof typeof makers, columns: readonly string[]])[] = [
  ['count', ['words', 'listId', 'extra']],
  ['sum', ['whole', 'large', 'exact', 'ratio']],
  ['avg', ['whole', 'ratio']],
  ['min', ['words', 'whole', 'exact', 'time', 'state', 'tags']],
  ['max', ['words', 'large', 'ratio', 'day', 'isOpen', 'data']],
]
const makers = { count, sum, min, max, avg }

function askedOf(random: Random): Asked {
  const what = random()
  const definition = queryOf(random, what < 0.6 ? pick(random, tables) : what < 0.8 ? 'lists' : 'things')
  if (what < 0.3) return { definition }
  if (what < 0.6) return relatedAsked(random, definition)
  const aggregates = Array.from({ length: 1 + countOf(random, 2) }, (_, at): AskedAggregate => {
    const [kind, columns] = pick(random, aggregatesOf)
    return { name: `a${at}`, kind, column: random() < 0.3 && kind === 'count' ? null : pick(random, columns) }
  })
  const by = [...new Set(Array.from({ length: countOf(random, 2) }, () => pick(random, ['kind', 'listId', 'isOpen', 'large', 'state', 'day'])))]
  const orderBy = by.filter(() => random() < 0.3).map((column) => ({ column, direction: 'desc' as const }))
  return { definition: { ...queryOf(random, 'things'), orderBy }, aggregates, by }
}

function relatedAsked(random: Random, definition: Asked['definition']): Asked {
  const children: AskedRelated = { name: 'children', isMany: true, column: 'listId', query: queryOf(random, 'things') }
  const list: AskedRelated = { name: 'list', isMany: false, column: 'listId', query: { ...queryOf(random, 'lists'), limit: null } }
  return { definition, related: definition.table === 'lists' ? [children] : [list] }
}

function planOf({ related, aggregates, by = [] }: Asked) {
  if (!related && !aggregates) return {}
  const asked = (query: AskedRelated['query']) => ({ definition: query, all: (): readonly Row[] => [] })
  const parts: Readonly<Record<string, object>> = Object.fromEntries([
    ...(related ?? []).map(({ name, isMany, column, query }) => [name, isMany ? many(asked(query), column) : one(asked(query), column)] as const),
    ...(aggregates ?? []).map(({ name, kind, column }) => [name, makers[kind as keyof typeof makers](column as string)] as const),
  ])
  return { plan: { ...Object.values(parts)[0], parts, by } }
}

/** What happens to a store: a batch, or rows from a disk, after which every query is answered anew. */
type Happened = 'batch' | 'anew'

/** A store, and beside it what it should show. */
function createModel(random: Random) {
  const errors: unknown[] = []
  const store = createStore({ schema, clock: createClock(), report: (error) => errors.push(error), stateOf: () => 'complete' })
  const confirmed = { lists: new Map<string, Row>(), things: new Map<string, Row>() }
  let overlay = { lists: new Map<string, Row | null>(), things: new Map<string, Row | null>() }

  const seen = (): Seen => {
    const of = (name: Table) => [...new Map<string, Row | null>([...confirmed[name], ...overlay[name]]).values()].filter((row) => row !== null)
    return { lists: of('lists'), things: of('things') }
  }

  /** Some rows, and what becomes of each. */
  function layerOf(max: number): Layer {
    const layer: Layer = new Map()
    for (let i = 1 + countOf(random, max); i > 0; i--) {
      const name = pick(random, ['lists', 'things', 'things', 'things'] as const)
      const key = pick(random, keysOf[name])
      const row = store.visible.get(name, key)
      const next = rowOf(random, name, key)
      setIn(layer, name, key, random() < 0.25 ? null : row && random() < 0.6 ? mixed(random, row, next) : next)
    }
    return layer
  }
  const copy = (layer: Layer): typeof overlay => ({ lists: new Map(layer.get('lists')), things: new Map(layer.get('things')) })
  const settle = (layer: Layer) => {
    for (const name of tables)
      for (const [key, row] of layer.get(name) ?? []) {
        if (row) confirmed[name].set(key, row)
        else confirmed[name].delete(key)
      }
  }

  return {
    store,
    errors,
    seen,
    change: (): Happened => {
      const what = random()
      // Most batches are small; now and then one changes nearly everything.
      const layer = layerOf(random() < 0.15 ? 60 : 4)
      if (what < 0.35) {
        for (const name of tables) for (const [key, row] of layer.get(name) ?? []) overlay[name].set(key, row)
        store.show(layer)
        return 'batch'
      }
      if (what < 0.45) {
        settle(layer)
        store.restore({ ...store.nothing(), layer })
        store.startAnew()
        return 'anew'
      }
      // A checkpoint, with an overlay of another kind above it: none, less, or other rows.
      const next: Layer =
        what < 0.7 ? new Map() : what < 0.85 ? layerOf(2) : new Map([...store.overlay()].map(([name, rows]) => [name, new Map([...rows].slice(1))]))
      settle(layer)
      overlay = copy(next)
      store.commit({ ...store.nothing(), layer }, next)
      return 'batch'
    },
  }
}
