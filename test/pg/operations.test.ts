// What those who run servers rely on: whether one is ready, what it counts, how it stops, and that several of them are as one.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { createMemoryDisks } from '@headwater/client/node'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { freePort } from '../../packages/server/src/database/native/process.ts'
import { openPostgres } from '../../packages/server/src/database/postgres.ts'
import { startServer, type TestServer } from '../harness/app.ts'
import { type Balancer, startBalancer } from '../harness/balancer.ts'
import { type Device, openDevice, untilLevel } from '../harness/device.ts'
import { type Native, startNative } from '../harness/native.ts'

const uuid = () => crypto.randomUUID()
const rolls = Number(process.env.HEADWATER_ROLLS ?? 1)

let native: Native
let name: string
beforeAll(async () => {
  native = await startNative()
})
beforeEach(async () => {
  name = await native.createDatabase()
})
afterAll(() => native.stop())

describe('one server', () => {
  let server: TestServer
  let devices: Device[] = []
  const open = async (over: Parameters<typeof startServer>[1] = {}) => {
    server = await startServer(await openPostgres(native.url(name)), over)
    return server
  }
  const device = async (user = 'ada') => {
    const opened = openDevice({ url: server.url, user })
    devices.push(opened)
    await untilLevel(opened)
    return opened
  }
  const get = (path: string, headers: Record<string, string> = {}) => fetch(`${server.url}/headwater/${path}`, { headers })

  afterEach(async () => {
    for (const one of devices) await one.close()
    devices = []
    await server.close()
  })

  test('lives while its database is away, and is ready again when that is back', async () => {
    await open()
    expect((await get('health')).status).toBe(200)
    expect(await (await get('ready')).json()).toEqual({ ready: true, database: server.identity.database, reasons: [] })
    await native.kill()
    await expect.poll(async () => (await get('ready')).status, { timeout: 10_000 }).toBe(503)
    expect((await (await get('ready')).json()).reasons).toEqual([expect.objectContaining({ code: expect.stringMatching(/^(database|behind)$/) })])
    expect((await get('health')).status).toBe(200)
    await native.startAgain()
    await expect.poll(async () => (await get('ready')).status, { timeout: 20_000 }).toBe(200)
  })

  test('counts what it does in the text that Prometheus reads, and names nobody and nothing', async () => {
    await open()
    const one = await device('ada')
    const id = uuid()
    await one.mutate.projects.insert({ id, ownerId: 'ada', title: 'secret title' }).confirmed
    await one.mutate.addMessage({ projectId: id, content: 'forbidden words' }).confirmed
    await one.mutate.addMessage({ projectId: id, content: 'fine' }).confirmed
    const response = await get('metrics')
    expect([response.status, response.headers.get('content-type')]).toEqual([200, expect.stringContaining('version=0.0.4')])
    const text = await response.text()
    const values = parse(text)
    expect(values.get('headwater_mutations_total{outcome="applied"}')).toBe(2)
    expect(values.get('headwater_mutation_seconds_count')).toBeGreaterThanOrEqual(2)
    expect(values.get('headwater_connected_devices')).toBe(1)
    expect(values.get('headwater_connected_people')).toBe(1)
    expect(values.get('headwater_sent_bytes_total')).toBeGreaterThan(100)
    expect(values.get('headwater_batch_rows_count')).toBeGreaterThan(0)
    expect(values.get('headwater_log_bytes')).toBeGreaterThan(0)
    expect([...values.keys()].filter((key) => key.startsWith('nodejs_eventloop_lag')).length).toBeGreaterThan(0)
    for (const told of ['secret title', 'ada', id, 'project:']) expect(text).not.toContain(told)
  })

  test('tells its metrics to this machine alone, or to who has the token', async () => {
    await open()
    for (const header of ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via']) expect((await get('metrics', { [header]: '10.0.0.1' })).status).toBe(404)
    await server.close()
    await open({ metrics: { token: 'long enough' } })
    expect((await get('metrics')).status).toBe(404)
    expect((await get('metrics', { authorization: 'Bearer long' })).status).toBe(404)
    expect((await get('metrics', { authorization: 'Bearer long enough', 'x-forwarded-for': '10.0.0.1' })).status).toBe(200)
  })

  test('names the servers of its database, and takes its own name away when it stops', async () => {
    await open()
    const second = await startServer(await openPostgres(native.url(name)))
    await expect.poll(async () => (await server.status()).servers.length).toBe(2)
    expect((await server.status()).servers[0]).toMatchObject({ pid: process.pid, version: expect.stringMatching(/^\d+\.\d+\.\d+/) })
    await second.close()
    expect((await server.status()).servers).toHaveLength(1)
  })

  test('stops without a stampede: mutations under way end, and devices are told one after the other', async () => {
    await open()
    const [first] = await Promise.all(Array.from({ length: 40 }, (_, i) => device(`person ${i}`)))
    const goneAt: number[] = []
    for (const one of devices) {
      const unsubscribe = one.status.subscribe(() => {
        if (one.status.get().phase === 'live') return
        goneAt.push(performance.now())
        unsubscribe()
      })
    }
    const pending = Array.from({ length: 5 }, () => first?.mutate.projects.insert({ id: uuid(), ownerId: 'person 0', title: 'last' }))
    await Promise.all(pending.map((one) => one?.saved))
    await new Promise((resolve) => setTimeout(resolve, 20))
    const closing = server.close()
    await expect.poll(async () => (await get('ready').catch(() => null))?.status ?? 'closed').not.toBe(200)
    await closing
    await expect.poll(() => goneAt.length).toBe(40)
    expect(Math.max(...goneAt) - Math.min(...goneAt)).toBeGreaterThan(100)
    await open()
  })
})

describe('three servers', () => {
  const servers = new Map<number, ChildProcess>()
  afterEach(async () => {
    for (const child of servers.values()) if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit')
  })

  test(`W2 W3 R4 R7 restarted one after the other ${rolls} times under load, they lose and double nothing`, async () => {
    const url = native.url(name)
    const ports = [await freePort(), await freePort(), await freePort()]
    const start = async (port: number) => {
      const child = fork(new URL('../harness/rolling-server.ts', import.meta.url), [url, String(port)], {
        execArgv: ['--conditions=@headwater/source', '--import', 'tsx'],
      })
      servers.set(port, child)
      await once(child, 'message')
    }
    await Promise.all(ports.map(start))
    const balancer: Balancer = await startBalancer(ports)
    const sql = postgres(url, { max: 1, onnotice: () => undefined })
    const people = ['ada', 'bob', 'eve', 'ada', 'bob', 'eve']
    const devices = people.map((user) => openDevice({ url: balancer.url, user, disks: createMemoryDisks() }))
    const counter = uuid()
    await sql`insert into projects (id, owner_id, title) values (${counter}, 'ada', 'counter')`
    for (const user of ['bob', 'eve']) await sql`insert into members (project_id, user_id) values (${counter}, ${user})`
    await Promise.all(devices.map(untilLevel))
    const confirmed: Promise<{ readonly type: string }>[] = []
    let isOver = false
    const load = devices.map(async (device, who) => {
      for (let i = 0; !isOver; i++) {
        confirmed.push(device.mutate.visit({ id: counter }).confirmed)
        confirmed.push(device.mutate.projects.insert({ id: uuid(), ownerId: people[who] ?? '', title: `${who} ${String(i).padStart(5, '0')}` }).confirmed)
        await new Promise((resolve) => setTimeout(resolve, 100))
        // A busy machine takes long to restart a server, and carries out little meanwhile: what waits is bounded by its number, not by the time that it was made in.
        await expect.poll(() => device.status.get().pending, { timeout: 120_000 }).toBeLessThan(20)
      }
      return device
    })
    for (let roll = 0; roll < rolls; roll++) {
      for (const port of ports) {
        const child = servers.get(port)
        child?.kill('SIGTERM')
        const [code] = await once(child as ChildProcess, 'exit')
        expect(code).toBe(0)
        await start(port)
      }
    }
    isOver = true
    await Promise.all(load)
    const outcomes = await Promise.all(confirmed)
    expect(outcomes.filter(({ type }) => type !== 'applied')).toEqual([])
    const visits = outcomes.length / 2
    expect((await sql`select visits from projects where id = ${counter}`)[0]?.visits).toBe(visits)
    const rows = await sql`select owner_id, title from projects where id <> ${counter}`
    expect(new Set(rows.map(({ title }) => title)).size).toBe(visits)
    expect(rows).toHaveLength(visits)
    // In the order in which each device made them.
    const logged =
      await sql`select new->>'title' as title from headwater.log where table_name = 'projects' and op = 'i' and new->>'title' <> 'counter' order by seq`
    for (const who of devices.keys()) {
      const own = logged.map(({ title }) => String(title)).filter((title) => title.startsWith(`${who} `))
      expect(own).toEqual([...own].sort())
    }
    for (const [who, device] of devices.entries()) {
      const wanted = rows.filter(({ owner_id }) => owner_id === people[who]).map(({ title }) => String(title))
      const seen = () =>
        device.query.projects
          .where({ ownerId: people[who] ?? '' })
          .all()
          .map(({ title }) => title)
      await expect
        .poll(
          () =>
            seen()
              .filter((title) => title !== 'counter')
              .sort(),
          { timeout: 20_000 },
        )
        .toEqual(wanted.sort())
    }
    for (const device of devices) await device.close()
    await balancer.close()
    await sql.end()
  }, 240_000)
})

/** The text format, line by line: every sample belongs to a family whose help and type were given before it. */
function parse(text: string): ReadonlyMap<string, number> {
  const values = new Map<string, number>()
  const types = new Map<string, string>()
  for (const line of text.split('\n')) {
    if (line === '') continue
    const type = /^# TYPE ([a-z_:][a-z0-9_:]*) (counter|gauge|histogram|summary)$/i.exec(line)
    if (type) types.set(type[1] ?? '', type[2] ?? '')
    if (line.startsWith('#')) {
      expect(line).toMatch(/^# (HELP|TYPE) /)
      continue
    }
    const sample = /^([a-z_:][a-z0-9_:]*)(\{[^}]*\})? (-?[0-9.e+-]+|NaN|[+-]Inf)$/i.exec(line)
    expect(sample, line).not.toBe(null)
    const family = (sample?.[1] ?? '').replace(/_(bucket|sum|count)$/, '')
    expect(types.has(family) || types.has(sample?.[1] ?? ''), line).toBe(true)
    values.set(`${sample?.[1]}${sample?.[2] ?? ''}`, Number(sample?.[3]))
  }
  return values
}
