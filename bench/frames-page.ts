// A page that follows three live queries over all rows while they come; it is asked from outside, see benchmark/frames.ts.
import { type Client, count, createClient, packedRows } from '@headwater/client'
import { itemOf, mutators, person, schema } from './app.ts'
import { pause, until, untilLive } from './wait.ts'

let device: Client<typeof schema, typeof mutators> | null = null
const { WebSocket: Socket, fetch: ask } = globalThis
let isCut = false

/** While it is cut off nothing of the page gets out. */
globalThis.WebSocket = class extends Socket {
  constructor(url: string | URL, protocols?: string | string[]) {
    if (isCut) throw new Error('It is cut off.')
    super(url, protocols)
  }
}
globalThis.fetch = (...asked) => (isCut ? Promise.reject(new TypeError('It is cut off.')) : ask(...asked))

const top = (of: NonNullable<typeof device>) => of.query.items.orderBy('rank', 'desc').limit(50)

async function open(isPacked: boolean): Promise<void> {
  device = createClient({ schema, mutators, url: '/', user: person, ...(isPacked && { rows: packedRows() }) })
  top(device)
    .live()
    .subscribe(() => {})
  device.query.items
    .where({ status: 'done' })
    .orderBy('title')
    .limit(20)
    .live()
    .subscribe(() => {})
  device.query.items
    .aggregate({ n: count() })
    .live()
    .subscribe(() => {})
  await (isCut ? device.ready : untilLive(device))
  await pause(100)
}

async function catchUp(): Promise<void> {
  if (!device) throw new Error('It was not opened.')
  isCut = false
  dispatchEvent(new Event('online'))
  const live = top(device).live()
  await until(live, () => live.result().rows[0]?.title.startsWith('Changed') ?? false)
  await untilLive(device)
  await pause(100)
}

/** Frames of loads as they come, each in a task of its own: the least that a device has to do with them. */
async function parse(): Promise<void> {
  const piece = Array.from({ length: 800 }, (_, i) => Object.values(itemOf(i + 1)))
  const frame = JSON.stringify({ type: 'load', load: 0, table: 'items', rows: piece })
  for (let i = 0; i < 125; i++) {
    if (JSON.parse(frame).rows.length !== piece.length) throw new Error('Rows are missing.')
    await pause(1)
  }
}

const cut = () => {
  isCut = true
}
Object.assign(globalThis, { frames: { open, close: () => device?.close(), cut, catchUp, parse, pause } })
