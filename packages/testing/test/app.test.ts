import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { defineMutators, defineSchema, holdersMayWrite, integer, mutator, refuse, table, text, timestamp, uuid } from '@headwater/schema'
import { sql, withServerColumns } from '@headwater/server'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { createTestApp, createTestClock, type TestApp, type TestAppOptions } from '../src/index.ts'

const schema = defineSchema({
  lists: table({ id: uuid().primaryKey(), ownerId: text(), title: text() }).in('user', 'ownerId').in('list', 'id'),
  items: table({ id: uuid().primaryKey(), listId: uuid(), label: text(), place: integer(), addedAt: timestamp() }).in('list', 'listId', { load: 'onDemand' }),
})
const mutators = defineMutators(schema, {
  addItem: mutator(z.object({ id: z.uuid(), listId: z.uuid(), label: z.string() }), async (tx, args) => {
    if (args.label === '') refuse('empty', 'An item needs a label.')
    await tx.items.insert({ ...args, place: (await tx.query.items.where({ listId: args.listId }).all()).length + 1, addedAt: tx.now() })
  }),
})
type Options = TestAppOptions<typeof schema, typeof mutators>
const options: Options = {
  // Machines of CI are slow and shared.
  settleMsMax: 20_000,
  schema,
  access: holdersMayWrite(schema),
  mutators,
  grants: {
    user: sql`select id as "user", id as key, 'owner' as role from people`,
    list: sql`select owner_id as "user", id as key, 'owner' as role from lists union select person, list, 'guest' from guests`,
  },
  prepare: (database) =>
    database.execute('create table if not exists people (id text primary key); create table if not exists guests (person text, list uuid)'),
  seed: async (database) => void (await database.query(`insert into people values ('ada'), ('bob')`)),
}

const apps: TestApp<typeof schema, typeof mutators>[] = []
const start = async (over: Partial<Options> = {}) => {
  const app = await createTestApp<typeof schema, typeof mutators>({ ...options, ...over })
  apps.push(app)
  return app
}
afterEach(() => Promise.all(apps.splice(0).map((app) => app.close())))

const newId = () => crypto.randomUUID()

describe('devices', () => {
  test('what one device makes is on the other of the same person and in the database, once settled', async () => {
    const app = await start()
    const [laptop, phone] = [await app.device('ada'), await app.device('ada')]
    const id = newId()
    laptop.mutate.lists.insert({ id, ownerId: 'ada', title: 'Food' })
    await app.settled()
    expect(phone.query.lists.all()).toMatchObject([{ id, title: 'Food' }])
    expect(await app.sql`select title from lists where id = ${id}`).toEqual([{ title: 'Food' }])
  })

  test('two people see what they share, as soon as it is shared, and nothing else', async () => {
    const app = await start()
    const [ada, bob] = [await app.device('ada'), await app.device('bob')]
    const id = newId()
    await ada.mutate.lists.insert({ id, ownerId: 'ada', title: 'Food' }).confirmed
    await app.settled()
    expect(bob.query.lists.all()).toEqual([])
    await app.sql`insert into guests values ('bob', ${id})`
    await app.settled()
    expect(bob.query.lists.all()).toMatchObject([{ title: 'Food' }])
    await app.sql`delete from guests`
    await app.settled()
    expect(bob.query.lists.all()).toEqual([])
  })

  test('settled waits for scopes that were asked for, and for what is made because rows arrived', async () => {
    const app = await start()
    const [ada, bob] = [await app.device('ada'), await app.device('bob')]
    const id = newId()
    await ada.mutate.lists.insert({ id, ownerId: 'ada', title: 'Food' }).confirmed
    await app.sql`insert into guests values ('bob', ${id})`
    const answer = bob.query.lists.where({ id }).live()
    const unsubscribe = answer.subscribe(() => {
      if (answer.result().rows.length > 0) bob.mutate.addItem({ id: newId(), listId: id, label: 'by bob' })
    })
    const scope = ada.scope('list', id)
    await app.settled()
    expect(scope.state()).toBe('ready')
    expect(ada.query.items.all()).toMatchObject([{ label: 'by bob' }])
    unsubscribe()
  })

  test('a refusal by the device queues nothing, one by the database is set aside', async () => {
    const app = await start()
    const ada = await app.device('ada')
    const id = newId()
    await ada.mutate.lists.insert({ id, ownerId: 'ada', title: 'Food' }).confirmed
    expect(await ada.mutate.addItem({ id: newId(), listId: id, label: '' }).confirmed).toMatchObject({ type: 'refused', code: 'empty' })
    expect(ada.setAside.list()).toEqual([])
    ada.offline()
    await app.sql`update lists set title = 'Drinks'`
    ada.mutate.lists.update({ id, title: 'Bread' }, { expect: { title: 'Food' } })
    ada.online()
    await app.settled()
    expect(ada.setAside.list()).toMatchObject([{ name: 'lists.update', code: 'conflict' }])
    expect(ada.query.lists.all()).toMatchObject([{ title: 'Drinks' }])
  })

  test('offline, work waits for the network; others are settled without it', async () => {
    const app = await start()
    const [laptop, phone] = [await app.device('ada'), await app.device('ada')]
    phone.offline()
    phone.mutate.lists.insert({ id: newId(), ownerId: 'ada', title: 'Made on a train' })
    await app.settled()
    expect(phone.status.get()).toMatchObject({ online: false, pending: 1 })
    expect(laptop.query.lists.all()).toEqual([])
    phone.online()
    await app.settled()
    expect(laptop.query.lists.all()).toMatchObject([{ title: 'Made on a train' }])
  })

  test('W6: what builds on a refused mutation is listed behind it, after a restart too, and tried again with it; what does not goes through', async () => {
    const app = await start()
    const [ada, taken, other] = [await app.device('ada'), newId(), newId()]
    await app.sql`insert into lists (id, owner_id, title) values (${taken}, 'bob', 'His')`
    ada.offline()
    const first = ada.mutate.lists.insert({ id: taken, ownerId: 'ada', title: 'Mine' })
    ada.mutate.lists.update({ id: taken, title: 'Edited' })
    const independent = ada.mutate.lists.insert({ id: other, ownerId: 'ada', title: 'Other' })
    ada.mutate.lists.update({ id: taken, title: 'Edited twice' }, { expect: { title: 'Edited' } })
    ada.online()
    await app.settled()
    const listed = () => ada.setAside.list().map(({ name, after }) => [name, after])
    expect(await first.confirmed).toMatchObject({ type: 'refused', code: 'unique' })
    expect(await independent.confirmed).toEqual({ type: 'applied' })
    expect(listed()).toEqual([
      ['lists.insert', null],
      ['lists.update', first.id],
      ['lists.update', first.id],
    ])
    await ada.restart()
    expect(listed().map(([, after]) => after)).toEqual([null, first.id, first.id])
    await app.sql`delete from lists where id = ${taken}`
    await app.settled()
    const again = await ada.setAside.retry(first.id)
    await app.settled()
    expect([await again.confirmed, listed()]).toEqual([{ type: 'applied' }, []])
    expect(await app.sql`select title from lists where id = ${taken}`).toEqual([{ title: 'Edited twice' }])
    expect(ada.query.lists.where({ id: taken }).first()?.title).toBe('Edited twice')
  })

  test('a restart keeps what the disk has: rows, what is pending, and its place in the log', async () => {
    const app = await start()
    const ada = await app.device('ada')
    await ada.mutate.lists.insert({ id: newId(), ownerId: 'ada', title: 'Before' }).confirmed
    ada.offline()
    await ada.mutate.lists.insert({ id: newId(), ownerId: 'ada', title: 'Offline' }).saved
    await ada.restart()
    expect(ada.query.lists.orderBy('title').all()).toMatchObject([{ title: 'Before' }, { title: 'Offline' }])
    expect(ada.status.get().pending).toBe(1)
    ada.online()
    await app.settled()
    expect(await app.sql`select title from lists order by title`).toEqual([{ title: 'Before' }, { title: 'Offline' }])
  })

  test('a device may start without a network', async () => {
    const app = await start()
    const ada = await app.device('ada', { offline: true })
    ada.mutate.lists.insert({ id: newId(), ownerId: 'ada', title: 'First' })
    ada.online()
    await app.settled()
    expect(await app.sql`select title from lists`).toEqual([{ title: 'First' }])
  })

  test('persons of any name are told apart', async () => {
    const app = await start()
    const names = ['Zoë', '数学', 'a b', '💧']
    for (const name of names) await app.sql`insert into people values (${name})`
    for (const name of names) {
      const device = await app.device(name)
      await device.mutate.lists.insert({ id: device.id(), ownerId: name, title: name }).confirmed
      expect(device.query.lists.all()).toMatchObject([{ title: name }])
    }
  })

  test('the app’s own authenticate sees the headers of a device; who is not let in is told so', async () => {
    const app = await start({ authenticate: ({ headers }) => (headers.get('x-key') === 'good' ? 'ada' : null) })
    await app.device('ada', { headers: { 'x-key': 'good' } })
    await expect(app.device('ada')).rejects.toMatchObject({ code: 'unauthenticated', message: expect.stringContaining('device 2 of ada') })
    await expect(app.device('bob', { headers: { 'x-key': 'good' } })).rejects.toMatchObject({ code: 'wrong-user' })
  })
})

describe('between tests', () => {
  test('nothing of one app is in the next', async () => {
    const before = await start()
    const ada = await before.device('ada')
    ada.mutate.lists.insert({ id: newId(), ownerId: 'ada', title: 'Old' })
    await before.settled()
    const { identity } = before.server
    await before.close()

    const app = await start()
    expect(app.server.identity).not.toEqual(identity)
    expect((await app.device('ada')).query.lists.all()).toEqual([])
    const left = await app.sql`select (select count(*)::int from lists) as lists, (select count(*)::int from headwater.mutations) as mutations,
      (select count(*)::int from headwater.log where table_name = 'lists') as log, (select count(*)::int from people) as people`
    expect(left).toEqual([{ lists: 0, mutations: 0, log: 0, people: 2 }])
    await expect(ada.mutate.lists.insert({ id: newId(), ownerId: 'ada', title: 'Late' }).saved).rejects.toMatchObject({ code: 'closed' })
    await app.settled()
    expect(await app.sql`select title from lists`).toEqual([])
  })

  test('of what is Headwater’s own, what a start has put in place stays, and nothing else', async () => {
    const before = await start()
    const ada = await before.device('ada')
    await ada.mutate.lists.insert({ id: newId(), ownerId: 'ada', title: 'Old' }).confirmed
    await before.sql`insert into headwater.incidents (kind) values ('forked')`
    await before.close()
    const app = await start({ seed: async () => {} })
    const tables = await app.sql`select relname as name from pg_class where relnamespace = 'headwater'::regnamespace and relkind = 'r' order by 1`
    const names = tables.map(({ name }) => String(name))
    const used = await app.database.query(
      `${names.map((name) => `select '${name}' as name where exists (select from headwater.${name})`).join(' union all ')} order by 1`,
    )
    expect(used.map(({ name }) => name)).toEqual(['captures', 'histories', 'identity', 'marks', 'migrations', 'witness'])
  })

  test('reset begins anew: rows, devices and numbers', async () => {
    const app = await start({
      prepare: async (database) => {
        await options.prepare?.(database)
        await database.execute('create table if not exists tickets (number serial)')
      },
    })
    const before = await app.device('ada')
    await app.sql`insert into tickets default values`
    await before.mutate.lists.insert({ id: newId(), ownerId: 'ada', title: 'Old' }).confirmed
    await app.reset()
    expect(before.status.get().phase).toBe('stopped')
    expect((await app.device('ada')).query.lists.all()).toEqual([])
    expect(await app.sql`insert into tickets default values returning number`).toEqual([{ number: 1 }])
    expect(await app.sql`select id from people order by id`).toEqual([{ id: 'ada' }, { id: 'bob' }])
  })

  test('two apps at once have a database each', async () => {
    const [one, other] = await Promise.all([start(), start()])
    const ada = await one.device('ada')
    ada.mutate.lists.insert({ id: newId(), ownerId: 'ada', title: 'Here' })
    await Promise.all([one.settled(), other.settled()])
    expect(await other.sql`select title from lists`).toEqual([])
  })

  test('a start that fails says why, and leaves the database for the next', async () => {
    await expect(start({ grants: { user: sql`select 1`, list: sql`select 1` } })).rejects.toMatchObject({ code: 'grants' })
    await start()
  })
})

test('columns that only the server has are not on its devices', async () => {
  const app = await createTestApp({
    schema: withServerColumns(schema, { lists: { secret: text().nullable() } }),
    access: holdersMayWrite(schema),
    mutators,
    grants: { user: sql`select 'ada' as "user", 'ada' as key, 'self' as role`, list: sql`select 'ada' as "user", id as key, 'self' as role from lists` },
    settleMsMax: 20_000,
  })
  await using _ = app
  const ada = await app.device('ada')
  await app.sql`insert into lists (id, owner_id, title, secret) values (${newId()}, 'ada', 'Food', 'canary')`
  await app.settled()
  expect(ada.query.lists.all()).toEqual([{ id: expect.any(String), ownerId: 'ada', title: 'Food' }])
})

test('a process that is done with its apps ends by itself, before PostgreSQL’s own timers would let it', () => {
  const program = `
    import { defineSchema, holdersMayWrite, table, text } from '@headwater/schema'
    import { sql } from '@headwater/server'
    import { createTestApp } from '@headwater/testing'
    const schema = defineSchema({ users: table({ id: text().primaryKey() }).in('user', 'id') })
    const grants = { user: sql\`select id as "user", id as key, 'owner' as role from users\` }
    for (const one of [1, 2]) {
      const app = await createTestApp({ schema, access: holdersMayWrite(schema), grants, settleMsMax: 20_000 })
      await app.device('ada')
      await app.close()
    }
    const closedMs = performance.now()
    process.on('exit', () => process.stdout.write(String(performance.now() - closedMs)))`
  const args = ['--conditions=@headwater/source', '--import', 'tsx', '--input-type=module', '--eval', program]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: fileURLToPath(new URL('../../..', import.meta.url)), encoding: 'utf8' })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(Number(stdout)).toBeLessThan(6_000)
})

describe('troubles', () => {
  test('what fails in the server fails the test when it closes the app, unless it was taken out', async () => {
    const broken = { serverMutators: { addItem: () => Promise.reject(new Error('no such thing')) } }
    const [app, other] = [await start(broken), await start(broken)]
    for (const one of [app, other]) {
      const ada = await one.device('ada')
      expect(await ada.mutate.addItem({ id: newId(), listId: newId(), label: 'x' }).confirmed).toMatchObject({ type: 'refused', code: 'failed' })
    }
    expect(app.troubles.splice(0)).toMatchObject([{ message: 'no such thing' }, { message: 'no such thing' }, { message: 'no such thing' }])
    await app.close()
    await expect(other.close()).rejects.toMatchObject({ code: 'trouble', message: expect.stringContaining('no such thing') })
    apps.length = 0
  })

  test('so does what throws on a device', async () => {
    const app = await start()
    const ada = await app.device('ada')
    const stop = ada.query.lists.live().subscribe(() => {
      throw new Error('a broken view')
    })
    ada.mutate.lists.insert({ id: newId(), ownerId: 'ada', title: 'x' })
    await app.settled()
    stop()
    await expect(app.close()).rejects.toMatchObject({ message: expect.stringContaining('a broken view') })
    apps.length = 0
  })

  test('what cannot settle is named before the runner ends the test', async () => {
    const app = await start({ authenticate: () => new Promise<never>(() => {}), settleMsMax: 4_000 })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const [said] = await Promise.all([app.device('ada').catch((error: unknown) => error), vi.advanceTimersByTimeAsync(4_000)])
      expect(said).toMatchObject({ code: 'not-settled', message: expect.stringContaining('device 1 of ada is connecting') })
    } finally {
      vi.useRealTimers()
    }
  })
})

test('a clock that is moved by hand is what mutators read on both sides', async () => {
  const clock = createTestClock(Date.UTC(2030, 0, 1))
  const app = await start({ clock })
  const [ada, phone] = [await app.device('ada'), await app.device('ada')]
  const listId = newId()
  ada.mutate.lists.insert({ id: listId, ownerId: 'ada', title: 'Food' })
  await clock.advance(60_000)
  ada.mutate.addItem({ id: newId(), listId, label: 'Bread' })
  phone.scope('list', listId)
  await app.settled()
  expect(phone.query.items.all()).toMatchObject([{ addedAt: '2030-01-01T00:01:00.000000Z' }])
})
