// Real sockets over a network that misbehaves: the bytes are those of TCP, in order, and everything else is bad luck.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startServer, type TestServer } from '../harness/app.ts'
import { chanceOf } from '../harness/chance.ts'
import { native } from '../harness/databases.ts'
import { type Device, openDevice, untilLevel } from '../harness/device.ts'
import { type RoughProxy, startRoughProxy } from '../harness/rough-proxy.ts'

const seed = Number(process.env.HEADWATER_SEED ?? Date.now() % 1_000_000)
const count = 40
const people = ['ada', 'bob'] as const
let closing: (() => Promise<unknown>)[]
let server: TestServer
let proxy: RoughProxy
beforeEach(async () => {
  const { database, close } = await native.open()
  server = await startServer(database)
  proxy = await startRoughProxy(Number(new URL(server.url).port), chanceOf(seed))
  closing = [proxy.close, () => server.close(), close]
})
afterEach(async () => {
  for (const close of closing) await close()
})

test(`F5 F6 W2 W3 R4 splinters, delays, cuts in the middle of a frame and ends that nobody hears of: each mutation once, in order, and all level (seed ${seed})`, {
  timeout: 240_000,
}, async () => {
  const devices = people.map((user): Device => openDevice({ url: proxy.url, user }))
  closing.unshift(...devices.map((device) => () => device.close()))
  await Promise.all(devices.map((device) => device.ready))
  const own = devices.map(() => crypto.randomUUID())
  const made = devices.flatMap((device, i) => device.mutate.createProject({ id: own[i] ?? '', title: 'Mine', lines: ['one', 'two'] }))
  for (let n = 0; n < count; n++) {
    for (const [i, device] of devices.entries()) {
      made.push(device.mutate.visit({ id: own[i] ?? '' }))
      made.push(device.mutate.samples.insert({ id: crypto.randomUUID(), ownerId: people[i] ?? '', integer: n, text: `${n} `.repeat(n * 20) }))
    }
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  const outcomes = await Promise.all(made.map(({ confirmed }) => confirmed))
  expect([seed, outcomes.filter(({ type }) => type !== 'applied')]).toEqual([seed, []])
  expect(proxy.counts.cuts).toBeGreaterThan(0)
  expect(proxy.counts.splinters).toBeGreaterThan(60)
  proxy.calm()
  await Promise.all(devices.map(untilLevel))
  for (const [i, device] of devices.entries()) {
    expect(device.query.projects.all().map(({ id, visits }) => [id, visits])).toEqual([[own[i], count]])
    expect(
      device.query.samples
        .orderBy('integer')
        .all()
        .map(({ integer }) => integer),
    ).toEqual(Array.from({ length: count }, (_, n) => n))
  }
  const order = await server.database.query(
    `select bool_and(later) as ordered, count(*)::int as count from (
       select xid > lag(xid, 1, '0'::xid8) over (partition by device order by number) as later from headwater.mutations where device is not null) m`,
  )
  expect(order).toEqual([{ ordered: true, count: 2 * (2 * count + 1) }])
  // A connection whose device has another one is ended, whatever it believes.
  await expect.poll(async () => (await server.status()).connected.devices, { timeout: 60_000 }).toBe(2)
})
