// The log does not grow for ever, and nobody notices: what is pruned is needed by nobody, and who was away for too long loads again.
import { createMemoryDisks } from '@headwater/client/node'
import { type Down, decodeDown } from '@headwater/protocol'
import { createServer, type Database, readStatus, type Transaction } from '@headwater/server'
import postgres from 'postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openPostgres } from '../../packages/server/src/database/postgres.ts'
import { readStep } from '../../packages/server/src/feed/log.ts'
import { prunePiece } from '../../packages/server/src/feed/prune.ts'
import { createPruner } from '../../packages/server/src/feed/pruner.ts'
import { snapshotOf } from '../../packages/server/src/feed/snapshot.ts'
import { limits } from '../../packages/server/src/limits.ts'
import { forgetPiece } from '../../packages/server/src/mutate/forget.ts'
import { access, grants, keys, mutators, schema, startServer, type TestServer } from '../harness/app.ts'
import { type DatabaseKind, databases } from '../harness/databases.ts'
import { openDevice, untilLevel } from '../harness/device.ts'
import { lowerLimits } from '../harness/limits.ts'
import { startNative } from '../harness/native.ts'
import { everything, pruneTo } from '../harness/prune.ts'
import { connectWire, openWire } from '../harness/wire-device.ts'

const patience = { timeout: 15_000, interval: 20 }

/** Of its own: what is open in any database of a server is in the way of pruning. */
async function openNative() {
  const native = await startNative({ durable: false })
  const url = native.url(await native.createDatabase())
  const database = await openPostgres(url)
  const close = async () => {
    await database.close()
    await native.stop()
  }
  return { database, url, close }
}

const kinds: readonly DatabaseKind[] = databases.map((kind) => (kind.name === 'embedded' ? kind : { ...kind, open: openNative }))

describe.each(kinds)('pruning on $name', ({ open }) => {
  let database: Database
  let server: TestServer
  let url: string | null
  let close: () => Promise<void>

  beforeAll(async () => {
    const opened = await open()
    ;({ database, url } = opened)
    server = await startServer(database)
    close = async () => {
      await server.close()
      await opened.close()
    }
  })
  beforeEach(async () => {
    await database.query('delete from headwater.log_holds')
    await write(1)
    // Nothing is pruned before the server has read it: here everything may be, as it never is where an hour stays.
    await server.level()
    await pruneTo(database, 1)
  })
  afterAll(() => close())

  const write = (count: number) =>
    database.query(`insert into projects (id, owner_id, title) select gen_random_uuid(), 'ada', 'project ' || i from generate_series(1, $1::int) i`, [count])
  const writeOneByOne = async (count: number) => {
    for (let i = 0; i < count; i++) await write(1)
  }
  const logged = async () => Number((await database.query('select count(*)::int as n from headwater.log'))[0]?.n)
  const log = async () => (await readStatus(database)).log

  test('the last rows stay, what is young enough stays, and the floor is where the log begins', async () => {
    await writeOneByOne(30)
    expect(await pruneTo(database, 1_000)).toBe(null)
    expect(await logged()).toBe(31)
    expect(await pruneTo(database, 10, { minutes: 60, rows: 1_000_000, bytes: 1e9 })).toBe(null)
    expect(await logged()).toBe(31)
    await database.query(`update headwater.log set at = at - interval '2 hours' where seq in (select seq from headwater.log order by xid limit 15)`)
    expect(await pruneTo(database, 10, { minutes: 60, rows: 1_000_000, bytes: 1e9 })).toBe(null)
    expect(await logged()).toBe(16)
    const [first] = await database.query('select min(xid::text::bigint)::text as xid, min(at)::text as at from headwater.log')
    expect(await log()).toMatchObject({ rows: 16, floor: first?.xid, heldBy: null, prunedAt: expect.stringMatching(/Z$/), oldest: expect.stringMatching(/Z$/) })
    expect(await pruneTo(database, 10)).toBe(null)
    expect(await logged()).toBe(10)
  })

  test('beyond the limit of rows or of bytes the age says nothing but the last hour', async () => {
    await writeOneByOne(20)
    await database.query(`update headwater.log set at = at - interval '2 hours' where seq in (select seq from headwater.log order by xid limit 15)`)
    const lots = { minutes: 10_000, rows: 1_000_000, bytes: 1e9 }
    const piece = (bounds: typeof lots) => prunePiece(database, bounds, { minutes: 60, rows: 3 })
    expect(await piece(lots)).toMatchObject({ rows: 0 })
    expect(await piece({ ...lots, rows: 10 })).toMatchObject({ rows: 15, heldBy: null })
    expect(await piece({ ...lots, bytes: 100 })).toMatchObject({ rows: 0 })
    await database.query(`update headwater.log set at = at - interval '2 hours'`)
    expect(await piece({ ...lots, bytes: 100 })).toMatchObject({ rows: 3 })
  })

  test('a transaction of more rows than a piece goes as a whole, below a floor that has risen first', async () => {
    const piece = limits.prunePieceRows[database.kind]
    await write(piece * 2 + 7)
    await writeOneByOne(2)
    expect(await prunePiece(database, everything, { minutes: 0, rows: 2 })).toMatchObject({ rows: 1 })
    const floor = BigInt((await log()).floor)
    expect(await prunePiece(database, everything, { minutes: 0, rows: 2 })).toMatchObject({ rows: piece, hasMore: true })
    expect(BigInt((await log()).floor)).toBe(floor + 1n)
    expect(await pruneTo(database, 2)).toBe(null)
    expect(await logged()).toBe(2)
  })

  test('a hold keeps what it needs, is named in the status, and does so no longer than it says', async () => {
    await writeOneByOne(10)
    const [fifth] = await database.query('select l.xid::text as xid from headwater.log l order by l.xid, l.seq offset 5 limit 1')
    await database.query(`insert into headwater.log_holds (name, xid) values ('trail', $1::text::xid8)`, [String(fifth?.xid)])
    expect(await pruneTo(database, 1)).toBe('trail')
    expect(await log()).toMatchObject({ rows: 6, floor: fifth?.xid, heldBy: 'trail' })
    await database.query(`update headwater.log_holds set until = now() - interval '1 second'`)
    expect(await pruneTo(database, 1)).toBe(null)
    expect(await log()).toMatchObject({ rows: 1, heldBy: null })
  })

  test('a reader that stood still while the log was pruned is told, and is not given what is left', async () => {
    const [before] = await database.query('select pg_current_snapshot()::text as s')
    await writeOneByOne(5)
    await pruneTo(database, 2)
    await expect(readStep(database, snapshotOf(String(before?.s)), 1_000)).rejects.toMatchObject({ code: 'unavailable' })
    const [after] = await database.query('select pg_current_snapshot()::text as s')
    await write(1)
    expect((await readStep(database, snapshotOf(String(after?.s)), 1_000)).rows).toHaveLength(1)
  })

  test('F9: away for a month: it comes back with its outbox and loads again; who was away for a moment goes on', async () => {
    const disks = createMemoryDisks()
    const own = (title: string) => ({ id: crypto.randomUUID(), ownerId: 'eve', title })
    const first = openDevice({ url: server.url, user: 'eve', disks })
    await untilLevel(first)
    await first.mutate.projects.insert(own('before')).confirmed
    await first.close()
    const offline = openDevice({ url: server.url, user: 'eve', disks, onSocket: (socket) => socket.terminate() })
    await offline.mutate.projects.insert(own('while away')).saved
    await offline.close()
    await database.query(`insert into projects (id, owner_id, title) values (gen_random_uuid(), 'eve', 'by another')`)
    await writeOneByOne(100)
    const recent = await connectWire({ url: server.url, user: 'eve', keys })
    recent.close()
    await server.level()
    await pruneTo(database, 90)
    const heard: Down[] = []
    const back = openDevice({ url: server.url, user: 'eve', disks, onSocket: (socket) => socket.on('message', (data) => heard.push(decodeDown(String(data)))) })
    await untilLevel(back)
    const titles = back.query.projects.orderBy('title').all()
    expect(titles.map(({ title }) => title)).toEqual(['before', 'by another', 'while away'])
    expect(heard.find(({ type }) => type === 'welcome')).toMatchObject({ resumed: false, reason: 'pruned' })
    expect(await database.query(`select title from projects where owner_id = 'eve'`)).toHaveLength(3)
    await back.close()
    const again = openWire({ url: server.url, user: 'eve', keys, id: recent.id, from: recent })
    const { hello } = again
    again.hello = () => hello({ grants: recent.messages.flatMap((message) => (message.type === 'checkpoint' ? (message.grants?.tag ?? []) : []))[0] ?? null })
    await again.until(() => again.messages.some(({ type }) => type === 'checkpoint'), 'the greeting')
    expect(again.messages[0]).toMatchObject({ type: 'welcome', resumed: true, reason: '' })
    again.close()
  })

  // `DEVICES=1000 npx vitest run --project pg test/pg/prune.test.ts` is a crowd.
  test('F9: many devices that were away for too long, at once', { timeout: 120_000 }, async () => {
    const known = await connectWire({ url: server.url, user: 'bob', keys })
    known.close()
    await writeOneByOne(80)
    await server.level()
    await pruneTo(database, 70)
    await database.query(`insert into projects (id, owner_id, title) values (gen_random_uuid(), 'bob', 'meanwhile')`)
    const crowd = Array.from({ length: Number(process.env.DEVICES ?? 100) }, () => {
      const device = openWire({ url: server.url, user: 'bob', keys })
      const { hello } = device
      device.hello = () => hello({ cursor: known.cursor() })
      return device
    })
    await Promise.all(crowd.map((device) => device.until(() => device.rows('projects').length === 1, 'the project')))
    for (const device of crowd) {
      expect(device.messages[0]).toMatchObject({ type: 'welcome', resumed: false, reason: 'pruned' })
      device.close()
    }
  })

  test('a server says what it needs and prunes by itself; what is in the way of it for long is reported', async () => {
    await writeOneByOne(20)
    await database.query(`update headwater.log set at = at - interval '2 hours'`)
    const [tenth] = await database.query('select l.xid::text as xid from headwater.log l order by l.xid offset 10 limit 1')
    const troubles: unknown[] = []
    const timers: { readonly afterMs: number; readonly run: () => void }[] = []
    const timer = (afterMs: number, run: () => void) => {
      timers.push({ afterMs, run })
      return () => {}
    }
    const clock = { now: () => 0, timer }
    const bounds = { minutes: 60, rows: 1_000, bytes: 1e9 }
    const needs = () => BigInt(String(tenth?.xid))
    const pruner = createPruner({
      database,
      clock,
      name: 'one',
      bounds,
      kept: { minutes: 60, rows: 1 },
      needs,
      forget: () => forgetPiece(database),
      onTrouble: (one) => troubles.push(one),
    })
    for (let look = 1; look <= limits.heldLooks; look++) {
      const next = timers.pop()
      expect(next?.afterMs).toBe(limits.pruneMs)
      next?.run()
      await expect.poll(() => timers.at(-1)?.afterMs, patience).toBe(limits.pruneMs)
      expect(await log()).toMatchObject({ floor: tenth?.xid, heldBy: 'server one' })
      expect(troubles).toHaveLength(look < limits.heldLooks ? 0 : 1)
    }
    expect(troubles[0]).toMatchObject({ code: 'log-held', message: expect.stringContaining('server one') })
    await pruner.stop()
    expect(await database.query('select name from headwater.log_holds')).toEqual([])
    expect(await pruneTo(database, 1)).toBe(null)
  })

  test('of several servers that look at once, one prunes', async () => {
    await writeOneByOne(40)
    const before = await logged()
    const found = await Promise.all(Array.from({ length: 5 }, () => prunePiece(database, everything, { minutes: 0, rows: 10 }).catch(() => null)))
    const gone = found.reduce((sum, piece) => sum + (piece?.rows ?? 0), 0)
    expect(await logged()).toBe(before - gone)
    await pruneTo(database, 10)
    expect(await logged()).toBe(10)
  })

  test('limits that leave too little are refused before anything is opened', async () => {
    for (const log of [{ minutes: 59 }, { rows: 999 }, { bytes: 1_000 }, { minutes: Number.NaN }, { rows: 1e20 }])
      await expect(createServer({ schema, access, mutators, grants, database, authenticate: () => null, log })).rejects.toMatchObject({ code: 'invalid' })
  })

  test('the record of a mutation stays while its device may not know of it, and goes after', async () => {
    const device = await connectWire({ url: server.url, user: 'ada', keys })
    const numbers = [1, 2, 3].map((i) => device.push('projects.insert', { id: crypto.randomUUID(), ownerId: 'ada', title: `mutation ${i}` }))
    await device.until(() => numbers.every((number) => device.outcomes.has(number)), 'the outcomes')
    device.close()
    const records = () => database.query('select number::int as number from headwater.mutations where device = $1 order by number', [device.id])
    await database.query(`update headwater.mutations set at = at - interval '31 days'`)
    await forgetPiece(database)
    expect(await records()).toHaveLength(3)
    const again = openWire({ url: server.url, user: 'ada', keys, id: device.id, from: device })
    const { hello } = again
    again.hello = () => hello({ confirmed: 2 })
    await again.until(() => again.messages.some(({ type }) => type === 'checkpoint'), 'the greeting')
    again.close()
    await forgetPiece(database)
    expect(await records()).toEqual([{ number: 3 }])
    await database.query(`update headwater.devices set seen_at = now() - interval '401 days'`)
    await forgetPiece(database)
    expect(await database.query('select id from headwater.devices where id = $1', [device.id])).toHaveLength(1)
    await database.query('update headwater.devices set confirmed = last_number where id = $1', [device.id])
    await forgetPiece(database)
    expect(await records()).toEqual([])
    expect(await database.query('select id from headwater.devices where id = $1', [device.id])).toHaveLength(0)
  })

  test('incidents go when they are old, and beyond a number the oldest first, in pieces', async () => {
    const left = async () => (await database.query(`select detail from headwater.incidents order by id`)).map(({ detail }) => detail)
    const put = (text: string, count: number, at = 'now()') =>
      database.query(`insert into headwater.incidents (kind, detail, at) select 'forked', $1 || i, ${at} from generate_series(1, $2::int) i`, [text, count])
    await put('old ', 2, `now() - interval '91 days'`)
    await put('new ', 5)
    expect(await forgetPiece(database)).toEqual({ hasMore: false })
    expect(await left()).toEqual(['new 1', 'new 2', 'new 3', 'new 4', 'new 5'])
    const restore = lowerLimits({ incidentsMax: 3 })
    expect(await forgetPiece(database)).toEqual({ hasMore: false })
    expect(await left()).toEqual(['new 3', 'new 4', 'new 5'])
    const piece = limits.prunePieceRows[database.kind]
    await put('flood ', piece + 3)
    expect(await forgetPiece(database)).toEqual({ hasMore: true })
    expect(await forgetPiece(database)).toEqual({ hasMore: false })
    expect(await left()).toEqual([1, 2, 3].map((i) => `flood ${piece + i}`))
    restore()
  })

  test('an open transaction keeps what it may still add to', async () => {
    if (url === null) return
    const sql = postgres(url, { max: 2, onnotice: () => {} })
    const slow = await sql.reserve()
    await slow`begin`
    await slow`insert into projects (id, owner_id, title) values (gen_random_uuid(), 'ada', 'slow')`
    const [open] = await slow`select pg_current_xact_id()::text as xid`
    await writeOneByOne(10)
    expect(await pruneTo(database, 1)).toBe('an open transaction')
    expect(await log()).toMatchObject({ heldBy: 'an open transaction', floor: open?.xid })
    await slow`commit`
    slow.release()
    expect(await pruneTo(database, 1)).toBe(null)
    expect(await log()).toMatchObject({ rows: 1, heldBy: null })
    await sql.end()
  })

  test('a step reads the index, whatever the planner believes of a log that was empty, filled at once, or pruned', async () => {
    /** How often somebody read all of the log for what `run` asks. */
    const scansBy = (run: (transaction: Transaction) => Promise<unknown>) =>
      database.transaction('read', async (transaction) => {
        const count = async () => Number((await transaction.query(`select pg_stat_get_xact_numscans('headwater.log'::regclass)::int as n`))[0]?.n)
        const before = await count()
        await run(transaction)
        return (await count()) - before
      })
    const step = (since: string) => scansBy((transaction) => readStep(transaction, snapshotOf(since), 1_000))
    const now = async () => String((await database.query('select pg_current_snapshot()::text as s'))[0]?.s)
    const before = await now()
    await database.query('analyze headwater.log')
    // In one transaction, as an import is, before anybody has looked at the log again.
    await write(6_000)
    await writeOneByOne(5)
    await server.level()
    expect([await step(before), await step(await now())]).toEqual([0, 0])
    await pruneTo(database, 20)
    expect(await step(await now())).toBe(0)
    await database.query('analyze headwater.log')
    await writeOneByOne(5)
    expect(await step(await now())).toBe(0)
    // The count counts: who asks without the index is seen.
    expect(await scansBy((transaction) => transaction.query('select count(*) from headwater.log where depth = 77'))).toBe(1)
  })

  test('F12: ended at any point, what it left is whole from its floor on, and going on completes it', { timeout: 60_000 }, async () => {
    if (url === null) return
    const sql = postgres(url, { max: 1, onnotice: () => {} })
    let ended = 0
    // When it is ended is left to chance: until it was once.
    for (let trial = 0; trial < 5 || (ended === 0 && trial < 50); trial++) {
      await database.query('delete from headwater.log_holds')
      await write(5_500)
      for (let i = 0; i < 4; i++) await write(600)
      await sql`drop table if exists copied`
      await sql`create table copied as select seq, xid from headwater.log`
      const pruning = pruneTo(database, 500).catch(() => 'ended')
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 40))
      await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query ilike '%headwater.log%' and pid <> pg_backend_pid() and state <> 'idle'`
      if ((await pruning) === 'ended') ended++
      const missing =
        await sql`select c.seq from copied c, headwater.identity i where c.xid >= i.floor and not exists (select from headwater.log l where l.seq = c.seq)`
      expect(missing, `trial ${trial}`).toHaveLength(0)
      // A session that was ended lets go of its lock in its own time.
      await expect.poll(async () => [await pruneTo(database, 500).catch(() => 'not yet'), await logged()], patience).toEqual([null, 600])
    }
    expect(ended).toBeGreaterThan(0)
    await sql.end()
  })
})
