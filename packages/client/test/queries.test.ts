// R5 for everything that can be asked: generated stores, changes and queries, each answer beside one that is worked out from nothing by other means.
// A seed is 40 cases: four queries, ten batches of changes. `QUERIES=5000 npx vitest run --project unit packages/client/test/queries.test.ts` tries as many seeds,
// `SEED=17` begins with that one.
import { describe, expect, test } from 'vitest'
import { type Layer, setIn } from '../src/store/layer.ts'
import type { Row } from '../src/store/row.ts'
import { createStore } from '../src/store/store.ts'
import type { Seen } from './generated/answer.ts'
import { count as countOf, keysOf, mixed, pick, type Random, rowOf, schema, type Table } from './generated/ask.ts'
import { askedOf, judge, planOf } from './generated/judge.ts'
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
