// R10: what a device holds and the database does not is found by checksums, and that scope is loaded again: it and nothing else.
import { createClient, type Disk, type OpenDisk } from '@headwater/client'
import { createMemoryDisks } from '@headwater/client/node'
import { type Down, decodeDown, decodeUp, type Up } from '@headwater/protocol'
import type { Database } from '@headwater/server'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { mutators, schema, startServer, type TestServer } from '../harness/app.ts'
import { databases } from '../harness/databases.ts'
import { untilLevel } from '../harness/device.ts'
import { personPorts } from '../harness/person.ts'

describe.each(databases)('repair on $name', ({ open }) => {
  let database: Database
  let server: TestServer
  let close: () => Promise<void>
  const clients: { close(): Promise<void> }[] = []

  beforeAll(async () => {
    const opened = await open()
    database = opened.database
    server = await startServer(database)
    close = opened.close
  })
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()))
  })
  afterAll(async () => {
    await server.close()
    await close()
  })

  interface Options {
    readonly user: string
    readonly url?: string
    readonly openDisk?: OpenDisk
    /** Changes what is heard. */
    readonly hear?: (frame: string) => string
  }

  function device({ user, url = server.url, openDisk = createMemoryDisks().open, hear = (frame) => frame }: Options) {
    const ports = personPorts(user)
    const heard: Down[] = []
    const said: Up[] = []
    const client = createClient({
      schema,
      mutators,
      url,
      user,
      ports: {
        ...ports,
        openDisk,
        openSocket: (address, events) => {
          const socket = ports.openSocket(address, {
            ...events,
            onMessage: (frame) => {
              heard.push(decodeDown(hear(frame)))
              events.onMessage(hear(frame))
            },
          })
          return {
            ...socket,
            send: (frame) => {
              said.push(decodeUp(frame))
              socket.send(frame)
            },
          }
        },
      },
    })
    clients.push(client)
    return { client, heard, said }
  }

  async function project(owner: string, title: string): Promise<string> {
    const id = crypto.randomUUID()
    await database.query('insert into projects (id, owner_id, title) values ($1::text::uuid, $2, $3)', [id, owner, title])
    return id
  }

  const titles = ({ client }: ReturnType<typeof device>) =>
    client.query.projects
      .orderBy('title')
      .all()
      .map((row) => row.title)
  const checked = ({ heard }: ReturnType<typeof device>) => heard.flatMap((message) => (message.type === 'checkpoint' ? (message.checks ?? []) : []))
  const repaired = ({ said }: ReturnType<typeof device>) => said.flatMap((message) => (message.type === 'repair' ? [...message.granted, ...message.held] : []))

  /** A disk whose records somebody has changed. */
  const tampered =
    (openDisk: OpenDisk, change: (record: string) => string): OpenDisk =>
    async (name) => {
      const disk: Disk = await openDisk(name)
      return { ...disk, read: async () => (await disk.read()).map(change) }
    }

  test('R10: what a device holds adds up to what the database says, and nothing is loaded', async () => {
    const person = `ada ${crypto.randomUUID()}`
    await database.query('insert into people (id) values ($1)', [person])
    await project(person, 'One')
    await project(person, 'Other')
    const ada = device({ user: person })
    await untilLevel(ada.client)
    expect(await ada.client.verify()).toEqual([])
    // Their own scope and one for each project.
    expect(checked(ada)).toHaveLength(3)
    expect(checked(ada).find(({ scope }) => scope === `user:${person}`)).toMatchObject({ load: 'granted', count: 2 })
    expect(repaired(ada)).toEqual([])
  })

  test.each([
    ['another value', (record: string) => record.replaceAll('"Broken"', '"Wrong"')],
    ['a row less', (record: string) => record.replace(/\["[^"]*","[^"]*","Broken"[^\]]*\],?/, '').replace(',]', ']')],
    [
      'a row more',
      (record: string) =>
        record.replace(/(\["[^"]*)(","[^"]*","Broken"[^\]]*\])/, (row, start: string, rest: string) => `${row},${start.slice(0, -4)}ffff${rest}`),
    ],
  ])('R10: a disk with %s is noticed: that scope alone is loaded again, and what is pending stays', async (_, change) => {
    const person = `bob ${crypto.randomUUID()}`
    await database.query('insert into people (id) values ($1)', [person])
    await project(person, 'Broken')
    const whole = await project(person, 'Whole')
    const disks = createMemoryDisks()
    const before = device({ user: person, openDisk: disks.open })
    await untilLevel(before.client)
    await before.client.close()
    const bob = device({ user: person, openDisk: tampered(disks.open, change) })
    await bob.client.ready
    expect(titles(bob)).not.toEqual(['Broken', 'Whole'])
    const pending = bob.client.mutate.visit({ id: whole })
    const troubles: string[] = []
    bob.client.onError((error) => troubles.push(error.code))
    const found = await bob.client.verify()
    expect(found).toContain(`user:${person}`)
    await expect.poll(() => titles(bob)).toEqual(['Broken', 'Whole'])
    expect(await pending.confirmed).toEqual({ type: 'applied' })
    expect(troubles).toContain('checksum')
    // Scopes that hold nothing wrong were not touched.
    expect(repaired(bob).every((scope) => found.includes(scope))).toBe(true)
    expect(repaired(bob)).not.toContain(`project:${whole}`)
    await expect.poll(() => bob.client.verify()).toEqual([])
    expect(bob.client.status.get().problem).toBeNull()
    expect(await database.query(`select count(*)::int as n from headwater.incidents where kind = 'checksum' and detail like $1`, [`%${person}%`])).toEqual([
      { n: 1 },
    ])
  })

  test('R10: a change that no trigger saw is found by verifying', async () => {
    const person = `eve ${crypto.randomUUID()}`
    await database.query('insert into people (id) values ($1)', [person])
    const id = await project(person, 'Seen')
    const eve = device({ user: person })
    await untilLevel(eve.client)
    await unseen(`update projects set title = 'Unseen' where id = '${id}'`)
    expect(titles(eve)).toEqual(['Seen'])
    expect([...(await eve.client.verify())].sort()).toEqual([`project:${id}`, `user:${person}`])
    await expect.poll(() => titles(eve)).toEqual(['Unseen'])
  })

  test('R10: the server looks by itself, scope by scope', async () => {
    const person = `joe ${crypto.randomUUID()}`
    await database.query('insert into people (id) values ($1)', [person])
    const id = await project(person, 'Seen')
    const clock = {
      now: () => Date.now(),
      timer: (afterMs: number, run: () => void) => {
        const timer = setTimeout(run, afterMs / 20)
        return () => clearTimeout(timer)
      },
    }
    const quick = await startServer({ ...database, close: async () => {} }, { ports: { clock } })
    const joe = device({ user: person, url: quick.url })
    await untilLevel(joe.client)
    await unseen(`update projects set title = 'Unseen' where id = '${id}'`)
    await expect.poll(() => titles(joe), { timeout: 10_000 }).toEqual(['Unseen'])
    await joe.client.close()
    await quick.close()
  })

  test('R10: what never adds up is repaired twice, said, and left alone: a device cannot loop', async () => {
    const person = `kay ${crypto.randomUUID()}`
    await database.query('insert into people (id) values ($1)', [person])
    await project(person, 'Seen')
    const kay = device({
      user: person,
      hear: (frame) => frame.replace(new RegExp(`("scope":"user:${person}","load":"granted","count":\\d+,"sum":)\\d+`), '$11'),
    })
    await untilLevel(kay.client)
    for (let i = 0; i < 4; i++) expect(await kay.client.verify()).toEqual([`user:${person}`])
    await expect.poll(() => kay.client.status.get().problem?.code).toBe('checksum')
    expect(repaired(kay)).toEqual([`user:${person}`, `user:${person}`])
    await project(person, 'Later')
    await expect.poll(() => titles(kay)).toEqual(['Later', 'Seen'])
    expect(kay.client.status.get()).toMatchObject({ phase: 'live', problem: { code: 'checksum' } })
  })

  /** As with triggers disabled, or by a tool that goes around them. */
  const unseen = (statement: string) =>
    database.execute(`alter table projects disable trigger "0_headwater_rows"; ${statement}; alter table projects enable always trigger "0_headwater_rows";`)
})
