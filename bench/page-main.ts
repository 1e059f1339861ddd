// What a page of the benchmarks can be asked, as globals. The store lies in IndexedDB; the server is the page's own.
import { createClient, lastScreen, packedRows } from '@headwater/client'
import { diskName } from '../packages/client/src/address.ts'
import { openIndexedDbDisk } from '../packages/client/src/disk/indexeddb.ts'
import { itemId, itemOf, mutators, person, schema } from './app.ts'
import { type ColdStart, startCold } from './cold-start.ts'
import { pause, untilLive } from './wait.ts'
import { measureWrites, type Writes } from './writes.ts'

const open = () => createClient({ schema, mutators, url: '/', user: person, rows: packedRows() })

/** Answers, when it is stopped, for how many milliseconds at most nothing else could run: a message that the page sends itself comes back as soon as it is free. */
function heartbeat(): () => number {
  const { port1, port2 } = new MessageChannel()
  let [last, longest] = [performance.now(), 0]
  port1.onmessage = () => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    port2.postMessage(null)
  }
  port2.postMessage(null)
  return () => {
    port1.close()
    return Math.max(longest, performance.now() - last)
  }
}

/** Fills the store while a list of 50 rows follows it, and leaves it closed. */
async function load(): Promise<Pick<Frames, 'loadMs' | 'anewMs'>> {
  const device = open()
  await device.ready
  const top = device.query.items.orderBy('rank', 'desc').limit(50).live()
  top.subscribe(() => {})
  let stop = heartbeat()
  await untilLive(device)
  const loadMs = stop()
  stop = heartbeat()
  // It writes its log anew, when nobody waits.
  await pause(5_000)
  const anewMs = stop()
  await device.close()
  return { loadMs, anewMs }
}

/** The longest task of each, in milliseconds. `idleMs`: of a page that does nothing for as long as a store is written anew, which is what the machine adds. */
export interface Frames {
  readonly loadMs: number
  readonly anewMs: number
  readonly openMs: number
  readonly idleMs: number
}

async function opening(): Promise<Pick<Frames, 'openMs' | 'idleMs'>> {
  let stop = heartbeat()
  await pause(5_000)
  const idleMs = stop()
  stop = heartbeat()
  const device = open()
  device.query.items
    .orderBy('rank', 'desc')
    .limit(50)
    .live()
    .subscribe(() => {})
  await untilLive(device)
  await pause(200)
  const openMs = stop()
  await device.close()
  return { openMs, idleMs }
}

async function coldStart(): Promise<ColdStart> {
  const { firstMs, allMs, device } = await startCold(open)
  await device.close()
  const start = performance.now()
  const disk = await openIndexedDbDisk(diskName(person, '/'))
  await disk.read()
  const rawMs = performance.now() - start
  await disk.close()
  return { firstMs, allMs, rawMs }
}

const openPainted = () => createClient({ schema, mutators, url: '/', user: person, rows: packedRows(), firstPaint: lastScreen() })
const screenText = () => localStorage.getItem('headwater-screen /') ?? ''

/** Shows 50 rows until they are on the last screen. */
async function leaveScreen(): Promise<void> {
  const device = openPainted()
  device.query.items
    .orderBy('rank', 'desc')
    .limit(50)
    .live()
    .subscribe(() => {})
  while (!screenText().includes('"id"')) await pause(100)
  await device.close()
}

/** From nothing to a live query's result in hand, in one task: 50 rows, or none. */
async function paint(start: () => ReturnType<typeof open>, count: number): Promise<number> {
  const from = performance.now()
  const device = start()
  const { rows } = device.query.items.orderBy('rank', 'desc').limit(50).live().result()
  const ms = performance.now() - from
  if (rows.length !== count) throw new Error(`${rows.length} rows were painted.`)
  await device.close()
  return ms
}
const firstPaint = () => paint(openPainted, 50)
/** The same without it, and the text alone: a page that has not asked localStorage before waits for the browser. */
const noPaint = () =>
  paint(() => {
    JSON.parse(screenText().split('\n').at(-1) ?? '')
    return open()
  }, 0)

/** The raw append is a transaction of one record, as strict as the device's own. */
async function durableWrites(): Promise<Writes> {
  const device = open()
  await untilLive(device)
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open('limit', 1)
    request.onupgradeneeded = () => request.result.createObjectStore('records')
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
  let key = 0
  const writes = await measureWrites(
    device,
    (text) =>
      new Promise((resolve, reject) => {
        const transaction = database.transaction('records', 'readwrite', { durability: 'strict' })
        transaction.objectStore('records').add(text, key++)
        transaction.oncomplete = () => resolve()
        transaction.onabort = () => reject(transaction.error)
      }),
  )
  database.close()
  await device.close()
  return writes
}

/** 100,000 rows by mutations of 500 each, until all are on the disk: as when a person without a network moves in with a file. */
async function bulkInsert(): Promise<number> {
  const device = createClient({ schema, mutators, url: 'http://127.0.0.1:1', user: person })
  await device.ready
  const pieces = Array.from({ length: 200 }, (_, i) => Array.from({ length: 500 }, (__, j) => itemOf(1 + i * 500 + j)))
  const start = performance.now()
  await Promise.all(pieces.map((items) => device.mutate.importItems({ items }).saved))
  const ms = performance.now() - start
  await device.wipe()
  return ms
}

/** One row of the 50 that a live query shows is changed, until it has said so; in milliseconds. */
async function localWrites(): Promise<readonly number[]> {
  const device = open()
  await untilLive(device)
  const live = device.query.items.orderBy('rank', 'desc').limit(50).live()
  let shownAt = 0
  live.subscribe(() => {
    shownAt = performance.now()
  })
  const times: number[] = []
  for (let round = -20; round < 200; round++) {
    const start = performance.now()
    device.mutate.items.update({ id: itemId(100_000), title: `Shown ${round}` })
    while (shownAt < start) await Promise.resolve()
    if (round >= 0) times.push(shownAt - start)
    await pause(4)
  }
  await device.close()
  return times
}

Object.assign(globalThis, { load, coldStart, durableWrites, opening, leaveScreen, firstPaint, noPaint, bulkInsert, localWrites })
