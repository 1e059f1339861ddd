// What only a database inside the process can show: its directory, its one connection, and its end.
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type EmbeddedDatabase, openEmbedded } from '../../packages/server/src/database/embedded.ts'
import { takeLock } from '../../packages/server/src/database/lock.ts'
import { openDatabase } from '../../packages/server/src/database/open.ts'
import { template, templatePath } from '../../packages/server/src/database/template.ts'
import { simpleQuery } from '../../packages/server/src/database/wire.ts'
import { startWriter } from '../harness/writer.ts'

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('its directory', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'hw-embedded-'))
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  test('what was committed is there when it is opened again', async () => {
    const first = await openDatabase(undefined, directory)
    await first.execute('create table item (id int); insert into item values (1)')
    await first.close()
    const second = await openEmbedded({ directory })
    expect(await second.query('select id from item')).toEqual([{ id: 1 }])
    await second.close()
  })

  test('F14: a second open in this process is refused, until the first is closed', async () => {
    const first = await openEmbedded({ directory })
    await expect(openEmbedded({ directory })).rejects.toMatchObject({ code: 'locked', details: { pid: process.pid } })
    await expect(openEmbedded({ directory: join(directory, '..', directory.split('/').at(-1) ?? '') })).rejects.toThrow('this process')
    expect(await first.query('select 1 as one')).toEqual([{ one: 1 }])
    await first.close()
    await (await openEmbedded({ directory })).close()
    expect(await readdir(join(directory, 'locks'))).toEqual([])
  })

  test('of several who open it at once at most one gets in, and then nobody else', async () => {
    for (let round = 0; round < 10; round++) {
      const attempts = await Promise.allSettled(Array.from({ length: 8 }, () => takeLock(directory)))
      const holders = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []))
      expect(holders.length).toBeLessThanOrEqual(1)
      for (const attempt of attempts) if (attempt.status === 'rejected') expect(attempt.reason).toMatchObject({ code: 'locked' })
      await Promise.all(holders.map((release) => release()))
      await (await takeLock(directory))()
    }
  })

  test('a directory that lies too deep for the path of a socket is locked all the same', async () => {
    const deep = join(directory, ...Array.from({ length: 8 }, () => 'a-folder-with-a-long-name'))
    await mkdir(deep, { recursive: true })
    const release = await takeLock(deep)
    await expect(takeLock(deep)).rejects.toMatchObject({ code: 'locked' })
    await release()
    await (await takeLock(deep))()
  })

  test('F14: another process is refused while one holds it; when that is killed, its lock is taken over and nothing acknowledged is lost', async () => {
    const writer = startWriter('embedded', directory)
    await writer.acknowledged(20)
    await expect(openEmbedded({ directory })).rejects.toMatchObject({ code: 'locked', message: expect.stringContaining(`process ${writer.pid}`) })
    const last = await writer.kill()
    const database = await openEmbedded({ directory })
    const rows = await database.query('select id from item order by id')
    expect(rows.length).toBeGreaterThanOrEqual(last)
    expect(rows.map(({ id }) => id)).toEqual(rows.map((_, i) => i + 1))
    await database.close()
  })

  test('a first open that was interrupted is begun again', async () => {
    await mkdir(join(directory, 'making-of-somebody-dead', 'base'), { recursive: true })
    await writeFile(join(directory, 'making-of-somebody-dead', 'PG_VERSION'), '18\n')
    const database = await openEmbedded({ directory })
    expect(await database.query('select 1 as one')).toEqual([{ one: 1 }])
    await database.close()
    expect((await readdir(directory)).sort()).toEqual(['data', 'locks'])
  })

  test('F12: a first open that is killed while it makes the database is begun again', async () => {
    for (const afterMs of [0, 30, 100]) {
      const writer = startWriter('embedded', directory)
      const making = async () => (await readdir(directory)).some((name) => name.startsWith('making-'))
      await expect.poll(making, { timeout: 30_000, interval: 2 }).toBe(true)
      await pause(afterMs)
      await writer.kill()
    }
    const database = await openEmbedded({ directory })
    await database.execute('create table if not exists item (id int primary key)')
    await database.close()
    expect((await readdir(directory)).sort()).toEqual(['data', 'locks'])
  })

  test('a directory in which a database cannot be opened is let go of', async () => {
    await mkdir(join(directory, 'data'))
    await writeFile(join(directory, 'data', 'PG_VERSION'), '18\n')
    await expect(openEmbedded({ directory })).rejects.toMatchObject({ code: 'database' })
    await (await takeLock(directory))()
  })

  test('a prepared database that was cut short is not used, and made again, whole', async () => {
    const before = process.env.XDG_CACHE_HOME
    const whole = Buffer.from(await (await template()).arrayBuffer())
    process.env.XDG_CACHE_HOME = directory
    try {
      const cache = join(directory, 'headwater')
      await mkdir(cache)
      const name = basename(await templatePath())
      await writeFile(join(cache, name), whole.subarray(0, whole.length / 2))
      const made = Buffer.from(await (await template()).arrayBuffer())
      expect(made.length).toBeGreaterThan(whole.length / 2)
      expect(await readdir(cache)).toEqual([name])
      expect(Buffer.compare(await readFile(join(cache, name)), made)).toBe(0)
      const { mtimeMs } = await stat(join(cache, name))
      expect((await template()).size).toBe(made.length)
      expect((await stat(join(cache, name))).mtimeMs).toBe(mtimeMs)
    } finally {
      if (before === undefined) delete process.env.XDG_CACHE_HOME
      else process.env.XDG_CACHE_HOME = before
    }
  })
})

describe('its one connection', () => {
  let database: EmbeddedDatabase
  beforeAll(async () => {
    database = await openEmbedded({ directory: null })
    await database.execute('create table item (id int primary key)')
  })
  beforeEach(() => database.execute('truncate item'))
  afterAll(() => database.close())

  const ids = async () => (await database.query('select id from item order by id')).map(({ id }) => id)

  test('using the database inside of a transaction is an error that says so, not a deadlock', async () => {
    const tail = await database.openTail()
    const uses: readonly (() => Promise<unknown>)[] = [
      () => database.query('select 1'),
      () => database.execute('select 1'),
      () => database.batch([]),
      () => database.transaction('read', async () => 1),
      () => tail.query('select 1'),
      () => tail.read(async () => 1),
      () => database.close(),
    ]
    for (const use of uses) {
      await database.transaction('write', async () => expect(use()).rejects.toMatchObject({ code: 'nested' }))
      await tail.read(async () => expect(use()).rejects.toMatchObject({ code: 'nested' }))
    }
    await expect(database.transaction('write', async () => database.query('insert into item values (1)'))).rejects.toMatchObject({ code: 'nested' })
    expect(await ids()).toEqual([])
    await tail.close()
  })

  test('what a transaction has set going may use the database after its end', async () => {
    let later: Promise<unknown> | undefined
    await database.transaction('write', async (transaction) => {
      await transaction.query('insert into item values (1)')
      later = pause(20).then(() => database.query('insert into item values (2)'))
    })
    await later
    expect(await ids()).toEqual([1, 2])
  })

  test('statements, transactions and batches take turns, in the order in which they were asked for', async () => {
    const order: string[] = []
    await Promise.all([
      database.transaction('write', async (transaction) => {
        await pause(20)
        await transaction.query('insert into item values (1)')
        order.push('transaction')
      }),
      database.query('insert into item values (2)').then(() => order.push('query')),
      database.batch([{ text: 'insert into item values (3)', parameters: [] }]).then(() => order.push('batch')),
      database.execute('insert into item values (4)').then(() => order.push('script')),
    ])
    expect(order).toEqual(['transaction', 'query', 'batch', 'script'])
    expect(await ids()).toEqual([1, 2, 3, 4])
  })

  test('nobody waits for more than one turn of each of the others, however many those have asked for', async () => {
    const tail = await database.openTail()
    const order: string[] = []
    const done = (what: string) => () => void order.push(what)
    const writes = Array.from({ length: 200 }, (_, i) => database.query('insert into item values ($1::int)', [i]).then(done('app')))
    const reads = Array.from({ length: 20 }, () => database.transaction('read', (transaction) => transaction.query('select 1')).then(done('read')))
    await Promise.all([...writes, ...reads, tail.query('select 1').then(done('tail'))])
    expect(order.indexOf('tail')).toBeLessThan(4)
    expect(order.lastIndexOf('read')).toBeLessThan(50)
    expect(await ids()).toHaveLength(200)
    await tail.close()
  })

  test('a transaction that is left alone is rolled back, so that everybody else goes on; what goes on of it is refused', async () => {
    const impatient = await openEmbedded({ directory: null, idleMs: 200 })
    await impatient.execute('create table item (id int primary key)')
    let late: Promise<unknown> | undefined
    const attempt = impatient.transaction('write', async (transaction) => {
      await transaction.query('insert into item values (1)')
      late = pause(400).then(() => transaction.query('insert into item values (2)'))
      await late
    })
    const waiting = impatient.query('select count(*)::int as n from item')
    await expect(attempt).rejects.toMatchObject({ code: 'timeout' })
    expect(await waiting).toEqual([{ n: 0 }])
    await expect(late).rejects.toMatchObject({ code: 'over' })
    const slow = impatient.transaction('read', (transaction) =>
      transaction.stream('select i::text from generate_series(1, 2000) i', [], () => pause(100).then(() => {})),
    )
    await expect(slow).resolves.toBeUndefined()
    const stuck = impatient.transaction('read', (transaction) => transaction.stream('select 1::text', [], () => pause(500).then(() => {})))
    await expect(stuck).rejects.toMatchObject({ code: 'timeout' })
    await impatient.close()
  })

  test('every write wakes the tail, and nothing that only reads does', async () => {
    const tail = await database.openTail()
    let wakes = 0
    await tail.onWake('any', () => void wakes++)
    const wakesOf = async (use: () => Promise<unknown>) => {
      const before = wakes
      await use()
      return wakes - before
    }
    expect(await wakesOf(() => database.query('insert into item values (1)'))).toBe(1)
    expect(await wakesOf(() => database.execute('insert into item values (2)'))).toBe(1)
    expect(await wakesOf(() => database.batch([{ text: 'insert into item values (3)', parameters: [] }]))).toBe(1)
    expect(await wakesOf(() => database.transaction('write', (transaction) => transaction.query('insert into item values (4)')))).toBe(1)
    expect(await wakesOf(() => database.transaction('read', (transaction) => transaction.query('select 1')))).toBe(0)
    expect(await wakesOf(() => tail.query('select 1'))).toBe(0)
    expect(await wakesOf(() => tail.read((transaction) => transaction.query('select 1')))).toBe(0)
    await tail.close()
  })

  test('when the tail is woken, the write is there to be read', async () => {
    const tail = await database.openTail()
    const seen = new Promise<unknown>((resolve) => {
      void tail.onWake('any', () => resolve(tail.query('select id from item')))
    })
    await database.query('insert into item values (1)')
    expect(await seen).toEqual([{ id: 1 }])
    await tail.close()
  })

  test('a long queue of turns does not keep timers waiting', async () => {
    let [ticks, longest, last] = [0, 0, performance.now()]
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
      ticks++
    }, 1)
    await Promise.all(Array.from({ length: 3000 }, (_, i) => database.batch([{ text: 'insert into item values ($1::int)', parameters: [i] }])))
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(10)
    expect(longest).toBeLessThan(500)
  })

  test('a session keeps what it has set, and an app that forgets its prepared statements goes on', async () => {
    const ask = () => database.query('select $1::int as n', [1])
    await ask()
    await database.query('deallocate all')
    expect(await ask()).toEqual([{ n: 1 }])
    await database.query('discard all')
    expect(await database.batch([{ text: 'select $1::int as n', parameters: [1] }])).toEqual([[{ n: 1 }]])
  })
})

describe('its end', () => {
  test('a database that stops tells the tail, and refuses everything from then on', async () => {
    const database = await openEmbedded({ directory: null })
    const tail = await database.openTail()
    const losses: unknown[] = []
    tail.onLost((error) => losses.push(error))
    const waiting = database.seat.take({ enter: async () => {}, leave: async () => {} })
    // PGlite ends when it has to wait for data, which is why nothing else here ever makes it wait.
    const attempt = database.seat.send([simpleQuery('create table item (id int)'), simpleQuery('copy item from stdin')])
    await expect(attempt).rejects.toMatchObject({ code: 'connection' })
    ;(await waiting)()
    expect(losses).toMatchObject([{ code: 'connection' }])
    for (const use of [() => database.query('select 1'), () => database.batch([]), () => tail.query('select 1'), () => tail.read(async () => 1)]) {
      await expect(use()).rejects.toMatchObject({ code: 'connection' })
    }
    await database.close()
    await expect(database.query('select 1')).rejects.toMatchObject({ code: 'closed' })
  })
})
