import {
  bigint,
  bytes,
  compareRows,
  compile,
  type Direction,
  defineSchema,
  float,
  fullOrder,
  gt,
  integer,
  ne,
  numeric,
  oneOf,
  type QueryDefinition,
  queryOf,
  startsWith,
  table,
  tableOf,
  text,
} from '@headwater/schema'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { counters } from '../src/store/counters.ts'
import { type Layer, setIn } from '../src/store/layer.ts'
import type { Row } from '../src/store/row.ts'
import { createStore } from '../src/store/store.ts'
import { createClock } from './world.ts'

const schema = defineSchema({
  items: table({
    id: text().primaryKey(),
    kind: text(),
    rank: integer(),
    amount: bigint().nullable(),
    ratio: float().nullable(),
    price: numeric().nullable(),
    data: bytes().nullable(),
  }),
})
const definition = tableOf(schema, 'items')

function setUp() {
  Object.assign(counters, { visited: 0, setUp: 0, indexed: 0 })
  const clock = createClock()
  const errors: unknown[] = []
  const store = createStore({ schema, clock, report: (error) => errors.push(error), stateOf: () => 'complete' })
  const show = (...rows: readonly Row[]) => {
    const layer: Layer = new Map()
    for (const row of rows) setIn(layer, 'items', String(row.id), row.kind === undefined ? null : row)
    store.show(layer)
  }
  return { clock, store, show, errors }
}

const item = (id: string, kind = 'a', rank = 0, amount: bigint | null = null): Row => ({ id, kind, rank, amount, ratio: null, price: null, data: null })
const query = queryOf<Row, object>('items', definition, () => ({}))
const scratch = (rows: Iterable<Row>, { where, orderBy, limit }: QueryDefinition) => {
  const evaluate = compile(definition, where)
  return [...rows]
    .filter((row) => evaluate(row) === true)
    .sort(compareRows(definition, fullOrder(definition, orderBy)))
    .slice(0, limit ?? Number.POSITIVE_INFINITY)
}

const rowArbitrary = fc.record({
  id: fc.integer({ min: 0, max: 40 }).map(String),
  kind: fc.constantFrom('a', 'b', 'ab'),
  rank: fc.integer({ min: 0, max: 6 }),
  amount: fc.option(fc.bigInt({ min: -3n, max: 3n })),
})
const changeArbitrary = fc.oneof(
  { weight: 3, arbitrary: rowArbitrary.map((row): Row => ({ ...row, ratio: null, price: null, data: null })) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 40 }).map((id): Row => ({ id: String(id) })) },
)
const questionArbitrary = fc
  .record({
    where: fc.constantFrom(
      {},
      { kind: 'a' },
      { kind: startsWith('a') },
      { rank: gt(2) },
      { amount: ne(null) },
      { amount: 1n },
      { kind: oneOf(['b', 'ab']), rank: ne(0) },
      { id: '7' },
    ),
    order: fc.array(fc.tuple(fc.constantFrom('rank', 'kind', 'amount'), fc.constantFrom<Direction>('asc', 'desc')), { maxLength: 2 }),
    limit: fc.option(fc.constantFrom(0, 1, 2, 5, 33)),
  })
  .map(({ where, order, limit }) => {
    const ordered = order.reduce((asked, [column, direction]) => asked.orderBy(column, direction), query.where(where))
    return (limit === null ? ordered : ordered.limit(limit)).definition
  })

describe('R5: a live query equals the same query run from scratch', () => {
  test('after every batch, whatever is asked and whatever changes, and is told of exactly when it changed', () => {
    fc.assert(
      fc.property(
        fc.array(questionArbitrary, { minLength: 1, maxLength: 4 }),
        fc.array(fc.array(changeArbitrary, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 25 }),
        (questions, batches) => {
          const { store, show, errors } = setUp()
          const rows = new Map<string, Row>()
          const lives = questions.map((one) => {
            const live = store.live(one)
            const seen = { live, question: one, told: 0, before: live.result() }
            live.subscribe(() => seen.told++)
            return seen
          })
          for (const batch of batches) {
            for (const row of batch) {
              if (row.kind === undefined) rows.delete(String(row.id))
              else rows.set(String(row.id), row)
            }
            for (const seen of lives) Object.assign(seen, { told: 0, before: seen.live.result() })
            show(...batch)
            for (const { live, question, told, before } of lives) {
              const result = live.result()
              expect(result.rows).toEqual(scratch(rows.values(), question))
              const isSame = result.rows.length === before.rows.length && result.rows.every((row, at) => row === before.rows[at])
              expect(result === before).toBe(isSame)
              expect(told > 0).toBe(!isSame)
            }
          }
          expect(errors).toEqual([])
        },
      ),
      { numRuns: 600 },
    )
  }, 30_000)

  test('when rows come from the disk after a limited query has made its index', () => {
    const { store, show } = setUp()
    const live = store.live(query.orderBy('rank').limit(5).definition)
    live.subscribe(() => {})
    const rows = Array.from({ length: 100 }, (_, at) => item(`i${at}`, 'a', at * 2))
    show(...rows)
    // The slack behind the limit is used up: from here on there is an index.
    for (const { id } of rows.slice(0, 50)) show({ id })
    expect(counters.indexed).toBeGreaterThan(0)
    const read = Array.from({ length: 100 }, (_, at) => item(`d${at}`, 'a', at * 2 + 1))
    store.restore({ ...store.nothing(), layer: new Map([['items', new Map(read.map((row) => [String(row.id), row]))]]) })
    store.startAnew()
    expect(live.result().rows).toEqual(scratch([...rows.slice(50), ...read], query.orderBy('rank').limit(5).definition))
  })

  test('when most of a long result changes at once', () => {
    const { store, show } = setUp()
    const live = store.live(query.orderBy('rank').definition)
    live.subscribe(() => {})
    const rows = Array.from({ length: 3_000 }, (_, at) => item(`i${at}`, 'a', (at * 7_919) % 1_000))
    show(...rows)
    expect(live.result().rows).toEqual(scratch(rows, query.orderBy('rank').definition))
    const changed = rows.map((row, at) => (at % 3 === 0 ? { id: row.id } : { ...row, rank: Number(row.rank) % 10 }))
    show(...changed)
    expect(live.result().rows).toEqual(
      scratch(
        changed.filter((row) => 'kind' in row),
        query.orderBy('rank').definition,
      ),
    )
  })
})

describe('the cost of following', () => {
  function visits(size: number) {
    const { store, show } = setUp()
    show(...Array.from({ length: size }, (_, at) => item(`i${String(at).padStart(7, '0')}`, at % 10 === 0 ? 'b' : 'a', at)))
    const live = store.live(query.where({ kind: 'b' }).orderBy('rank').limit(20).definition)
    live.subscribe(() => {})
    live.result()
    const setUpVisits = counters.setUp
    const visited = (change: () => void) => {
      const before = counters.visited
      change()
      return counters.visited - before
    }
    const insert = visited(() => show(item('new', 'b', 5)))
    const beyond = visited(() => show(item('newer', 'b', size * 2)))
    const update = visited(() => show(item('new', 'b', 7)))
    const remove = visited(() => show({ id: 'new' }))
    const pops = Array.from({ length: 80 }, () => visited(() => show({ id: String(live.result().rows[0]?.id) })))
    return { insert, beyond, update, remove, pops, setUpVisits, indexed: counters.indexed }
  }

  test('is the same at 1,000 and at 100,000 rows: insert, update, delete, and taking the first row away again and again', () => {
    const [small, large] = [visits(2_000), visits(100_000)]
    expect({ ...large, setUpVisits: 0, indexed: 0 }).toEqual({ ...small, setUpVisits: 0, indexed: 0 })
    expect(large.insert).toBe(1)
    expect(Math.max(...large.pops)).toBeLessThan(600)
    expect(large.setUpVisits).toBe(100_000)
    // Built once, when the slack was used up.
    expect(large.indexed).toBeGreaterThan(99_000)
    expect(large.indexed).toBeLessThan(100_100)
  })

  test('a question that names the key looks at one row', () => {
    const { store, show } = setUp()
    show(...Array.from({ length: 1_000 }, (_, at) => item(`i${at}`)))
    expect(store.ask(query.where({ id: 'i7' }).definition)).toHaveLength(1)
    expect(counters.setUp).toBe(1)
  })
})

describe('a live query', () => {
  test('is shared by equal definitions, with bigints, bytes and infinities in them', () => {
    const { store } = setUp()
    const ask = () => store.live(query.where({ amount: 5n, data: Uint8Array.of(1, 2), ratio: gt(Number.NEGATIVE_INFINITY) }).limit(3).definition)
    expect(ask()).toBe(ask())
    expect(ask()).not.toBe(store.live(query.where({ amount: 6n, data: Uint8Array.of(1, 2), ratio: gt(Number.NEGATIVE_INFINITY) }).limit(3).definition))
  })

  test('rests a macrotask after its last subscriber has gone, and not when one comes back at once', async () => {
    const { store, show, clock } = setUp()
    const live = store.live(query.definition)
    const leave = live.subscribe(() => {})
    leave()
    const leaveAgain = live.subscribe(() => {})
    await clock.advance(1)
    const before = counters.visited
    show(item('a'))
    expect(counters.visited).toBe(before + 1)
    leaveAgain()
    await clock.advance(1)
    show(item('b'))
    expect(counters.visited).toBe(before + 1)
    expect(live.result().rows).toHaveLength(2)
  })

  test('keeps the rows array when it wakes and nothing has changed', async () => {
    const { store, show, clock } = setUp()
    show(item('a'), item('b'))
    const live = store.live(query.definition)
    const { rows } = live.result()
    await clock.advance(1)
    expect(live.result().rows).toBe(rows)
  })

  test('a row that is written again with equal values keeps its object and tells nobody', () => {
    const { store, show } = setUp()
    show(item('a'))
    const live = store.live(query.definition)
    let told = 0
    live.subscribe(() => told++)
    const [row] = live.result().rows
    show(item('a'))
    expect(live.result().rows[0]).toBe(row)
    expect(told).toBe(0)
  })

  test('a subscriber that throws is reported and stops nobody; one that writes is heard', () => {
    const { store, show, errors } = setUp()
    const live = store.live(query.definition)
    const seen: number[] = []
    live.subscribe(() => {
      throw new Error('no')
    })
    live.subscribe(() => {
      seen.push(live.result().rows.length)
      if (live.result().rows.length === 1) show(item('b'))
    })
    show(item('a'))
    expect(seen).toEqual([1, 2])
    expect(errors).toHaveLength(2)
  })
})
