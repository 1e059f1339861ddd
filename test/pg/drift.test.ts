// Hard case 5: what others do to captured tables while a server runs, with devices that are connected and one that was away.
import { createClient } from '@headwater/client'
import { createMemoryDisks } from '@headwater/client/node'
import { defineSchema, holdersMayWrite, table, text, uuid } from '@headwater/schema'
import { createServer, type Database, sql } from '@headwater/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { limits } from '../../packages/server/src/limits.ts'
import { startServer, type TestServer } from '../harness/app.ts'
import { databases } from '../harness/databases.ts'
import { type Device, openDevice, untilLevel } from '../harness/device.ts'
import { personPorts } from '../harness/person.ts'

const soon = { timeout: 15_000 }

describe.each(databases)('foreign DDL on $name', ({ open }) => {
  let database: Database
  let server: TestServer
  let online: Device
  let close: () => Promise<void>
  const id = crypto.randomUUID()
  const said: unknown[] = []

  beforeAll(async () => {
    const opened = await open()
    database = opened.database
    server = await startServer(database, { onTrouble: (error) => said.push(error) })
    await database.query(`insert into projects (id, owner_id, title) values ($1::text::uuid, 'ada', 'first')`, [id])
    online = openDevice({ url: server.url, user: 'ada' })
    await untilLevel(online)
    close = async () => {
      await online.close()
      await server.close()
      await opened.close()
    }
  })
  afterAll(() => close())

  const titles = (device: Device) => device.query.projects.all().map(({ title }) => title)
  const troubles = async () => (await server.status()).troubles
  const wasSaid = (text: string) => expect.poll(() => said.filter((error) => String(error).includes(text)).length, soon).toBeGreaterThan(0)
  /** A device that is away while `change` runs. */
  async function away(change: () => Promise<void>): Promise<Device> {
    const disks = createMemoryDisks()
    const before = openDevice({ url: server.url, user: 'ada', disks })
    await untilLevel(before)
    await before.close()
    await change()
    const back = openDevice({ url: server.url, user: 'ada', disks })
    await untilLevel(back)
    return back
  }

  test('R7 what was written while a trigger was disabled is on every device soon after, and is said', async () => {
    const back = await away(async () => {
      await database.execute(`alter table projects disable trigger all; update projects set title = 'unseen'; alter table projects enable trigger all;`)
      await expect.poll(() => titles(online), soon).toEqual(['unseen'])
    })
    expect(titles(back)).toEqual(['unseen'])
    await wasSaid('Somebody changed table projects')
    await database.execute(`update projects set title = 'seen'`)
    for (const device of [online, back]) await expect.poll(() => titles(device), soon).toEqual(['seen'])
    await back.close()
  })

  test('dropped triggers and a replaced function are put back', async () => {
    await database.execute(`drop trigger "0_headwater_rows" on projects; update projects set title = 'dropped'`)
    await expect.poll(() => titles(online), soon).toEqual(['dropped'])
    await database.execute(`
      create or replace function headwater.capture_projects() returns trigger language plpgsql security definer as $$ begin return null; end $$;
      update projects set title = 'replaced'`)
    await expect.poll(() => titles(online), soon).toEqual(['replaced'])
    await database.execute(`update projects set title = 'captured'`)
    await expect.poll(() => titles(online), soon).toEqual(['captured'])
  })

  test('columns that the schema does not know come and go without a word', async () => {
    const before = await database.query(`select count(*)::int as n from headwater.log where op = 'b'`)
    await database.execute('alter table projects add column colour text default $$red$$')
    await database.execute(`update projects set title = 'coloured'`)
    await expect.poll(() => titles(online), soon).toEqual(['coloured'])
    await database.execute('alter table projects drop column colour')
    await expect
      .poll(
        async () =>
          (
            await database.query(`select c.form = k.form as same from headwater.captures c, headwater.catalogue(array['projects']) k where c.name = 'projects'`)
          )[0],
        soon,
      )
      .toEqual({ same: true })
    expect(await database.query(`select count(*)::int as n from headwater.log where op = 'b'`)).toEqual(before)
  })

  test('values that ALTER TYPE rewrites are loaded again, though the type is the same', async () => {
    await database.execute(`alter table projects alter column visits type integer using 41 + visits`)
    await expect.poll(() => online.query.projects.all().map(({ visits }) => visits), soon).toEqual([41])
  })

  test('a type that does not suit: nobody writes to the table, nothing of it is loaded, mutations wait, and all goes on once it suits again', async () => {
    await database.execute(`alter table projects alter column visits type text using visits::text`)
    // At once, before anybody has noticed.
    await expect(database.query(`update projects set title = 'wrong'`)).rejects.toMatchObject({ code: 'sql' })
    const waiting = online.mutate.visit({ id })
    await expect.poll(troubles, soon).toEqual({ projects: 'projects.visits is text in the database, and integer in the schema' })
    await wasSaid('projects.visits is text')
    await expect(database.query(`update projects set title = 'wrong'`)).rejects.toMatchObject({
      hint: expect.stringContaining('headwater migrate'),
      details: { sqlstate: 'HW004', message: expect.stringContaining('projects cannot be written to') },
    })
    expect((await fetch(`${server.url}/headwater/query/projects`, { headers: { 'x-user': 'ada' } })).status).toBe(503)
    const fresh = openDevice({ url: server.url, user: 'ada' })
    await expect.poll(() => fresh.status.get().problem, soon).toMatchObject({ code: 'unavailable' })
    expect(titles(fresh)).toEqual([])
    // What is not concerned goes on.
    await database.query(`insert into samples (id, owner_id, text) values (gen_random_uuid(), 'ada', 'goes on')`)
    await expect.poll(() => online.query.samples.all().length, soon).toBe(1)
    expect(online.pending.get()).toHaveLength(1)
    await database.execute(`alter table projects alter column visits type integer using visits::integer`)
    await expect.poll(troubles, soon).toEqual({})
    expect(await waiting.confirmed).toEqual({ type: 'applied' })
    for (const device of [online, fresh]) await expect.poll(() => device.query.projects.all().map(({ visits }) => visits), soon).toEqual([42])
    await fresh.close()
  })

  test.each([
    [
      'a renamed column',
      'alter table projects rename column title to name',
      'alter table projects rename column name to title',
      'there is no column projects.title',
    ],
    ['a renamed table', 'alter table projects rename to plans', 'alter table plans rename to projects', 'there is no table projects'],
  ])('%s is said, writes fail, and all goes on once it is back', async (_, change, back, trouble) => {
    await database.execute(change)
    await expect.poll(troubles, soon).toEqual({ projects: expect.stringContaining(trouble) })
    const now = change.endsWith('plans') ? 'plans' : 'projects'
    await expect(database.query(`update ${now} set slug = 'x'`)).rejects.toMatchObject({ details: { sqlstate: 'HW004' } })
    await database.execute(back)
    await expect.poll(troubles, soon).toEqual({})
    await database.execute(`update projects set title = 'back'`)
    await expect.poll(() => titles(online), soon).toEqual(['back'])
  })
})

describe.each(databases)('before anybody has looked, on $name', ({ open }) => {
  test('whoever loads a table that was just changed gets nothing of it, and then what is right', async () => {
    const opened = await open()
    const { database } = opened
    // A clock on which the second never comes after which a server looks by itself.
    const timer = (afterMs: number, run: () => void) => {
      const set = afterMs === limits.driftMs ? undefined : setTimeout(run, afterMs)
      return () => clearTimeout(set)
    }
    const server = await startServer({ ...database, close: async () => {} }, { ports: { clock: { now: () => Date.now(), timer } } })
    await database.query(`insert into projects (id, owner_id, title) values (gen_random_uuid(), 'ada', 'first')`)
    await database.execute(`alter table projects alter column visits type text using 'wrong'`)
    const device = openDevice({ url: server.url, user: 'ada' })
    await expect.poll(() => device.status.get().problem, soon).toMatchObject({ code: 'unavailable' })
    expect((await server.status()).troubles).toEqual({ projects: expect.stringContaining('visits is text') })
    expect(device.query.projects.all()).toEqual([])
    await database.execute(`alter table projects alter column visits type integer using 3`)
    // A load that comes by something else looks as well.
    await expect.poll(() => device.query.projects.all().map(({ visits }) => visits), soon).toEqual([3])
    await device.close()
    await server.close()
    await opened.close()
  })
})

describe.each(databases)('partitions on $name', ({ open }) => {
  test('one that is attached, detached or emptied by itself is noticed, and devices load the table again', async () => {
    const opened = await open()
    const { database } = opened
    await database.execute(`
      create table samples (id uuid not null, owner_id text not null, text text, primary key (id, owner_id)) partition by list (owner_id);
      create table samples_ada partition of samples for values in ('ada'); create table samples_rest partition of samples default;
      insert into samples values (gen_random_uuid(), 'ada', 'one');`)
    const schema = defineSchema({ samples: table({ id: uuid(), ownerId: text(), text: text().nullable() }).primaryKey('id', 'ownerId').in('user', 'ownerId') })
    await database.execute(`create table people (id text primary key); insert into people values ('ada')`)
    const server = await createServer({
      schema,
      access: holdersMayWrite(schema),
      grants: { user: sql`select id as "user", id as key, 'self' as role from people` },
      authenticate: ({ headers }) => headers.get('x-user'),
      database,
    })
    const { url } = await server.listen({ port: 0 })
    const device = createClient({
      schema,
      url,
      user: 'ada',
      ports: { ...personPorts('ada'), openDisk: createMemoryDisks().open },
    })
    const texts = () => device.query.samples.all().map((row) => row.text)
    await expect.poll(texts, soon).toEqual(['one'])
    await database.execute('alter table samples detach partition samples_ada')
    await expect.poll(texts, soon).toEqual([])
    await database.execute(`update samples_ada set text = 'two'; alter table samples attach partition samples_ada for values in ('ada')`)
    await expect.poll(texts, soon).toEqual(['two'])
    await database.execute(`update samples_ada set text = 'three'`)
    await expect.poll(texts, soon).toEqual(['three'])
    await database.execute('truncate samples_ada')
    await expect.poll(texts, soon).toEqual([])
    await device.close()
    await server.close()
    await opened.close()
  })
})
