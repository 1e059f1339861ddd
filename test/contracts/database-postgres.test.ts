// What only a real server can show: sessions that end, a server that restarts, and networks.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openPostgres } from '../../packages/server/src/database/postgres.ts'
import type { Database } from '../../packages/server/src/ports.ts'
import { type Native, startNative } from '../harness/native.ts'
import { openProxy, type TcpProxy } from '../harness/proxy.ts'

let native: Native
let database: Database
let name: string

beforeAll(async () => {
  native = await startNative()
  name = await native.createDatabase()
})
beforeEach(async () => {
  database = await openPostgres(native.url(name))
  await database.execute('drop table if exists item; create table item (id bigint primary key)')
})
afterEach(() => database.close())
afterAll(() => native.stop())

const ids = async () => (await database.query('select id::int as id from item order by id')).map(({ id }) => id)
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const terminate = (pid: unknown) => database.query('select pg_terminate_backend($1::int) as done', [Number(pid)])
const connectionLost = { name: 'HeadwaterError', code: 'connection' }

/** Tries until the database answers again. */
const answersAgain = () => expect.poll(() => database.query('select 1 as one').catch(() => null), { timeout: 20_000 }).toEqual([{ one: 1 }])

describe('sessions that end', () => {
  test('a transaction whose session is ended is lost as a whole: nothing of it is carried out elsewhere', async () => {
    const attempt = database.transaction('write', async (transaction) => {
      await transaction.query('insert into item values (1)')
      const [row] = await transaction.query('select pg_backend_pid() as pid')
      await terminate(row?.pid)
      await pause(50)
      const second = transaction.query('insert into item values (2)')
      await expect(second).rejects.toMatchObject(connectionLost)
      await expect(transaction.stream('select 1::text', [], () => {})).rejects.toMatchObject(connectionLost)
    })
    await expect(attempt).rejects.toMatchObject(connectionLost)
    expect(await ids()).toEqual([])
  })

  test('a statement whose session is ended while it runs is a lost connection', async () => {
    const sleeping = database.query('select pg_sleep(30) /* this one */, $1::text', ['x'])
    sleeping.catch(() => undefined)
    await expect
      .poll(async () => (await database.query("select pid from pg_stat_activity where query like '%this one%' and wait_event = 'PgSleep'")).length)
      .toBe(1)
    const [row] = await database.query("select pid from pg_stat_activity where query like '%this one%' and wait_event = 'PgSleep'")
    await terminate(row?.pid)
    await expect(sleeping).rejects.toMatchObject({ ...connectionLost, details: { sqlstate: '57P01' } })
    expect(await database.query('select 1 as one')).toEqual([{ one: 1 }])
  })

  test('a session that was ended while it was idle is replaced for the next caller', async () => {
    await Promise.all(Array.from({ length: 8 }, () => database.query('select pg_sleep(0.05)')))
    await database.query('select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()')
    await pause(100)
    const all = await Promise.all(Array.from({ length: 20 }, () => database.query('select 1 as one')))
    expect(all).toHaveLength(20)
  })

  test('statements that were sent behind a lost one are lost as well, and never carried out', async () => {
    const attempt = database.batch([
      { text: 'insert into item values ($1::bigint)', parameters: [1] },
      { text: 'select pg_terminate_backend(pg_backend_pid()) as done', parameters: [] },
      { text: 'insert into item values ($1::bigint)', parameters: [2] },
    ])
    await expect(attempt).rejects.toMatchObject(connectionLost)
    await pause(100)
    expect(await ids()).toEqual([])
  })

  test('a second caller does not wait behind a session that is busy, up to the limit', async () => {
    const small = await openPostgres(native.url(name), { sessionsMax: 2 })
    const order: number[] = []
    await Promise.all([1, 2, 3, 4].map((i) => small.query('select pg_sleep($1::float8)', [[0.2, 3][i - 1] ?? 0.01]).then(() => order.push(i))))
    expect(order).toEqual([1, 3, 4, 2])
    const [row] = await database.query("select count(*)::int as n from pg_stat_activity where application_name = 'headwater' and datname = current_database()")
    expect(row?.n).toBe(3)
    await small.close()
  })
})

describe('the tail', () => {
  test('reads, and is woken, while every other session is in a transaction', async () => {
    const tail = await database.openTail()
    let wakes = 0
    await tail.onWake('news', () => void wakes++)
    let [begun, release] = [0, () => {}]
    const isOver = new Promise<void>((resolve) => {
      release = resolve
    })
    const held = Array.from({ length: 10 }, () =>
      database.transaction('write', async (transaction) => {
        await transaction.query('select pg_current_xact_id()')
        begun++
        await isOver
      }),
    )
    await expect.poll(() => begun).toBe(held.length)
    expect(await tail.query('select count(*)::int as n from item')).toEqual([{ n: 0 }])
    const other = await openPostgres(native.url(name))
    await other.query("select pg_notify('news', '')")
    await expect.poll(() => wakes).toBe(1)
    release()
    await Promise.all(held)
    await Promise.all([other.close(), tail.close()])
  })

  test('holds the advisory locks that it takes, until it is closed', async () => {
    const tail = await database.openTail()
    await tail.query('select pg_advisory_lock_shared(7)')
    const tryLock = async () => (await database.query('select pg_try_advisory_xact_lock(7) as taken'))[0]?.taken
    expect(await tryLock()).toBe(false)
    await tail.query('select 1')
    expect(await tryLock()).toBe(false)
    await tail.close()
    await expect.poll(tryLock).toBe(true)
  })

  test.each([
    ['reads', "select pid from pg_stat_activity where pid <> pg_backend_pid() and query like '%the reader%'"],
    ['listens', "select pid from pg_stat_activity where query like 'listen %'"],
  ])('says once that it is lost when the session that %s is ended, and refuses from then on', async (_, find) => {
    const tail = await database.openTail()
    const losses: unknown[] = []
    tail.onLost((error) => losses.push(error))
    await tail.onWake('news', () => {})
    await tail.query("select 'the reader'")
    const [row] = await database.query(find)
    await terminate(row?.pid)
    await expect.poll(() => losses).toHaveLength(1)
    expect(losses[0]).toMatchObject(connectionLost)
    await expect(tail.query('select 1')).rejects.toMatchObject(connectionLost)
    await expect(tail.read(async () => 1)).rejects.toMatchObject(connectionLost)
    await expect(tail.onWake('news', () => {})).rejects.toMatchObject(connectionLost)
    let late: unknown
    tail.onLost((error) => {
      late = error
    })
    expect(late).toMatchObject(connectionLost)
    const left = () => database.query("select pid from pg_stat_activity where query like 'listen %' or query like '%the reader%' and pid <> pg_backend_pid()")
    // The other session is told to go, and takes a moment.
    await expect.poll(left).toEqual([])
    await tail.close()
    expect(losses).toHaveLength(1)
  })

  test('is not said to be lost when it is closed', async () => {
    const tail = await database.openTail()
    let losses = 0
    tail.onLost(() => void losses++)
    await tail.close()
    await pause(50)
    expect(losses).toBe(0)
  })
})

describe('a server that stops', () => {
  test('after a restart everything goes on, with what was committed', async () => {
    const tail = await database.openTail()
    const lost = new Promise((resolve) => tail.onLost(resolve))
    await database.query('insert into item values (1)')
    await native.restart()
    expect(await lost).toMatchObject(connectionLost)
    await answersAgain()
    expect(await ids()).toEqual([1])
    await (await database.openTail()).close()
  })

  test('after a crash what was acknowledged is there, and what was not is there as a whole or not at all', async () => {
    const acknowledged: number[] = []
    let isDown = false
    const writing = (async () => {
      for (let i = 0; !isDown; i += 2) {
        await database.batch([i, i + 1].map((id) => ({ text: 'insert into item values ($1::bigint)', parameters: [id] })))
        acknowledged.push(i, i + 1)
      }
    })().catch((error: unknown) => error)
    await expect.poll(() => acknowledged.length).toBeGreaterThan(50)
    await native.kill()
    isDown = true
    expect(await writing).toMatchObject(connectionLost)
    await expect(database.query('select 1')).rejects.toMatchObject(connectionLost)
    await expect(database.openTail()).rejects.toMatchObject(connectionLost)
    await native.startAgain()
    await answersAgain()
    const found = await ids()
    expect(found.slice(0, acknowledged.length)).toEqual(acknowledged)
    expect(found.length % 2).toBe(0)
    expect(found.length - acknowledged.length).toBeLessThanOrEqual(2)
  })

  test('closing says goodbye, and does not wait for that of a server that has fallen silent', async () => {
    const heard: Buffer[] = []
    const sockets: Socket[] = []
    const silent = createServer({ allowHalfOpen: true }, (down) => {
      const up = connect(native.port, '127.0.0.1')
      sockets.push(down, up)
      down.on('data', (bytes) => heard.push(bytes)).pipe(up, { end: false })
      up.pipe(down, { end: false })
    }).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    // A server on a TCP port has an address with a port.
    const { port } = silent.address() as AddressInfo
    const other = await openPostgres(native.url(name).replace(String(native.port), String(port)))
    expect(await other.query('select 1 as one')).toEqual([{ one: 1 }])
    await other.close()
    await expect.poll(() => heard.at(-1)?.toString('latin1')).toBe('X\0\0\0\x04')
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
})

describe('through a network', () => {
  let proxy: TcpProxy
  let far: Database
  const openThrough = async (delayMs: number) => {
    proxy = await openProxy(native.port, delayMs)
    far = await openPostgres(native.url(name).replace(String(native.port), String(proxy.port)))
  }
  afterEach(async () => {
    await far.close()
    await proxy.close()
  })
  const insert = (id: number) => ({ text: `insert into item values ($1::bigint) returning id::int + ${id} as twice`, parameters: [id] })

  test('a batch of statements that it has never seen takes one round trip', async () => {
    await openThrough(5)
    await far.query('select 1')
    proxy.roundTrips = 0
    expect(await far.batch([insert(1), insert(2), insert(3)])).toEqual([[{ twice: 2 }], [{ twice: 4 }], [{ twice: 6 }]])
    expect(proxy.roundTrips).toBe(1)
    await far.transaction('write', async (transaction) => {
      await Promise.all([4, 5, 6].map((id) => transaction.query(insert(id).text, [id])))
    })
    // One for the statements, with the beginning in front, and one for the commit.
    expect(proxy.roundTrips).toBe(3)
    expect(await far.query('select id::int as id from item order by id limit $1::int', [1])).toEqual([{ id: 1 }])
    expect(proxy.roundTrips).toBe(4)
  })

  test('a connection that breaks before the commit has arrived: nothing is committed', async () => {
    await openThrough(0)
    proxy.onUp = (bytes) => bytes.includes('commit')
    await expect(far.transaction('write', (transaction) => transaction.query('insert into item values (1)'))).rejects.toMatchObject(connectionLost)
    await expect(far.batch([insert(2)])).rejects.toMatchObject(connectionLost)
    proxy.onUp = () => false
    await pause(50)
    expect(await ids()).toEqual([])
    expect(await far.query('select 1 as one')).toEqual([{ one: 1 }])
  })

  test('a connection that breaks after the commit has arrived: the outcome is unknown, and never taken for refused', async () => {
    await openThrough(0)
    proxy.onSent = (bytes) => bytes.includes('commit')
    await expect(far.transaction('write', (transaction) => transaction.query('insert into item values (1)'))).rejects.toMatchObject(connectionLost)
    await expect(far.batch([insert(2)])).rejects.toMatchObject(connectionLost)
    proxy.onSent = () => false
    await expect.poll(ids).toEqual([1, 2])
  })
})
