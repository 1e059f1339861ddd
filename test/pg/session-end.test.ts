// Sessions with the app that end while connections go on: by the app's word, by their time, on several servers, over both roads.

import { createClient } from '@headwater/client'
import { createMemoryDisks, nodePorts } from '@headwater/client/node'
import { type Authenticated, type Database, openPostgres } from '@headwater/server'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import WebSocket from 'ws'
import { clock } from '../../packages/client/src/browser.ts'
import { openPlainWith } from '../../packages/client/src/plain.ts'
import { keys, mutators, schema, startServer, type TestServer } from '../harness/app.ts'
import { databases, native, throughPooler } from '../harness/databases.ts'
import { untilLevel } from '../harness/device.ts'
import { connectWire, openWire } from '../harness/wire-device.ts'

// Each opens databases of its own, which takes long on a busy machine.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

const patience = { timeout: 60_000 }
const uuid = () => crypto.randomUUID()

let closing: (() => Promise<unknown>)[] = []
beforeEach(() => {
  closing = []
})
afterEach(async () => {
  for (const close of closing) await close()
})

/** Sessions as an app of its own would keep them: in a table beside its data. */
async function serve(database: Database): Promise<TestServer> {
  await database.execute('create table if not exists sessions (token text primary key, person text not null, ends timestamptz)')
  const authenticate = async ({ headers }: { readonly headers: Headers }): Promise<Authenticated> => {
    const [found] = await database.query(`select person, (extract(epoch from ends) * 1000)::bigint::text as ends from sessions where token = $1`, [
      headers.get('x-token') ?? '',
    ])
    if (found === undefined) return null
    const user = String(found.person)
    return found.ends === null ? user : { user, expiresAt: new Date(Number(found.ends)) }
  }
  const server = await startServer(database, { authenticate })
  closing.unshift(() => server.close())
  return server
}

async function prepared(open: typeof native.open) {
  const opened = await open()
  closing.push(() => opened.close())
  return opened
}

const signIn = (database: Database, token: string, person: string, ends: Date | null = null) =>
  database.query('insert into sessions values ($1, $2, $3::text::timestamptz)', [token, person, ends?.toISOString() ?? null])
const signOut = (database: Database, token: string) => database.query('delete from sessions where token = $1', [token])

/** What runs when somebody looks at the page again. */
const looks = new Set<() => void>()

/** The real client. Its credential is what `credential.token` is whenever it connects. */
function openDevice(url: string, user: string, credential: { token: string }, isPlain = false) {
  class TokenSocket extends WebSocket {
    constructor(address: string) {
      super(address, { headers: { 'x-token': credential.token } })
    }
  }
  const onChange = (run: () => void) => {
    looks.add(run)
    return () => void looks.delete(run)
  }
  const ports = { ...nodePorts({ directory: '', WebSocket: TokenSocket }), openDisk: createMemoryDisks().open, network: { isOnline: () => true, onChange } }
  const withToken: typeof fetch = (address, init) => fetch(address, { ...init, headers: { ...init?.headers, 'x-token': credential.token } })
  const device = createClient({ schema, mutators, url, user, ports: isPlain ? { ...ports, openSocket: openPlainWith(withToken, clock) } : ports })
  closing.unshift(() => device.close())
  return device
}

const wire = (url: string, user: string, token: string) => connectWire({ url, user, keys, headers: { 'x-token': token } })
const ended = expect.objectContaining({ type: 'failure', code: 'session-ended' })

describe.each(databases)('a session on $name', ({ open }) => {
  test('S8: that is ended by hand gets nothing more, its person’s other one goes on, and who greets with it again is nobody', async () => {
    const { database } = await prepared(open)
    const server = await serve(database)
    await signIn(database, 'lost phone', 'ada')
    await signIn(database, 'desk', 'ada')
    const [phone, desk] = await Promise.all(['lost phone', 'desk'].map((token) => wire(server.url, 'ada', token)))
    await signOut(database, 'lost phone')
    await server.authenticateAgain('ada')
    await phone?.until(() => phone.isClosed(), 'the end of the connection')
    expect(phone?.messages.at(-1)).toEqual(ended)
    const frames = phone?.frames.length
    await database.query(`insert into projects (id, owner_id, title) values ($1, 'ada', 'made after')`, [uuid()])
    await desk?.until(() => desk.rows('projects').some(({ title }) => title === 'made after'), 'what was written after')
    expect([phone?.frames.length, desk?.isClosed()]).toEqual([frames, false])
    const again = openWire({ url: server.url, user: 'ada', keys, headers: { 'x-token': 'lost phone' }, ...(phone && { id: phone.id, from: phone }) })
    await again.until(() => again.isClosed(), 'the answer to who is signed out')
    expect(again.messages).toEqual([expect.objectContaining({ type: 'failure', code: 'unauthenticated' })])
  })

  test('S8: that reaches its end gets nothing more, and what is in the outbox is sent once its person has signed in', async () => {
    const { database } = await prepared(open)
    const server = await serve(database)
    const credential = { token: 'short' }
    await signIn(database, 'short', 'ada')
    const device = openDevice(server.url, 'ada', credential)
    await untilLevel(device)
    const endsAt = Date.now() + 1_000
    await database.query(`update sessions set ends = $1::text::timestamptz`, [new Date(endsAt).toISOString()])
    await server.authenticateAgain('ada')
    // The device asks again with what it has by then: that is nobody’s any more.
    await expect.poll(() => device.status.get().problem?.code, patience).toBe('unauthenticated')
    expect(Date.now()).toBeGreaterThanOrEqual(endsAt)
    const made = device.mutate.projects.insert({ id: uuid(), ownerId: 'ada', title: 'made while signed out' })
    await made.saved
    expect([made.state(), device.status.get().pending]).toEqual(['saved', 1])
    await signIn(database, 'new', 'ada')
    credential.token = 'new'
    for (const look of looks) look()
    await expect.poll(() => device.status.get(), patience).toMatchObject({ phase: 'live', pending: 0, problem: null })
    expect(await made.confirmed).toEqual({ type: 'applied' })
  })

  test('S8: that was ended while the app was looking for it does not begin', async () => {
    const { database } = await prepared(open)
    let [looked, answer] = [() => {}, () => {}]
    const hasLooked = new Promise<void>((resolve) => {
      looked = resolve
    })
    const mayAnswer = new Promise<void>((resolve) => {
      answer = resolve
    })
    let isSignedIn = true
    const authenticate = async () => {
      const person = isSignedIn ? 'ada' : null
      looked()
      await mayAnswer
      return person
    }
    const server = await startServer(database, { authenticate })
    closing.unshift(() => server.close())
    const slow = openWire({ url: server.url, user: 'ada', keys })
    await hasLooked
    isSignedIn = false
    await server.authenticateAgain('ada')
    await server.level()
    answer()
    await slow.until(() => slow.isClosed(), 'the end of the connection')
    expect(slow.messages.at(-1)).toEqual(ended)
  })

  test('S8: over plain HTTP ends as over a socket, and with a new credential the device goes on by itself', async () => {
    const { database } = await prepared(open)
    const server = await serve(database)
    const credential = { token: 'first' }
    await signIn(database, 'first', 'ada')
    await signIn(database, 'renewed', 'ada')
    const device = openDevice(server.url, 'ada', credential, true)
    await untilLevel(device)
    const heard: (string | undefined)[] = []
    device.status.subscribe(() => heard.push(device.status.get().problem?.code))
    credential.token = 'renewed'
    await signOut(database, 'first')
    await server.authenticateAgain('ada')
    await expect.poll(() => heard.includes('session-ended') && device.status.get().phase, patience).toBe('live')
    expect(heard).not.toContain('unauthenticated')
    const id = uuid()
    await device.mutate.projects.insert({ id, ownerId: 'ada', title: 'goes on' }).confirmed
    expect(await database.query('select title from projects where id = $1', [id])).toEqual([{ title: 'goes on' }])
  })
})

describe('a session of which it is said in a transaction of somebody’s own', () => {
  test('S8: ends on every server, once that is committed and not before', async () => {
    const { database, url } = await prepared(native.open)
    const first = await serve(database)
    const second = await serve(await openPostgres(url ?? ''))
    await signIn(database, 'stolen', 'ada')
    await signIn(database, 'bobs', 'bob')
    const devices = await Promise.all([wire(first.url, 'ada', 'stolen'), wire(second.url, 'ada', 'stolen'), wire(second.url, 'bob', 'bobs')])
    await database.transaction('write', async (transaction) => {
      await transaction.query(`delete from sessions where person = 'ada'`)
      await transaction.query(`select 1 from headwater.authenticate_again('ada')`)
      // Others are told of what is committed meanwhile; this is not.
      await second.level()
      expect(devices.map((device) => device.isClosed())).toEqual([false, false, false])
    })
    await Promise.all(devices.slice(0, 2).map((device) => device.until(() => device.isClosed(), 'the end of the connection')))
    expect(devices.map((device) => device.messages.at(-1))).toEqual([ended, ended, expect.not.objectContaining({ type: 'failure' })])
    await second.level()
    expect(devices[2]?.isClosed()).toBe(false)
  })

  test('S8: ends through a pooler too, where nobody is notified', async () => {
    const { database } = await prepared(throughPooler.open)
    const server = await serve(database)
    await signIn(database, 'stolen', 'ada')
    const device = await wire(server.url, 'ada', 'stolen')
    await signOut(database, 'stolen')
    await server.authenticateAgain('ada')
    await device.until(() => device.isClosed(), 'the end of the connection')
    expect(device.messages.at(-1)).toEqual(ended)
  })

  test('S8: ends among more than memory holds of one transaction; with too many people, everybody is asked for', async () => {
    const { database } = await prepared(native.open)
    const server = await serve(database)
    await signIn(database, 'adas', 'ada')
    await signIn(database, 'bobs', 'bob')
    const [ada, bob] = await Promise.all([wire(server.url, 'ada', 'adas'), wire(server.url, 'bob', 'bobs')])
    await database.transaction('write', async (transaction) => {
      await transaction.query(`insert into projects (id, owner_id, title) select gen_random_uuid(), 'somebody', 'x' from generate_series(1, 20001)`)
      await transaction.query(`delete from sessions where token = 'adas'`)
      await transaction.query(`select 1 from headwater.authenticate_again('ada')`)
    })
    await ada?.until(() => ada.isClosed(), 'the end of the connection')
    expect([ada?.messages.at(-1), bob?.isClosed()]).toEqual([ended, false])
    await database.transaction('write', async (transaction) => {
      await transaction.query(`delete from sessions`)
      await transaction.query(`select count(headwater.authenticate_again('person ' || n)) from generate_series(1, 20001) n`)
    })
    await bob?.until(() => bob.isClosed(), 'the end of the connection')
    expect(bob?.messages.at(-1)).toEqual(ended)
  })

  test('is not for everybody who can connect to the database', async () => {
    const { database } = await prepared(native.open)
    await serve(database)
    const rights = await database.query(
      `select has_function_privilege('public', 'headwater.authenticate_again(text)', 'execute') as may, has_schema_privilege('public', 'headwater', 'usage') as enter`,
    )
    expect(rights).toEqual([{ may: false, enter: false }])
    await expect(database.query(`select 1 from headwater.authenticate_again(null)`)).resolves.toBeDefined()
    expect(await database.query(`select count(*)::int as told from headwater.log where op = 's'`)).toEqual([{ told: 0 }])
  })
})
