// What a page of the benchmarks can be asked, as globals. The store lies in IndexedDB; the server is the page's own.
import { createClient, lastScreen, packedRows } from '@headwater/client'
import { diskName } from '../packages/client/src/address.ts'
import { openIndexedDbDisk } from '../packages/client/src/disk/indexeddb.ts'
import { mutators, person, schema } from './app.ts'
import { type ColdStart, startCold } from './cold-start.ts'
import { pause, untilLive } from './wait.ts'
import { measureWrites, type Writes } from './writes.ts'

const open = () => createClient({ schema, mutators, url: '/', user: person, rows: packedRows() })

/** Fills the store, and leaves it closed. */
async function load(): Promise<void> {
  const device = open()
  await untilLive(device)
  // It writes its log anew, when nobody waits.
  await pause(5_000)
  await device.close()
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

/** From nothing to 50 rows in hand, in one task; `rawMs` is to read and parse the text. */
async function firstPaint(): Promise<{ readonly ms: number; readonly rawMs: number }> {
  const start = performance.now()
  const device = openPainted()
  const { rows } = device.query.items.orderBy('rank', 'desc').limit(50).live().result()
  const ms = performance.now() - start
  if (rows.length !== 50) throw new Error(`${rows.length} rows were painted.`)
  const raw = performance.now()
  JSON.parse(screenText().split('\n').at(-1) ?? '')
  const rawMs = performance.now() - raw
  await device.close()
  return { ms, rawMs }
}

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

Object.assign(globalThis, { load, coldStart, durableWrites, leaveScreen, firstPaint })
