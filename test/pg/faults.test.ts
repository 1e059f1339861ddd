// F2: what a PostgreSQL does to those who use it. The server stays up, says so, and carries on; nothing is refused for it, lost or doubled.
import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HeadwaterError } from '@headwater/protocol'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openPostgres } from '../../packages/server/src/database/postgres.ts'
import { startServer, type TestServer } from '../harness/app.ts'
import { type Device, openDevice, untilLevel } from '../harness/device.ts'
import { type Native, startNative } from '../harness/native.ts'

const uuid = () => crypto.randomUUID()
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const connectionsMax = 30

interface Ground {
  readonly name: string
  readonly sql: ReturnType<typeof postgres>
  readonly server: TestServer
  readonly troubles: string[]
  device(user?: string): Promise<Device>
  /** Titles of projects, as the database has them. */
  titles(): Promise<readonly string[]>
  close(): Promise<void>
}

async function prepare(native: Native, sessionsMax = 20): Promise<Ground> {
  const name = await native.createDatabase()
  const sql = postgres(native.url(name), { max: 2, onnotice: () => undefined, idle_timeout: 1, max_lifetime: 5 })
  const troubles: string[] = []
  const onTrouble = (error: unknown) => void troubles.push(error instanceof HeadwaterError ? `${error.code} ${error.details.sqlstate ?? ''}` : String(error))
  const server = await startServer(await openPostgres(native.url(name), { sessionsMax }), { onTrouble })
  const devices: Device[] = []
  return {
    name,
    sql,
    server,
    troubles,
    device: async (user = 'ada') => {
      const device = openDevice({ url: server.url, user })
      devices.push(device)
      await device.ready
      return device
    },
    titles: async () => (await sql`select title from projects order by title`).map(({ title }) => String(title)),
    close: async () => {
      for (const device of devices) await device.close()
      await server.close()
      await sql.end()
    },
  }
}

const insert = (device: Device, title: string, ownerId = 'ada') => device.mutate.projects.insert({ id: uuid(), ownerId, title })
const titlesOf = (device: Device) =>
  device.query.projects
    .orderBy('title')
    .all()
    .map(({ title }) => title)

describe('F2 on native', () => {
  let native: Native
  let ground: Ground
  const grounds: Ground[] = []
  const begin = async (sessionsMax?: number) => {
    ground = await prepare(native, sessionsMax)
    grounds.push(ground)
    return ground
  }

  beforeAll(async () => {
    native = await startNative({ settings: { max_connections: String(connectionsMax), deadlock_timeout: '50ms' } })
  })
  afterEach(async () => {
    for (const one of grounds.splice(0)) await one.close()
  })
  afterAll(() => native.stop())

  /** Runs as the superuser, beside the app's database. */
  async function administer(statement: string): Promise<void> {
    const admin = postgres(native.url('postgres'), { max: 1, onnotice: () => undefined })
    await admin.unsafe(statement).finally(() => admin.end())
  }
  const disconnectAll = () => administer(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${ground.name}'`)

  test('timeouts that a database sets for everybody cut no first load, no tail and no mutation that is quick', async () => {
    const { sql, device, name } = await begin()
    await sql`insert into samples (id, owner_id, text) select gen_random_uuid(), 'ada', repeat('x', 250) || i from generate_series(1, 20000) i`
    await administer(
      `alter database ${name} set statement_timeout = '100ms'; alter database ${name} set lock_timeout = '20ms'; alter database ${name} set idle_in_transaction_session_timeout = '100ms'; alter database ${name} set idle_session_timeout = '200ms'`,
    )
    await disconnectAll()
    const one = await device()
    await untilLevel(one)
    expect(one.query.samples.all()).toHaveLength(20_000)
    expect(await insert(one, 'quick').confirmed).toMatchObject({ type: 'applied' })
    await pause(500)
    const two = await device()
    await untilLevel(two)
    expect(await insert(two, 'after a rest').confirmed).toMatchObject({ type: 'applied' })
    await expect.poll(() => titlesOf(one).filter((title) => title === 'after a rest').length, { timeout: 10_000 }).toBe(1)
  })

  test('deadlocks with other programs are lost and tried again: each mutation once', async () => {
    const { sql, device } = await begin()
    const [first, second] = [uuid(), uuid()]
    await sql`insert into projects (id, owner_id, title) values (${first}, 'ada', 'first'), (${second}, 'ada', 'second')`
    const one = await device()
    await untilLevel(one)
    let isOver = false
    const foreign = async (ids: readonly string[]) => {
      while (!isOver) {
        await pause(30)
        await sql
          .begin(async (tx) => {
            for (const id of ids) {
              await tx`update projects set status = 'active' where id = ${id}`
              await pause(2)
            }
          })
          .catch((error) => expect(error.code).toBe('40P01'))
      }
    }
    const foreigners = [foreign([first, second]), foreign([second, first])]
    const outcomes = await Promise.all(Array.from({ length: 40 }, (_, i) => one.mutate.visit({ id: i % 2 ? first : second }).confirmed))
    isOver = true
    await Promise.all(foreigners)
    expect(outcomes.every(({ type }) => type === 'applied')).toBe(true)
    expect((await sql`select visits from projects`).map(({ visits }) => visits)).toEqual([20, 20])
  })

  test('no connection is left: what is pushed waits, readers go on, and all of it is there when there are some again', async () => {
    const { sql, device, name, troubles } = await begin()
    const [one, other] = [await device(), await device()]
    await Promise.all([untilLevel(one), untilLevel(other)])
    await sql.end()
    const storm = Array.from({ length: connectionsMax }, () => postgres(native.url(name), { max: 1, onnotice: () => undefined, connect_timeout: 5 }))
    await disconnectAll()
    await Promise.allSettled(storm.map((client) => client`select 1`))
    // Superusers have three to themselves; the storm is one as well, so that all are taken.
    const pending = Array.from({ length: 10 }, (_, i) => insert(i % 2 ? one : other, `storm ${i}`))
    await pause(1_500)
    expect(pending.filter((one) => one.state() === 'confirmed')).toEqual([])
    expect(titlesOf(one)).toContain('storm 1')
    await Promise.all(storm.map((client) => client.end({ timeout: 1 })))
    const outcomes = await Promise.all(pending.map(({ confirmed }) => confirmed))
    expect(outcomes.every(({ type }) => type === 'applied')).toBe(true)
    expect(troubles.some((code) => code.startsWith('sql 53300') || code.startsWith('connection'))).toBe(true)
    await expect.poll(() => titlesOf(one).length, { timeout: 20_000 }).toBe(10)
    const again = postgres(native.url(name), { max: 1 })
    expect(await again`select count(*)::int as count, count(distinct title)::int as titles from projects`).toEqual([{ count: 10, titles: 10 }])
    await again.end()
  })

  test('a database that turned read-only takes nothing and refuses nothing, and what others write still arrives', async () => {
    const { sql, device, name, titles, troubles } = await begin()
    const one = await device()
    await untilLevel(one)
    await administer(`alter database ${name} set default_transaction_read_only = on`)
    await disconnectAll()
    const pending = insert(one, 'waits')
    await pause(300)
    await sql.begin(async (tx) => {
      await tx`set transaction read write`
      await tx`insert into projects (id, owner_id, title) values (${uuid()}, 'ada', 'by another')`
    })
    await expect.poll(() => titlesOf(one), { timeout: 20_000 }).toEqual(['by another', 'waits'])
    expect(pending.state()).not.toBe('confirmed')
    await administer(`alter database ${name} set default_transaction_read_only = off`)
    await disconnectAll()
    expect(await pending.confirmed).toMatchObject({ type: 'applied' })
    expect(await titles()).toEqual(['by another', 'waits'])
    expect(troubles.length).toBeGreaterThan(0)
  })

  test('PostgreSQL is restarted and killed while devices write: each mutation once', async () => {
    const { device, sql } = await begin()
    const one = await device()
    await untilLevel(one)
    const pending: { confirmed: Promise<{ type: string }> }[] = []
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 10; i++) pending.push(insert(one, `${round}-${i}`))
      await pause(round * 5)
      if (round % 2) await native.restart()
      else await native.kill().then(native.startAgain)
    }
    const outcomes = await Promise.all(pending.map(({ confirmed }) => confirmed))
    expect(outcomes.every(({ type }) => type === 'applied')).toBe(true)
    expect((await sql`select count(*)::int as count, count(distinct title)::int as titles from projects`)[0]).toEqual({ count: 40, titles: 40 })
    await expect.poll(() => titlesOf(one).length, { timeout: 20_000 }).toBe(40)
  })
})

/** A file system of a fixed size in memory, which only root may make. */
const mayMount = process.platform === 'linux' && process.getuid?.() === 0

describe('F2 on a small disk', () => {
  let folder: string
  let native: Native
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hw-disk-'))
    if (!mayMount) return
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=160m,mode=0777', 'tmpfs', folder], { encoding: 'utf8' })
    if (mounted.status !== 0) throw new Error(`mount: ${mounted.stderr}`)
    // Segments of the WAL are 16 MB: with no room for the next one PostgreSQL gives up, and its operator starts it again.
    native = await startNative({ parent: folder, settings: { shared_buffers: '16MB', max_wal_size: '64MB', min_wal_size: '32MB' } })
  })
  afterAll(async () => {
    await native?.stop()
    if (mayMount) spawnSync('umount', [folder])
    await rm(folder, { recursive: true, force: true })
  })

  test.runIf(mayMount)('the disk is full: what is pushed waits, and is applied once when there is room', async () => {
    const { device, sql, close, troubles } = await prepare(native)
    const one = await device()
    await untilLevel(one)
    await mkdir(join(folder, 'other'), { recursive: true })
    const { bavail, bsize } = await statfs(folder)
    await writeFile(join(folder, 'other', 'filler'), Buffer.alloc(bavail * bsize))
    const pending = Array.from({ length: 40 }, (_, i) => insert(one, `${i} ${'wide '.repeat(20)}`))
    const wide = Array.from({ length: 40 }, (_, i) => one.mutate.samples.insert({ id: uuid(), ownerId: 'ada', text: `${i}`.repeat(50_000), json: { i } }))
    await expect.poll(() => troubles.length, { timeout: 20_000 }).toBeGreaterThan(0)
    await pause(500)
    expect(wide.filter((one) => one.state() === 'confirmed').length).toBeLessThan(40)
    await rm(join(folder, 'other', 'filler'))
    if (!(await answers(sql))) await native.kill().then(native.startAgain)
    const outcomes = await Promise.all([...pending, ...wide].map(({ confirmed }) => confirmed))
    expect(outcomes.every(({ type }) => type === 'applied')).toBe(true)
    expect((await sql`select (select count(*) from projects)::int as projects, (select count(*) from samples)::int as samples`)[0]).toEqual({
      projects: 40,
      samples: 40,
    })
    await close()
  })

  async function answers(sql: ReturnType<typeof postgres>): Promise<boolean> {
    for (let attempt = 0; attempt < 20; attempt++) {
      if (await sql`select 1`.then(() => true).catch(() => false)) return true
      await pause(100)
    }
    return false
  }
})
