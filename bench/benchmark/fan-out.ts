// One write in a scope that many hold, until the last of them has been sent it: 2,000 connections (HEADWATER_BENCH_CONNECTIONS) in the server's own process that count what they
// get, and 1,000 real sockets. The limits are the commit that a tail hears of with a frame, and the same bytes sent to as many sockets by hand.
// And what the routing of 10,000 scopes keeps and costs.
import type { AddressInfo } from 'node:net'
import { deviceId, encode, limits, protocolVersion, scopeKey, userId } from '@headwater/protocol'
import { createServer, type Grants, openPostgres, type Server, sql } from '@headwater/server'
import { WebSocket, WebSocketServer } from 'ws'
import { createColumnSets } from '../../packages/server/src/feed/columns.ts'
import type { Change } from '../../packages/server/src/feed/net.ts'
import { type StreamKey, streamKey } from '../../packages/server/src/feed/stream.ts'
import { createHub, type Member } from '../../packages/server/src/scopes/hub.ts'
import { itemId, mutators, schema } from '../app.ts'
import { type Bed, withDatabase } from '../database.ts'
import { type Figure, latencies, median } from '../figure.ts'
import { access, fillSql } from '../server-app.ts'
import { pause } from '../wait.ts'
import { createFloor } from './commit-to-visible.ts'

/** Greeting them is most of what the benchmark does. */
const connections = Number(process.env.HEADWATER_BENCH_CONNECTIONS ?? 2_000)
const sockets = Number(process.env.HEADWATER_BENCH_SOCKETS ?? 1_000)
const greetingsAtOnce = 64
const rounds = 40
const warmUps = 5
const rows = 10
/** Of the frame that brings the write, about. */
const frameBytes = 700
const scopes = 10_000
const bytesPerMb = 1_048_576

const grants: Grants = { user: sql`select person as "user", owner_id as key, role from shares` }

export const fanOut = (): Promise<readonly Figure[]> =>
  withDatabase(async (bed) => {
    await bed.fill(`create table shares (person text, owner_id text, role text, primary key (owner_id, person)); create index on shares (person);
      insert into shares select 'person-' || i, 'everybody', 'viewer' from generate_series(1, ${connections}) i; ${fillSql(rows, 'everybody')}`)
    const server = await createServer({
      schema,
      access,
      mutators,
      grants,
      database: await openPostgres(bed.url),
      authenticate: ({ headers }) => headers.get('x-user'),
    })
    const figures = [...(await inProcess(bed, server)), ...(await overSockets(bed, server)), ...routing()]
    await server.close()
    return figures
  })

/** Who has what, by the messages counted. */
function createCounter(expected: number) {
  let count = 0
  let full: (at: number) => void = () => {}
  return {
    count: () => {
      count++
      if (count === expected) full(performance.now())
    },
    /** When as many have come as there are connections. */
    next: () =>
      new Promise<number>((resolve) => {
        count = 0
        full = resolve
      }),
  }
}

async function inProcess(bed: Bed, server: Server): Promise<readonly Figure[]> {
  const counter = createCounter(connections)
  const ends: (() => void)[] = []
  const pings: (() => void)[] = []
  // Who says nothing is cut off.
  const pinging = setInterval(() => {
    for (const ping of pings) ping()
  }, limits.pingEveryMs)
  const buffers = new Set<Buffer>()
  const connect = async (i: number) => {
    const user = `person-${i}`
    await new Promise<void>((resolve, reject) => {
      let isLevel = false
      const send = (frame: string | Buffer) => {
        if (isLevel) {
          // What is not the write is the device's own: a pong, or a cursor.
          if (!Buffer.isBuffer(frame)) return
          buffers.add(frame)
          return counter.count()
        }
        const text = String(frame)
        if (text.includes('"type":"failure"')) reject(new Error(text))
        // A greeting is over with the checkpoint that no other follows.
        if (!text.startsWith('{"type":"checkpoint"') || text.includes('"more":true')) return
        isLevel = true
        resolve()
      }
      server
        .connect({ url: '/', headers: new Headers({ 'x-user': user }) }, { send, bufferedBytes: () => 0, close: () => {}, destroy: () => {} })
        .then((events) => {
          ends.push(events.onClose)
          pings.push(() => events.onMessage(encode({ type: 'ping' })))
          events.onMessage(helloOf(user))
        }, reject)
    })
  }
  await inTurns(connections, connect)
  await server.level()
  const floor = await createFloor(bed)
  const times = await measure(bed, counter.next, floor.measure)
  await floor.close()
  clearInterval(pinging)
  for (const end of ends) end()
  // What is not one buffer for all would be one for each per round.
  if (buffers.size > rounds + warmUps) throw new Error(`${buffers.size} buffers were made for ${rounds + warmUps} writes.`)
  return latencies('one write to all connections of one scope', times.found, times.limits)
}

async function overSockets(bed: Bed, server: Server): Promise<readonly Figure[]> {
  const { url } = await server.listen({ port: 0 })
  const counter = createCounter(sockets)
  const open: WebSocket[] = []
  await inTurns(sockets, async (i) => {
    const user = `person-${i}`
    const socket = new WebSocket(`${url.replace('http', 'ws')}/headwater/socket`, { headers: { 'x-user': user } })
    open.push(socket)
    await new Promise<void>((resolve, reject) => {
      let isLevel = false
      socket.on('open', () => socket.send(helloOf(user)))
      socket.on('error', reject)
      socket.on('message', (data: Buffer) => {
        const text = data.toString()
        if (isLevel) {
          if (!text.includes('"items"')) return
          return counter.count()
        }
        if (!text.startsWith('{"type":"checkpoint"') || text.includes('"more":true')) return
        isLevel = true
        resolve()
      })
    })
  })
  await server.level()
  const byHand = await createBroadcast(sockets, frameBytes)
  const times = await measure(bed, counter.next, byHand.measure)
  await byHand.close()
  for (const socket of open) socket.terminate()
  return latencies('one write to 1,000 sockets of one scope', times.found, times.limits)
}

async function measure(bed: Bed, next: () => Promise<number>, limit: () => Promise<number>) {
  const psql = bed.connect()
  const [found, limits]: [number[], number[]] = [[], []]
  for (let round = -warmUps; round < rounds; round++) {
    const limitMs = await limit()
    await pause(20)
    const all = next()
    await psql`update items set rank = ${1_000_000 + round} where id = ${itemId(1 + ((round + warmUps) % rows))}`
    const committed = performance.now()
    const took = Math.max(0, (await all) - committed)
    if (round < 0) continue
    found.push(took)
    limits.push(limitMs)
  }
  return { found, limits }
}

/** The same bytes to as many sockets, by a server that does nothing else. */
async function createBroadcast(count: number, bytes: number) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
  await new Promise((resolve) => server.once('listening', resolve))
  // A server that listens on TCP has an address of this form.
  const { port } = server.address() as AddressInfo
  const counter = createCounter(count)
  await inTurns(count, async () => {
    const client = new WebSocket(`ws://127.0.0.1:${port}`)
    client.on('message', counter.count)
    await new Promise((resolve) => client.once('open', resolve))
  })
  const frame = Buffer.alloc(bytes, 'x')
  return {
    measure: async () => {
      const all = counter.next()
      const start = performance.now()
      for (const client of server.clients) client.send(frame, { binary: false })
      return (await all) - start
    },
    close: async () => {
      for (const client of server.clients) client.terminate()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** One device in 10,000 scopes, and 10,000 devices in one beside scopes of their own: what the hub keeps, and what a change costs. */
function routing(): readonly Figure[] {
  const hub = createHub<Member>()
  const all = createColumnSets(schema).of(scopeKey('user', 'a'), [])
  const memberOf = (name: string): Member => ({ device: deviceId(name), user: userId(name), held: new Map() })
  const own = (i: number): StreamKey => streamKey('eager', scopeKey('user', `scope-${i}`))
  const shared = streamKey('eager', scopeKey('user', 'everybody'))
  const before = heapBytes()
  const busy = memberOf('busy')
  hub.add(busy)
  hub.listen(busy, new Map(Array.from({ length: scopes }, (_, i) => [own(i), all])))
  const kept = (heapBytes() - before) / bytesPerMb
  for (let i = 0; i < connections; i++) {
    const member = memberOf(`device-${i}`)
    hub.add(member)
    hub.listen(
      member,
      new Map([
        [shared, all],
        [own(i), all],
      ]),
    )
  }
  const changeOf = (stream: StreamKey): Change => ({ table: 'items', key: '["1"]', xid: 1n, before: [stream], after: [stream], changed: null, row: '[]' })
  const one = timedNow(() => hub.route([changeOf(shared)]))
  const both = timedNow(() => hub.route([changeOf(shared), changeOf(own(1))]))
  const calls = timedNow(() => {
    for (const member of hub.members()) if (member.held.size === 0) throw new Error('A member holds nothing.')
  })
  return [
    { name: 'a device with 10,000 scopes, kept for routing', unit: 'MB', value: kept, limit: bareMapBytes() / bytesPerMb },
    { name: 'routing a change to 10,000 who hold one scope', unit: 'ms', value: one, limit: calls },
    { name: 'routing changes of two scopes, one of which 10,000 hold', unit: 'ms', value: both, limit: calls },
  ]
}

/** What as many keys in a map of sets take, each with one member. */
function bareMapBytes(): number {
  const before = heapBytes()
  const bare = new Map(Array.from({ length: scopes }, (_, i) => [`user:bare-${i}`, new Set([bareMapBytes])]))
  const bytes = heapBytes() - before
  // Until here it is not to be collected.
  bare.clear()
  return bytes
}

function heapBytes(): number {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

function timedNow(work: () => unknown): number {
  const times: number[] = []
  for (let round = 0; round < 50; round++) {
    const start = performance.now()
    work()
    times.push(performance.now() - start)
  }
  return median(times)
}

async function inTurns(count: number, run: (i: number) => Promise<void>): Promise<void> {
  let next = 1
  const worker = async () => {
    while (next <= count) await run(next++)
  }
  await Promise.all(Array.from({ length: greetingsAtOnce }, worker))
}

let greeted = 0
const helloOf = (user: string) =>
  encode({
    type: 'hello',
    version: protocolVersion,
    user: userId(user),
    device: deviceId(`00000000-0000-4000-8000-${String(++greeted).padStart(12, '0')}`),
    nonce: null,
    cursor: null,
    grants: null,
    mark: null,
    confirmed: 0,
    granted: [],
    held: [],
  })
