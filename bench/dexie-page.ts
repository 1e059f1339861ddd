// The same in Dexie, for the same page: rows as objects in IndexedDB, with the index that the query asks for.
import Dexie, { liveQuery, type Table } from 'dexie'
import { type Item, itemId, itemOf } from './app.ts'
import { pause } from './wait.ts'

export interface DexieStart {
  readonly firstMs: number
  readonly allMs: number
}

/** Of each write, in milliseconds: until it was on the disk, and until a live query of 50 rows had heard of it. */
export interface DexieWrites {
  readonly saved: readonly number[]
  readonly shown: readonly number[]
}

const rows = 100_000
const rowsPerTransaction = 500

class Store extends Dexie {
  declare readonly items: Table<Item, string>
  constructor() {
    super('dexie', { chromeTransactionDurability: 'strict' })
    this.version(1).stores({ items: 'id, rank' })
  }
}

const top = (store: Store) => store.items.orderBy('rank').reverse().limit(50).toArray()

/** 100,000 rows in transactions of 500, until all are on the disk. */
async function dexieFill(): Promise<number> {
  const store = new Store()
  await store.open()
  const pieces = Array.from({ length: rows / rowsPerTransaction }, (_, i) =>
    Array.from({ length: rowsPerTransaction }, (__, j) => itemOf(1 + i * rowsPerTransaction + j)),
  )
  const start = performance.now()
  for (const piece of pieces) await store.items.bulkAdd(piece)
  const ms = performance.now() - start
  store.close()
  return ms
}

async function dexieStart(): Promise<DexieStart> {
  const start = performance.now()
  const store = new Store()
  const first = await top(store)
  const firstMs = performance.now() - start
  const all = await store.items.toArray()
  const allMs = performance.now() - start
  store.close()
  if (first[0]?.rank !== rows || all.length !== rows) throw new Error(`Dexie has ${all.length} rows.`)
  return { firstMs, allMs }
}

async function dexieWrites(): Promise<DexieWrites> {
  const store = new Store()
  const saved: number[] = []
  const shown: number[] = []
  let heard: (items: readonly Item[]) => void = () => {}
  const following = liveQuery(() => top(store)).subscribe((items) => heard(items))
  for (let round = -20; round < 200; round++) {
    const title = `Changed ${round}`
    const isShown = new Promise<number>((resolve) => {
      heard = (items) => items.some((one) => one.title === title) && resolve(performance.now())
    })
    const start = performance.now()
    await store.items.update(itemId(rows), { title })
    const savedMs = performance.now() - start
    const shownMs = (await isShown) - start
    if (round >= 0) {
      saved.push(savedMs)
      shown.push(shownMs)
    }
    await pause(4)
  }
  following.unsubscribe()
  store.close()
  return { saved, shown }
}

Object.assign(globalThis, { dexieFill, dexieStart, dexieWrites })
