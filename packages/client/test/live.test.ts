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
import { createClock, createRandom } from './world.ts'

const schema = defineSchema({
  items: table({
    id: text().primaryKey(),
    kind: text().index(),
    rank: integer(),
    amount: bigint().nullable(),
    ratio: float().nullable(),
    price: numeric().nullable(),
    data: bytes().nullable(),
  }),
})
const definition = tableOf(schema, 'items')

function setUp() {
  Object.assign(counters, { visited: 0, setUp: 0 })
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

  test('when rows come from the disk after a limited query has looked at the table again', () => {
    const { store, show } = setUp()
    const live = store.live(query.orderBy('rank').limit(5).definition)
    live.subscribe(() => {})
    const rows = Array.from({ length: 3_000 }, (_, at) => item(`i${at}`, 'a', at * 2))
    show(...rows)
    const before = counters.setUp
    // The slack behind the limit is used up.
    for (const { id } of rows.slice(0, 1_100)) show({ id })
    expect(counters.setUp).toBeGreaterThan(before)
    expect(live.result().rows).toEqual(rows.slice(1_100, 1_105))
    const read = Array.from({ length: 100 }, (_, at) => item(`d${at}`, 'a', at * 2 + 1))
    store.restore({ ...store.nothing(), layer: new Map([['items', new Map(read.map((row) => [String(row.id), row]))]]) })
    store.startAnew()
    expect(live.result().rows).toEqual(scratch([...rows.slice(1_100), ...read], query.orderBy('rank').limit(5).definition))
  })

  test.each([1, 2, 3, 4, 5, 6])('when a limited result loses more rows than it keeps behind its limit, again and again: seed %i', (seed) => {
    const random = createRandom(seed)
    const { store, show } = setUp()
    const rows = new Map<string, Row>()
    const put = (row: Row) => {
      if (row.kind === undefined) rows.delete(String(row.id))
      else rows.set(String(row.id), row)
      return row
    }
    const definition = query.where({ kind: 'a' }).orderBy('rank').limit(3).definition
    const live = store.live(definition)
    live.subscribe(() => {})
    const fresh = () => put(item(`i${rows.size}-${random()}`, random() < 0.9 ? 'a' : 'b', Math.floor(random() * 1_000)))
    show(...Array.from({ length: 4_000 }, fresh))
    const before = counters.setUp
    for (let batch = 0; batch < 12; batch++) {
      const inOrder = scratch(rows.values(), { ...definition, limit: null })
      const gone = inOrder.slice(0, Math.floor(random() * 700)).map(({ id }) => put({ id }))
      const moved = inOrder.slice(700, 700 + Math.floor(random() * 20)).map((row) => put({ ...row, rank: Math.floor(random() * 1_000) }))
      show(...gone, ...moved, ...Array.from({ length: Math.floor(random() * 30) }, fresh))
      expect(live.result().rows).toEqual(scratch(rows.values(), definition))
    }
    expect(counters.setUp).toBeGreaterThan(before)
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
    const live = store.live(
      query
        .where({ kind: startsWith('b') })
        .orderBy('rank')
        .limit(20).definition,
    )
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
    const pops = Array.from({ length: 900 }, () => visited(() => show({ id: String(live.result().rows[0]?.id) })))
    return {
      insert,
      beyond,
      update,
      remove,
      pops,
      setUpVisits,
      again: counters.setUp - setUpVisits,
      pop: () => show({ id: String(live.result().rows[0]?.id) }),
    }
  }

  test('is the same at 12,000 and at 100,000 rows: insert, update, delete, and taking the first row away again and again', () => {
    const [small, large] = [visits(12_000), visits(100_000)]
    expect({ ...large, setUpVisits: 0, pop: 0 }).toEqual({ ...small, setUpVisits: 0, pop: 0 })
    expect(large.insert).toBe(1)
    expect(Math.max(...large.pops)).toBe(1)
    expect([large.setUpVisits, large.again]).toEqual([100_000, 0])
  })

  test('is one pass over the table for every thousand rows that leave a limited result', () => {
    const { pop, setUpVisits } = visits(100_000)
    const before = counters.setUp
    for (let i = 0; i < 2_000; i++) pop()
    expect(counters.setUp - before).toBeLessThanOrEqual(2 * setUpVisits)
    expect(counters.setUp - before).toBeGreaterThan(0)
  })

  test('a question that names the key looks at one row', () => {
    const { store, show } = setUp()
    show(...Array.from({ length: 1_000 }, (_, at) => item(`i${at}`)))
    expect(store.ask(query.where({ id: 'i7' }).definition)).toHaveLength(1)
    expect(counters.setUp).toBe(1)
  })
})

describe('a thousand live queries at once', () => {
  const thousand = Array.from({ length: 1_000 }, (_, at) => `k${at}`)
  /** By a column that rows are looked up by. */
  function open() {
    const { store, show } = setUp()
    show(...thousand.flatMap((kind) => Array.from({ length: 10 }, (_, at) => item(`${kind}-${at}`, kind, at))))
    const told = new Map<string, number>()
    for (const kind of thousand)
      store.live(query.where({ kind }).orderBy('rank').limit(5).definition).subscribe(() => told.set(kind, (told.get(kind) ?? 0) + 1))
    return { store, show, told }
  }

  test('are set up by looking at their own rows alone', () => {
    open()
    // What is not confirmed is looked through for each; these rows are all an overlay.
    expect(counters.setUp).toBe(10_000)
  })

  test('cost a change no more than those that it concerns', () => {
    const { show, told } = open()
    const before = counters.visited
    show(item('k7-0', 'k7', 3))
    expect([...told.keys()]).toEqual(['k7'])
    // As it was, and as it is.
    expect(counters.visited - before).toBe(2)
    show(item('k7-1', 'k8', 0))
    expect([...told.keys()].toSorted()).toEqual(['k7', 'k8'])
    expect(counters.visited - before).toBe(2 + 4)
  })

  test('hear of a burst of ten thousand changes once each, and look at each change as often as it concerns one of them', () => {
    const { show, told } = open()
    const before = counters.visited
    show(...thousand.flatMap((kind) => Array.from({ length: 10 }, (_, at) => item(`${kind}-${at}`, kind, 100 - at))))
    expect([told.size, Math.max(...told.values())]).toEqual([1_000, 1])
    expect(counters.visited - before).toBe(20_000)
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
