// A checkpoint of many rows that is made ready in turns is what it would be in one go, whatever happens between the turns: nothing of it is seen before its commit, and
// all of it from then on (R2 R5). `TURNS=5000 npx vitest run --project unit packages/client/test/turns.test.ts` tries as many seeds, `SEED=17` begins with that one.
import { type Checkpoint, cursor, type Load, type ScopeKey } from '@headwater/protocol'
import { describe, expect, test } from 'vitest'
import { diskName } from '../src/address.ts'
import type { Clock } from '../src/ports.ts'
import { createEncoder } from '../src/store/encode.ts'
import { type Layer, setIn } from '../src/store/layer.ts'
import { packedRows } from '../src/store/packing.ts'
import type { Row } from '../src/store/row.ts'
import { emptyCheckpoint } from '../src/store/snapshot.ts'
import { createStore, type Store } from '../src/store/store.ts'
import { inTurns } from '../src/store/turns.ts'
import { createFixture, project, titles } from './fixture.ts'
import type { Seen } from './generated/answer.ts'
import { columnsOf, count, keysOf, pick, type Random, rowOf, schema, type Table } from './generated/ask.ts'
import { askedOf, judge, planOf } from './generated/judge.ts'
import { breathe, createRandom } from './world.ts'

const first = Number(process.env.SEED ?? 1)
const seeds = Number(process.env.TURNS ?? 15)
const tables: readonly Table[] = ['lists', 'things']
const scopes = ['l0', 'l1', 'l2', 'l3', 'l4', 'l5', 'a', 'b', 'c'].map((key) => `user:${key}` as ScopeKey)
const wire = new Map(tables.map((name) => [name, columnsOf(name).map(([column]) => column)]))

describe('R2 R5: a checkpoint in turns', () => {
  for (const isPacked of [false, true])
    test(`${seeds} seeds from ${first} on, ${isPacked ? 'packed' : 'as objects'}: with mutations, new queries and reads between the turns`, {
      timeout: Math.max(60_000, seeds * 1_000),
    }, async () => {
      for (let seed = first; seed < first + seeds; seed++) {
        try {
          await run(seed, isPacked)
        } catch (error) {
          throw new Error(`Seed ${seed} fails: SEED=${seed} TURNS=1.`, { cause: error })
        }
      }
    })
})

test('S7: who signs out while a load is made ready leaves nothing, and what was made ready is not written', async () => {
  const fixture = createFixture()
  fixture.peer.put('projects', ...Array.from({ length: 3_000 }, (_, n) => project(`p${n}`)))
  // Each look at the time ends a turn, and the next begins some milliseconds later.
  let looks = 0
  const clock: Clock = { now: () => fixture.clock.now() + 5 * looks++, timer: (ms, run) => fixture.clock.timer(ms || 3, run) }
  const device = fixture.device('ada', '/', { clock })
  const isBetween = () => device.status.get().loading?.rows === 3_000 && titles(device).length === 0
  for (let ms = 0; !isBetween() && ms < 1_000; ms++) await fixture.clock.advance(1)
  expect(isBetween()).toBe(true)
  const wiped = device.wipe()
  await fixture.clock.advance(5_000)
  await wiped
  expect(fixture.disks.records(diskName('ada', 'http://server/'))).toEqual([])
  expect(titles(device)).toEqual([])
})

/** Time goes on with every look at it, so that each step is a turn of its own; what waits for its turn is run by hand. */
function createSteps() {
  let nowMs = 0
  let waiting: (() => void)[] = []
  const clock: Clock = {
    now: () => (nowMs += 5),
    timer: (_, run) => {
      waiting.push(run)
      return () => {
        waiting = waiting.filter((one) => one !== run)
      }
    },
  }
  /** `between` is called before each turn. */
  async function until<T>(work: Promise<T>, between: () => void): Promise<T> {
    let isOver = false
    const end = () => {
      isOver = true
    }
    work.then(end, end)
    for (;;) {
      await breathe()
      if (isOver) return work
      between()
      for (const due of waiting.splice(0)) due()
    }
  }
  return { clock, until }
}

async function run(seed: number, isPacked: boolean): Promise<void> {
  const random = createRandom(seed)
  const { clock, until } = createSteps()
  const errors: unknown[] = []
  const report = (error: unknown) => errors.push(error)
  const open = (): Store => {
    const option = isPacked ? packedRows() : undefined
    const store = createStore({ schema, clock, report, stateOf: () => 'complete', rows: option })
    return option?.wrap(store, () => store.overlay().size, report) ?? store
  }
  // What the one does in turns, the other does in one go.
  const [store, other] = [open(), open()]
  for (const one of [store, other]) {
    one.setColumns(wire)
    one.commit({ layer: new Map(), scopes: { ...one.scopes(), granted: new Set(scopes) }, cursor: cursor('0') }, new Map())
  }
  const lives: { readonly asked: ReturnType<typeof askedOf>; readonly live: ReturnType<Store['live']>; told: number }[] = []
  const follow = () => {
    const asked = askedOf(random)
    const one = { asked, live: store.live({ ...asked.definition, ...planOf(asked) }), told: 0 }
    one.live.subscribe(() => one.told++)
    lives.push(one)
  }
  const judgeAll = (before: readonly (readonly Row[])[], isTold = false) => {
    const seen = seenOf(other)
    for (const [at, { asked, live, told }] of lives.entries()) judge(seen, asked, live, before[at] ?? [], isTold && at < before.length ? told : null)
  }
  const shown = () => lives.map(({ live }) => live.result().rows)

  /** Something that an app does while a checkpoint is made ready, or put in its place. */
  function between(): void {
    const what = random()
    if (what < 0.1 && lives.length < 8) follow()
    else if (what < 0.3) {
      const layer = layerOf(random, 3)
      store.show(layer)
      other.show(layer)
    } else if (what < 0.35) {
      const asked = askedOf(random)
      judge(seenOf(other), asked, store.live({ ...asked.definition, ...planOf(asked) }), [], null)
    }
    judgeAll(shown())
  }

  for (let i = 0; i < 3; i++) follow()
  for (let round = 1; round <= 4; round++) {
    const { checkpoint, loads } = checkpointOf(random, round)
    for (const one of [store, other]) for (const load of loads) one.stage(load)
    const taken = store.takeLoads(checkpoint.loads)
    const ready = await until(inTurns({ store, clock }, checkpoint, taken), between)
    const delta = ready.delta(store.overlay().size)
    expect(delta === null).toBe(isPacked && store.overlay().size > 0 && delta === null)
    const next = random() < 0.5 ? copyOf(store.overlay()) : layerOf(random, 2)
    const before = shown()
    for (const one of lives) one.told = 0
    store.commit(delta ?? store.prepare(checkpoint, taken), next)
    other.commit(other.prepare(checkpoint, other.takeLoads(checkpoint.loads)), copyOf(next))
    judgeAll(before, true)
    if (random() < 0.2) store.settle()
    await until(ready.settle(), between)
    judgeAll(shown())
    for (const name of tables) expect(rowsOf(store, name)).toEqual(rowsOf(other, name))
    expect(store.rest().size === 0 || [...store.rest().values()].every(({ size }) => size === 0)).toBe(true)
  }
  expect(errors).toEqual([])
}

/** Nearly everything changes: scopes go and come, rows come in pieces, go, and change beside them. */
function checkpointOf(random: Random, round: number): { readonly checkpoint: Checkpoint; readonly loads: readonly Load[] } {
  const layer = layerOf(random, round === 1 || random() < 0.5 ? 80 : 10)
  const left = random() < 0.4 ? scopes.filter(() => random() < 0.3) : []
  const pieces = tables.flatMap((name) => {
    const encode = createEncoder(schema.definitions[name] as never, wire.get(name) ?? [])
    const rows = [...(layer.get(name) ?? [])].flatMap(([, row]) => (row ? [encode(row)] : []))
    const at = count(random, rows.length)
    return [rows.slice(0, at), rows.slice(at)].map(
      (some): Load => ({ type: 'load', load: round, table: name, rows: some, columns: null, mark: null, total: null }),
    )
  })
  const gone = (name: Table) => [...(layer.get(name) ?? [])].flatMap(([key, row]) => (row ? [] : [[key]]))
  const changes = tables.map((name) => [name, { cleared: random() < 0.05, gone: gone(name), put: [], parts: null }] as const)
  const checkpoint = {
    ...emptyCheckpoint(cursor(String(round))),
    replace: random() < 0.15,
    loads: [round],
    left: { granted: left, held: [] },
    // What is replaced, and some of what was left, is had again.
    joined: { granted: scopes.filter((scope) => !left.includes(scope) || random() < 0.5), held: [] },
    tables: new Map(changes),
  }
  return { checkpoint, loads: pieces }
}

function layerOf(random: Random, max: number): Layer {
  const layer: Layer = new Map()
  for (let i = 1 + count(random, max); i > 0; i--) {
    const name = pick(random, ['lists', 'things', 'things', 'things'] as const)
    const key = pick(random, keysOf[name])
    setIn(layer, name, key, random() < 0.2 ? null : rowOf(random, name, key))
  }
  return layer
}

const copyOf = (layer: Layer): Layer => new Map([...layer].map(([name, rows]) => [name, new Map(rows)]))

function rowsOf({ visible }: Store, name: Table): readonly Row[] {
  const rows: Row[] = []
  visible.each(name, (row) => rows.push(row))
  return rows.sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1))
}

const seenOf = (store: Store): Seen => ({ lists: rowsOf(store, 'lists'), things: rowsOf(store, 'things') })
