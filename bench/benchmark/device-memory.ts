// What a device's rows take in memory when a first load has landed, as objects and packed, and what is used of it then: one row by its key, fifty in
// an order; and when all of them were handed out once, and let go of. The limit is the JSON of the rows. 100,000 rows; HEADWATER_BENCH_ROWS=1000000 HEADWATER_BENCH_MINUTES=10 for a million.
import { packedRows } from '@headwater/client'
import { decodeDown } from '@headwater/protocol'
import { createStore, type Store } from '../../packages/client/src/store/store.ts'
import { itemId, itemOf, person, schema } from '../app.ts'
import type { Figure } from '../figure.ts'

const rows = Number(process.env.HEADWATER_BENCH_ROWS ?? 100_000)
const piece = 820
const megabyte = 1_048_576
const columns = Object.keys(itemOf(1))
const clock = { now: () => Date.now(), timer: () => () => {} }
const report = (error: unknown) => {
  throw error
}

export const deviceMemory = async (): Promise<readonly Figure[]> => [
  await measured('as objects', false, use),
  await measured('packed', true, use),
  await measured('packed, once all were handed out', true, handOut),
]

async function measured(how: string, isPacked: boolean, use: (store: Store) => void): Promise<Figure> {
  const before = await used()
  const option = isPacked ? packedRows() : undefined
  const plain = createStore({ schema, clock, report, stateOf: () => 'complete', rows: option })
  const store = option?.wrap(plain, () => 0, report) ?? plain
  const characters = load(store)
  use(store)
  const value = ((await used()) - before) / megabyte
  // Until here nothing of it may go.
  if (store.tables.get('items')?.rows.size !== rows) throw new Error('The device lacks rows.')
  return { name: `device memory of its rows, ${how}`, unit: 'MB', value, limit: characters / megabyte }
}

/** Answers how long the JSON of all rows is. */
function load(store: Store): number {
  store.setColumns(new Map([['items', columns]]))
  let characters = 0
  for (let from = 1; from <= rows; from += piece) {
    const tuples = Array.from({ length: Math.min(piece, rows + 1 - from) }, (_, at) => Object.values(itemOf(from + at)))
    const frame = JSON.stringify({ type: 'load', load: 0, table: 'items', rows: tuples })
    characters += frame.length
    const message = decodeDown(frame)
    if (message.type === 'load') store.stage(message)
  }
  const none = { granted: [], held: [] }
  const joined = { granted: [`user:${person}`], held: [] }
  const checkpoint = decodeDown(JSON.stringify({ type: 'checkpoint', cursor: '1', replace: true, loads: [0], left: none, joined, tables: {}, outcomes: [] }))
  if (checkpoint.type === 'checkpoint') store.commit(store.prepare(checkpoint, store.takeLoads([0])), store.overlay())
  return characters
}

function use(store: Store): void {
  const top = store.ask({ table: 'items', where: { type: 'and', parts: [] }, orderBy: [{ column: 'rank', direction: 'desc' }], limit: 50 })
  const one = store.visible.get('items', itemId(rows / 2))
  if (top[0]?.rank !== rows || one?.rank !== rows / 2) throw new Error('The device has other rows.')
}

function handOut(store: Store): void {
  const all = store.ask({ table: 'items', where: { type: 'and', parts: [] }, orderBy: [], limit: null })
  if (all.length !== rows) throw new Error('The device has other rows.')
}

/** Resident, without what a collection frees: of text and of objects alike. */
async function used(): Promise<number> {
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
