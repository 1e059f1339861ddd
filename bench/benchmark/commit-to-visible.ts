// How long after a commit another device shows it. Two servers on one PostgreSQL, a device on each; the commit is an SQL client's, or the
// other device's mutation. The limit is a NOTIFY that reaches a listening connection, and one frame over a WebSocket.
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer } from 'ws'
import { type BenchClient, itemId } from '../app.ts'
import { type Bed, withDatabase } from '../database.ts'
import { openDevice } from '../device.ts'
import { type Figure, latencies } from '../figure.ts'
import { fillSql } from '../server-app.ts'
import { pause, untilLive } from '../wait.ts'

const rows = 1_000
const warmUps = 20
const rounds = 320
/** Not back to back: a tail that is kept awake need not be woken. */
const paceMs = [4, 19] as const

export const commitToVisible = (): Promise<readonly Figure[]> =>
  withDatabase(async (bed) => {
    await bed.fill(fillSql(rows))
    const devices: BenchClient[] = []
    for (const server of [await bed.startServer(), await bed.startServer()]) devices.push(openDevice(server))
    await Promise.all(devices.map(untilLive))
    // Two servers, two devices.
    const [writer, reader] = devices as [BenchClient, BenchClient]
    const floor = await createFloor(bed)
    const watch = createWatch(reader)
    const sql = bed.connect()
    const update = async (rank: number) => {
      await sql`update items set rank = ${rank} where id = ${itemId(1 + (rank % rows))}`
    }
    const mutate = async (rank: number) => void writer.mutate.items.update({ id: itemId(1 + (rank % rows)), rank })
    const floors: number[] = []
    const updates: { readonly called: number; readonly committed: number }[] = []
    const mutations: number[] = []
    for (let round = -warmUps; round < rounds; round++) {
      const rank = 10_000_000 + (round + warmUps) * 2
      const found = [await floor.measure(), await watch.measure(rank, update), await watch.measure(rank + 1, mutate)] as const
      if (round < 0) continue
      floors.push(found[0])
      updates.push(found[1])
      mutations.push(found[2].called)
    }
    await floor.close()
    for (const device of devices) await device.close()
    return [
      ...latencies(
        'commit to visible, SQL client',
        updates.map(({ committed }) => committed),
        floors,
      ),
      ...latencies(
        'SQL statement called to visible',
        updates.map(({ called }) => called),
        floors,
      ),
      ...latencies('mutation called to visible on another device', mutations, floors),
    ]
  })

/** Shown on the device, since the statement was called and since its commit was acknowledged: 0 if it was shown before. */
function createWatch(device: BenchClient) {
  const live = device.query.items.orderBy('rank', 'desc').limit(50).live()
  let wanted: number | null = null
  let seen: (at: number) => void = () => {}
  live.subscribe(() => {
    if (live.result().rows[0]?.rank === wanted) seen(performance.now())
  })
  return {
    measure: async (rank: number, write: (rank: number) => Promise<void>) => {
      await pace(rank)
      const visible = new Promise<number>((resolve) => {
        seen = resolve
      })
      wanted = rank
      const called = performance.now()
      const committed = write(rank).then(() => performance.now())
      const [at, committedAt] = await Promise.all([visible, committed])
      return { called: at - called, committed: Math.max(0, at - committedAt) }
    },
  }
}

/** The least that the way down could cost: a NOTIFY that reaches a listening connection, and one frame over a WebSocket. */
export async function createFloor(bed: Bed) {
  const [notifier, listener] = [bed.connect(), bed.connect()]
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
  await new Promise((resolve) => server.once('listening', resolve))
  const accepted = new Promise<WebSocket>((resolve) => server.once('connection', resolve))
  // A server that listens on TCP has an address of this form.
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const socket = await accepted
  let arrived: (at: number) => void = () => {}
  client.on('message', () => arrived(performance.now()))
  await listener.listen('bench', () => socket.send('x'.repeat(400)))
  return {
    measure: async () => {
      await pace(0)
      const arrival = new Promise<number>((resolve) => {
        arrived = resolve
      })
      const start = performance.now()
      await notifier`select pg_notify('bench', '')`
      return (await arrival) - start
    },
    close: async () => {
      client.terminate()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Differs from round to round, so that no timer of a server is always met at the same moment. */
const pace = (round: number) => pause(paceMs[0] + ((round * 7) % (paceMs[1] - paceMs[0])))
