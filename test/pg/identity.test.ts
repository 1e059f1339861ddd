// Which database this is: copies, swaps, restores and lost tails are found before anything is served from them or written to them, and nothing else is.
import { cp, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryDisks } from '@headwater/client/node'
import { type Adoption, adoptDatabase, type Database, identify, openEmbedded, openPostgres } from '@headwater/server'
import postgres from 'postgres'
import { afterEach, describe, expect, inject, test } from 'vitest'
import { keys, startServer, type TestServer } from '../harness/app.ts'
import { openDevice, untilLevel } from '../harness/device.ts'
import { connectWire, openWire } from '../harness/wire-device.ts'

const uuid = () => crypto.randomUUID()
const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'hw-identity-'))
  closing.push(() => rm(path, { recursive: true, force: true }))
  return path
}

/** A server that remembers in a folder; troubles are kept. */
async function serve(database: Database, stateDirectory: string) {
  const troubles: unknown[] = []
  const server = await startServer(database, { stateDirectory, onTrouble: (error) => troubles.push(error) })
  let isClosed = false
  const close = async () => {
    if (!isClosed) await server.close()
    isClosed = true
  }
  closing.push(close)
  return { server, troubles, close }
}

async function expectHeld(server: TestServer, kind: string): Promise<void> {
  expect(server.held()?.kind).toBe(kind)
  const health = await fetch(`${server.url}/headwater/health`)
  expect([health.status, await health.json()]).toMatchObject([200, { held: kind }])
  const ready = await fetch(`${server.url}/headwater/ready`)
  expect([ready.status, await ready.json()]).toMatchObject([503, { reasons: [{ code: 'held', hint: expect.stringContaining('headwater identity') }] }])
  const answer = await fetch(`${server.url}/headwater/query/projects`, { headers: { 'x-user': 'ada' } })
  expect([answer.status, await answer.json()]).toMatchObject([503, { code: 'held' }])
  const device = openWire({ url: server.url, user: 'ada', keys })
  await device.until(() => device.isClosed(), 'the end')
  expect(device.messages).toMatchObject([{ type: 'failure', code: 'held' }])
  await expect(server.status()).rejects.toMatchObject({ code: 'held', hint: expect.stringContaining('headwater identity adopt --as') })
  await expect(server.database.query('select 1')).rejects.toMatchObject({ code: 'held' })
}

async function untilServed(server: TestServer): Promise<void> {
  for (const giveUpAt = performance.now() + 40_000; server.held() !== null || (await fetch(`${server.url}/headwater/ready`)).status !== 200; ) {
    if (performance.now() > giveUpAt) throw new Error(`not served: ${server.held()?.message ?? 'not ready'}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const insert = (database: Database, title: string, owner = 'ada') =>
  database.query(`insert into projects (id, owner_id, title, status, visits) values (gen_random_uuid(), $1, $2, 'active', 0)`, [owner, title])

/** Databases of one server, copied file by file. */
async function cluster() {
  const admin = new URL(inject('nativeUrl'))
  const names: string[] = []
  const administer = async (statement: string) => {
    const sql = postgres(admin.href, { max: 1, onnotice: () => undefined })
    await sql.unsafe(statement).finally(() => sql.end())
  }
  closing.push(async () => {
    for (const name of names) await administer(`drop database if exists ${name} with (force)`)
  })
  const name = () => {
    names.push(`identity_${process.pid}_${uuid().slice(0, 8)}`)
    return names.at(-1) ?? ''
  }
  const urlOf = (database: string, host = '127.0.0.1') => {
    const url = new URL(admin)
    url.pathname = `/${database}`
    url.hostname = host
    return url.href
  }
  return {
    urlOf,
    create: async () => {
      const made = name()
      await administer(`create database ${made} template template0`)
      return made
    },
    copy: async (from: string) => {
      const made = name()
      await administer(`create database ${made} template ${from}`)
      return made
    },
    /** Another one has the name from now on, and every session of both ends. */
    swap: async (one: string, other: string) => {
      const aside = name()
      for (const both of [one, other]) await administer(`alter database ${both} allow_connections false`)
      await administer(`select pg_terminate_backend(pid) from pg_stat_activity where datname in ('${one}', '${other}')`)
      await administer(`alter database ${one} rename to ${aside}`)
      await administer(`alter database ${other} rename to ${one}`)
      await administer(`alter database ${one} allow_connections true`)
      return aside
    },
  }
}

const decide = async (url: string, kind: Adoption, insteadOf?: string) => {
  const database = await openPostgres(url)
  await adoptDatabase(database, kind, insteadOf).finally(() => database.close())
}

describe('F3 a PostgreSQL', () => {
  test('that was only restarted, renamed in its URL or given another password is the same', async () => {
    const { create, urlOf } = await cluster()
    const [name, state] = [await create(), await folder()]
    for (const url of [urlOf(name), urlOf(name, 'localhost'), urlOf(name).replace('postgres@', 'postgres:other@'), urlOf(name)]) {
      const { server, close, troubles } = await serve(await openPostgres(url), state)
      expect(server.held()).toBeNull()
      await insert(server.database, url)
      await server.level()
      await close()
      expect(troubles).toEqual([])
    }
    // A server whose memory is new says nothing.
    const { server } = await serve(await openPostgres(urlOf(name)), await folder())
    expect(server.held()).toBeNull()
  })

  test('that was copied serves nobody until somebody says so, and then as another one, without its jobs', async () => {
    const { create, copy, urlOf } = await cluster()
    const [name, state] = [await create(), await folder()]
    const first = await serve(await openPostgres(urlOf(name)), state)
    await insert(first.server.database, 'one')
    await first.server.database.query(`insert into headwater.jobs (name, payload, due) values ('mail', '{}', now() + interval '1 hour')`)
    await first.server.level()
    const { identity } = first.server
    await first.close()
    const other = await copy(name)
    const copied = await serve(await openPostgres(urlOf(other)), state)
    await expectHeld(copied.server, 'moved')
    const looking = await openPostgres(urlOf(other))
    closing.push(() => looking.close())
    expect(await identify(looking, state)).toMatchObject({
      database: identity.database,
      before: { database: identity.database, place: expect.stringContaining(name) },
      finding: { kind: 'moved', message: expect.not.stringContaining('password') },
    })
    await decide(urlOf(other), 'copy')
    await untilServed(copied.server)
    expect(copied.server.identity.database).not.toBe(identity.database)
    expect(await copied.server.jobs.list()).toMatchObject([{ name: 'mail', error: 'The database was copied while it waited.' }])
    expect(await identify(looking, state)).toMatchObject({ finding: null, database: copied.server.identity.database })
    await copied.close()
    const original = await serve(await openPostgres(urlOf(name)), state)
    expect([original.server.held(), original.server.identity]).toEqual([null, identity])
  })

  test('that another one was put in the place of is found while it runs, before anything is served or written', async () => {
    const { create, copy, swap, urlOf } = await cluster()
    const [name, state] = [await create(), await folder()]
    const first = await serve(await openPostgres(urlOf(name)), state)
    await insert(first.server.database, 'one')
    await first.close()
    // Both go on from here.
    const fork = await copy(name)
    const running = await serve(await openPostgres(urlOf(name)), state)
    const device = await connectWire({ url: running.server.url, user: 'ada', keys })
    await insert(running.server.database, 'two')
    await running.server.level()
    await swap(name, fork)
    device.push('projects.insert', { row: { id: uuid(), ownerId: 'ada', title: 'never' } })
    await device.until(() => device.isClosed(), 'the end')
    await expect.poll(() => running.server.held()?.kind, { timeout: 10_000 }).toBe('rewound')
    await expectHeld(running.server, 'rewound')
    const looking = await openPostgres(urlOf(name))
    expect(await looking.query('select title from projects')).toEqual([{ title: 'one' }])
    expect(await looking.query('select count(*)::int as devices from headwater.devices')).toEqual([{ devices: 0 }])
    await looking.close()
    // A restart does not forget it.
    await running.close()
    const again = await serve(await openPostgres(urlOf(name)), state)
    await expectHeld(again.server, 'rewound')
    await decide(urlOf(name), 'restore')
    await untilServed(again.server)
  })

  test('of another app, or an empty one, in its place is held, and taken if that is said', async () => {
    const { create, swap, urlOf } = await cluster()
    const [name, other, state] = [await create(), await create(), await folder()]
    const first = await serve(await openPostgres(urlOf(name)), state)
    const before = first.server.identity.database
    await first.close()
    const second = await serve(await openPostgres(urlOf(other)), await folder())
    const { database } = second.server.identity
    await second.close()
    await swap(name, other)
    const held = await serve(await openPostgres(urlOf(name)), state)
    await expectHeld(held.server, 'swapped')
    await decide(urlOf(name), 'same', before)
    await untilServed(held.server)
    expect(held.server.identity.database).toBe(database)
    await held.close()
    await swap(name, await create())
    const empty = await serve(await openPostgres(urlOf(name)), state)
    await expectHeld(empty.server, 'empty')
    await expect(decide(urlOf(name), 'restore')).rejects.toMatchObject({ code: 'not-installed' })
    await decide(urlOf(name), 'same', database)
    await untilServed(empty.server)
    expect(await empty.server.database.query('select title from projects')).toEqual([])
  })

  test('that failed over without its newest commits gets them again from the devices: exactly once, in order (F4)', async () => {
    const { create, copy, swap, urlOf } = await cluster()
    const [name, state] = [await create(), await folder()]
    const first = await serve(await openPostgres(urlOf(name)), state)
    const disks = createMemoryDisks()
    const kept = openDevice({ url: first.server.url, user: 'ada', disks })
    closing.push(() => kept.close())
    await kept.ready
    const [early, late] = [uuid(), uuid()]
    await kept.mutate.createProject({ id: early, title: 'early', lines: ['1'] }).confirmed
    await untilLevel(kept)
    await kept.close()
    await first.close()
    const standby = await copy(name)

    const second = await serve(await openPostgres(urlOf(name)), state)
    const device = openDevice({ url: second.server.url, user: 'ada', disks })
    closing.push(() => device.close())
    await device.ready
    const lost = [
      device.mutate.createProject({ id: late, title: 'late', lines: ['2', '3'] }),
      device.mutate.visit({ id: late }),
      device.mutate.visit({ id: early }),
    ]
    for (const one of lost) expect(await one.confirmed).toEqual({ type: 'applied' })
    await untilLevel(device)
    await swap(name, standby)
    await expect.poll(() => second.server.held()?.kind, { timeout: 10_000 }).toBe('rewound')
    const pending = device.mutate.visit({ id: late })
    await decide(urlOf(name), 'failover')
    await untilServed(second.server)
    // It waits half a minute after it was told that the database is held; a restart of the app does not.
    await device.close()
    const reopened = openDevice({ url: second.server.url, user: 'ada', disks })
    closing.push(() => reopened.close())
    await reopened.ready
    await untilLevel(reopened)
    const rows = await second.server.database.query('select title, visits from projects order by title')
    expect(rows).toEqual([
      { title: 'early', visits: 1 },
      { title: 'late', visits: 2 },
    ])
    const records = await second.server.database.query(`select id, outcome from headwater.mutations where id = any ($1::text::text[]) order by number`, [
      `{${[...lost, pending].map(({ id }) => id).join()}}`,
    ])
    expect(records).toEqual([...lost, pending].map(({ id }) => ({ id, outcome: 'applied' })))
    expect(reopened.query.projects.orderBy('title').all()).toMatchObject([
      { title: 'early', visits: 1 },
      { title: 'late', visits: 2 },
    ])
  })
})

describe('F3 an embedded database', () => {
  const open = async (directory: string) => openEmbedded({ directory, durable: false })

  test('that was renamed is the same; that was copied with its folder is held, and becomes another one', async () => {
    const project = await folder()
    const first = await serve(await open(join(project, 'a', 'database')), join(project, 'a'))
    await insert(first.server.database, 'one')
    const { database } = first.server.identity
    await first.close()
    await rename(join(project, 'a'), join(project, 'b'))
    const moved = await serve(await open(join(project, 'b', 'database')), join(project, 'b'))
    expect(moved.server.held()).toBeNull()
    await moved.close()
    await cp(join(project, 'b'), join(project, 'c'), { recursive: true })
    const copied = await serve(await open(join(project, 'c', 'database')), join(project, 'c'))
    await expectHeld(copied.server, 'moved')
    expect(copied.server.held()?.hint).toContain('headwater identity adopt --as copy')
    await copied.close()
    const own = await open(join(project, 'c', 'database'))
    const adopted = await adoptDatabase(own, 'copy')
    expect(adopted.database).not.toBe(database)
    await own.close()
    for (const [name, id] of [
      ['c', adopted.database],
      ['b', database],
    ] as const) {
      const again = await serve(await open(join(project, name, 'database')), join(project, name))
      expect([again.server.held(), again.server.identity.database]).toEqual([null, id])
      await again.close()
    }
  })

  test('that was put back as it was yesterday is held; one that was removed and begun anew beside its memory is not', async () => {
    const project = await folder()
    const [own, database] = [join(project, 'app'), join(project, 'app', 'database')]
    const first = await serve(await open(database), own)
    await insert(first.server.database, 'one')
    await first.close()
    await cp(database, join(project, 'backup'), { recursive: true })
    const second = await serve(await open(database), own)
    await insert(second.server.database, 'two')
    await second.server.level()
    await second.close()
    await rm(database, { recursive: true })
    await cp(join(project, 'backup'), database, { recursive: true })
    const restored = await serve(await open(database), own)
    await expectHeld(restored.server, 'rewound')
    await restored.close()
    await rm(database, { recursive: true })
    const anew = await serve(await open(database), own)
    expect(anew.server.held()).toBeNull()
  })
})
