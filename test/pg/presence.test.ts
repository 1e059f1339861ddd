// Who is here, over real connections: on both databases, on several servers, over plain HTTP, and through a pooler.
import { createPresence, type Gathering, type OpenSocket, type Presence } from '@headwater/client'
import { scopeKey } from '@headwater/protocol'
import { type Database, openPostgres, sql } from '@headwater/server'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { clock } from '../../packages/client/src/browser.ts'
import { openPlainWith } from '../../packages/client/src/plain.ts'
import { keys, startServer, type TestServer } from '../harness/app.ts'
import { databases, native, throughPooler } from '../harness/databases.ts'
import { openDevice, untilLevel } from '../harness/device.ts'
import { connectWire, type WireDevice } from '../harness/wire-device.ts'

// Each opens databases of its own, which takes long on a busy machine.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const passes = {
  user: sql`select person as "user", person as key, 'self' as role from passes`,
  project: sql`select person as "user", key, role from passes`,
}
const board = scopeKey('project', 'board')
const pass = (person: string) => `insert into passes values ('${person}', 'board', 'viewer');`

let closing: (() => Promise<unknown>)[] = []
let troubles: unknown[] = []
beforeEach(() => {
  closing = []
  troubles = []
})
afterEach(async () => {
  for (const close of closing) await close()
})

async function serve(database: Database): Promise<TestServer> {
  const server = await startServer(database, { grants: passes, onTrouble: (error) => troubles.push(error) })
  closing.unshift(() => server.close())
  return server
}

async function prepared(open: typeof native.open) {
  const opened = await open()
  closing.push(() => opened.close())
  await opened.database.execute(`create table passes (person text, key text, role text);${pass('ada')}${pass('bob')}`)
  return opened
}

async function device(url: string, user: string, openSocket?: OpenSocket): Promise<Presence> {
  const presence = createPresence()
  const client = openDevice({ url, user, presence: { ...presence, ports: (given) => presence.ports({ ...given, ...(openSocket && { openSocket }) }) } })
  closing.unshift(() => client.close())
  await untilLevel(client)
  return presence
}

/** What a device shows of the board, as who says what. */
const shown = ({ gathering }: Presence) => ofGathering(gathering('project', 'board'))
const ofGathering = ({ others }: Gathering) => others.map(({ user, value }) => [user, value]).toSorted()
const patience = { timeout: 30_000 }
const says = (value: string) => ({ type: 'presence', says: [{ scope: board, as: 'here', value }] }) as const
const hears = (one: WireDevice, user: string) => one.gathered.some(({ here }) => here.some((person) => person.user === user))

describe.each(databases)('presence on $name', ({ open }) => {
  test('two people see each other come, speak and go, and nothing of it is in the database', async () => {
    const { database } = await prepared(open)
    const { url } = await serve(database)
    const [ada, bob] = [await device(url, 'ada'), await device(url, 'bob')]
    const mine = ada.scope('project', 'board')
    mine.say('canary-4711')
    const theirs = bob.scope('project', 'board')
    theirs.say({ at: 1 })
    await expect.poll(() => [shown(ada), shown(bob)], patience).toEqual([[['bob', { at: 1 }]], [['ada', 'canary-4711']]])
    theirs.say({ at: 2 })
    await expect.poll(() => shown(ada), patience).toEqual([['bob', { at: 2 }]])
    const written = await database.query(`select coalesce(json_agg(l), '[]')::text as log from headwater.log l`)
    expect(String(written[0]?.log)).not.toContain('canary-4711')
    mine.release()
    await expect.poll(() => shown(bob), patience).toEqual([])
    theirs.release()
  })

  test('S1, S2: who is not granted the scope, or not any more, is not heard and hears nothing, to the last byte', async () => {
    const { database } = await prepared(open)
    const { url } = await serve(database)
    await database.execute(pass('cleo'))
    const [ada, bob, eve, cleo] = await Promise.all(['ada', 'bob', 'eve', 'cleo'].map((user) => connectWire({ url, user, keys })))
    if (!ada || !bob || !eve || !cleo) throw new Error('All four are there.')
    closing.unshift(async () => [ada, bob, eve, cleo].map((one) => one.close()))
    for (const one of [ada, bob, eve]) one.send(says('canary of the board'))
    await bob.until(() => hears(bob, 'ada') && hears(bob, 'bob'), 'both who are here')
    await eve.until(() => eve.gathered.length > 0, 'an answer')
    expect(eve.gathered).toEqual([{ type: 'presence', scope: board, granted: false, whole: true, count: 0, here: [], gone: [] }])
    await database.execute(`delete from passes where person = 'bob'`)
    await bob.until(() => bob.gathered.at(-1)?.granted === false, 'the loss')
    await ada.until(() => ada.gathered.some(({ gone }) => gone.length > 0), 'that bob is gone')
    const framesThen = bob.gathered.length
    bob.send(says('canary from outside'))
    ada.send(says('canary for the inside'))
    // Cleo comes after all that: what she is told, the others were.
    cleo.send(says('cleo'))
    await ada.until(() => hears(ada, 'cleo'), 'cleo')
    await bob.until(() => bob.gathered.length > framesThen, 'the answer to what bob said')
    expect(bob.gathered.slice(framesThen).every(({ granted }) => !granted)).toBe(true)
    expect(bob.frames.join().includes('canary for the inside')).toBe(false)
    expect([ada, cleo].some(({ frames }) => frames.join().includes('canary from outside'))).toBe(false)
    expect(cleo.gathered.flatMap(({ here }) => here.map(({ user }) => user))).not.toContain('bob')
    expect(eve.frames.join()).not.toContain('canary')
    // And with the grant again, both by itself.
    await database.execute(pass('bob'))
    await bob.until(() => hears(bob, 'cleo'), 'cleo, with the grant')
    await ada.until(() => ada.gathered.some(({ here }) => here.some(({ value }) => value === 'canary from outside')), 'what bob says')
    expect(troubles).toEqual([])
  })

  test('over plain HTTP as by a socket', async () => {
    const { database } = await prepared(open)
    const { url } = await serve(database)
    const withUser: typeof fetch = (to, init) => fetch(to, { ...init, headers: { ...init?.headers, 'x-user': 'ada' } })
    const [ada, bob] = [await device(url, 'ada', openPlainWith(withUser, clock)), await device(url, 'bob')]
    ada.scope('project', 'board').say('plain')
    bob.scope('project', 'board').say('socket')
    await expect.poll(() => [shown(ada), shown(bob)], patience).toEqual([[['bob', 'socket']], [['ada', 'plain']]])
  })
})

describe('presence on several servers', () => {
  async function two() {
    const { database, url } = await prepared(native.open)
    const other = await openPostgres(url ?? '')
    return { servers: [await serve(database), await serve(other)] as const, database }
  }

  test('people on two servers see each other; one that stops takes its people along, and a session that is cut is made good', async () => {
    const { servers, database } = await two()
    const [ada, bob] = [await device(servers[0].url, 'ada'), await device(servers[1].url, 'bob')]
    const mine = ada.scope('project', 'board')
    mine.say(1)
    bob.scope('project', 'board').say(1)
    await expect.poll(() => [shown(ada), shown(bob)], patience).toEqual([[['bob', 1]], [['ada', 1]]])
    mine.say(2)
    await expect.poll(() => shown(bob), patience).toEqual([['ada', 2]])
    // Every session that listens is ended: what is said meanwhile is heard by nobody.
    await database.query(`select count(pg_terminate_backend(pid)::text)::text from pg_stat_activity where query ilike 'listen%' and pid <> pg_backend_pid()`)
    mine.say(3)
    await expect.poll(() => [shown(ada), shown(bob)], patience).toEqual([[['bob', 1]], [['ada', 3]]])
    await servers[0].close()
    await expect.poll(() => shown(bob), patience).toEqual([])
  })

  test('S2 on two servers: who is revoked is gone on both', async () => {
    const { servers, database } = await two()
    const [ada, bob] = [await device(servers[0].url, 'ada'), await device(servers[1].url, 'bob')]
    ada.scope('project', 'board').say('a')
    bob.scope('project', 'board').say('b')
    await expect.poll(() => [shown(ada), shown(bob)], patience).toEqual([[['bob', 'b']], [['ada', 'a']]])
    await database.execute(`delete from passes where person = 'bob'`)
    await expect.poll(() => [shown(ada), shown(bob), bob.gathering('project', 'board').state], patience).toEqual([[], [], 'denied'])
  })

  test('through a pooler people of one server see each other, and the server says that those of others are not seen', async () => {
    const { database } = await prepared(throughPooler.open)
    const { url } = await serve(database)
    const [ada, bob] = [await device(url, 'ada'), await device(url, 'bob')]
    ada.scope('project', 'board').say('a')
    bob.scope('project', 'board')
    await expect.poll(() => shown(bob), patience).toEqual([['ada', 'a']])
    expect(troubles.map(String).join()).toContain('People who are connected to other servers are not seen')
  })
})
