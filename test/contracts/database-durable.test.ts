// What an embedded database keeps when the power goes, the disk fails or is full, or PGlite breaks off.
import fs from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openEmbedded } from '../../packages/server/src/database/embedded.ts'
import type { Database } from '../../packages/server/src/ports.ts'
import { chanceOf } from '../harness/chance.ts'
import { recordPower } from '../harness/power.ts'

/** `HEADWATER_TRIALS=200 HEADWATER_SEED=7` for a long search. */
const trials = Number(process.env.HEADWATER_TRIALS ?? 4)
const seed = Number(process.env.HEADWATER_SEED ?? 1)

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hw-durable-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const add = (database: Database, id: number, bytes = 100) =>
  database.batch([
    { text: `insert into item values ($1::int, repeat('x', $2::int))`, parameters: [id, bytes] },
    { text: 'update counter set n = n + 1', parameters: [] },
  ])

async function openWithTables(durable?: boolean): Promise<Database> {
  const database = await openEmbedded(durable === undefined ? { directory } : { directory, durable })
  await database.execute('create table item (id int primary key, text text); create table counter (n int); insert into counter values (0)')
  return database
}

describe('the medium', () => {
  /** The files that are flushed while `run` runs, by what the operating system is asked. */
  async function flushedDuring(run: () => Promise<unknown>): Promise<string[]> {
    const real = fs.fsyncSync
    const flushed: string[] = []
    fs.fsyncSync = (fd) => {
      flushed.push(process.platform === 'linux' ? fs.readlinkSync(`/proc/self/fd/${fd}`) : '/pg_wal/')
      real(fd)
    }
    try {
      await run()
      return flushed
    } finally {
      fs.fsyncSync = real
    }
  }

  test('a commit is one flush of the WAL, before it is confirmed; what only reads flushes nothing', async () => {
    const database = await openWithTables()
    for (let id = 1; id <= 50; id++) {
      const flushed = await flushedDuring(() => add(database, id))
      expect(flushed).toEqual([expect.stringContaining('/pg_wal/')])
    }
    const reads = () =>
      Promise.all([
        ...Array.from({ length: 50 }, (_, id) => database.query('select text from item where id = $1::int', [id])),
        database.transaction('read', (transaction) => transaction.query('select n from counter')),
      ])
    expect(await flushedDuring(reads)).toEqual([])
    const rolledBack = database.transaction('write', async (transaction) => {
      await transaction.query('update counter set n = 0')
      throw new Error('changed my mind')
    })
    expect(await flushedDuring(() => rolledBack.catch(() => undefined))).toEqual([])
    await database.close()
  })

  // Which files they are, Linux alone says.
  test.runIf(process.platform === 'linux')('before it recovers from a crash, each file is flushed, and hardly any of them twice', async () => {
    const database = await openWithTables()
    await add(database, 1)
    const crashed = join(directory, 'crashed')
    await cp(join(directory, 'data'), join(crashed, 'data'), { recursive: true })
    await database.close()
    const flushed = await flushedDuring(async () => {
      const recovered = await openEmbedded({ directory: crashed })
      expect(await recovered.query('select id from item')).toEqual([{ id: 1 }])
      await recovered.close()
    })
    const files = (await readdir(join(crashed, 'data'), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
    const times = new Map<string, number>()
    for (const path of flushed) times.set(path, (times.get(path) ?? 0) + 1)
    expect(files.length).toBeGreaterThan(500)
    const never = files.map((file) => join(file.parentPath, file.name)).filter((path) => !times.has(path))
    expect(never.length).toBeLessThan(20)
    expect([...times.values()].filter((count) => count > 1).length).toBeLessThan(100)
  })

  test('without durability nothing is flushed', async () => {
    const flushed = await flushedDuring(async () => {
      const database = await openWithTables(false)
      for (let id = 1; id <= 50; id++) await add(database, id)
      await database.close()
    })
    expect(flushed).toEqual([])
  })
})

describe('a loss of power', () => {
  interface Found {
    readonly acknowledged: number
    readonly rows: number
  }

  /** Commits, then loses power at moments of that: what was confirmed by then, and what is found when the database is opened. */
  async function losePower(durable: boolean): Promise<readonly (Found | 'does not open')[]> {
    await (await openWithTables()).close()
    const power = await recordPower(join(directory, 'data'))
    const database = await openEmbedded({ directory, durable })
    const moments = [power.moment()]
    for (let id = 1; id <= 150; id++) {
      await add(database, id, id % 50 === 0 ? 400_000 : 100)
      moments.push(power.moment())
      if (id === 70) await database.query('checkpoint')
    }
    power.stop()
    await database.close()
    const chance = chanceOf(seed)
    const found: (Found | 'does not open')[] = []
    for (let trial = 0; trial < trials; trial++) {
      const [first = 0, last = 0] = [moments[0], moments.at(-1)]
      const moment = trial === 0 ? last : first + Math.floor(chance() * (last - first + 1))
      const target = join(directory, `trial-${trial}`)
      await power.after(moment, chance, join(target, 'data'))
      found.push(await read(target, moments.filter((one) => one <= moment).length - 1))
      await rm(target, { recursive: true, force: true })
    }
    await power.close()
    return found
  }

  async function read(target: string, acknowledged: number): Promise<Found | 'does not open'> {
    const opened = await openEmbedded({ directory: target, durable: false }).catch(() => null)
    if (opened === null) return 'does not open'
    const [row] = await opened.query('select count(*)::int as rows, coalesce(max(id), 0) as last, (select n from counter) as n from item')
    await opened.close()
    expect(row).toMatchObject({ last: row?.rows, n: row?.rows })
    return { acknowledged, rows: Number(row?.rows) }
  }

  test(`F1: every commit that was confirmed is there after a loss of power, and none by half (seed ${seed})`, { timeout: 600_000 }, async () => {
    for (const found of await losePower(true)) {
      expect(found).not.toBe('does not open')
      if (found === 'does not open') continue
      expect(found.rows).toBeGreaterThanOrEqual(found.acknowledged)
      expect(found.rows).toBeLessThanOrEqual(found.acknowledged + 1)
    }
  })

  test('the same simulation takes commits away from a database that does not flush', { timeout: 600_000 }, async () => {
    const [found] = await losePower(false).catch(() => ['does not open'] as const)
    if (typeof found === 'object') expect(found.rows).toBeLessThan(found.acknowledged)
    else expect(found).toBe('does not open')
  })
})

describe('a disk that fails', () => {
  /** While `run` runs, a function of the file system fails for paths like these. */
  async function failing<T>(name: 'fsyncSync' | 'writeSync', code: string, paths: RegExp, run: () => Promise<T>): Promise<T> {
    const real = fs[name]
    const attempt = (fd: number, ...rest: unknown[]) => {
      if (paths.test(fs.readlinkSync(`/proc/self/fd/${fd}`))) throw Object.assign(new Error(code), { code })
      return Reflect.apply(real, fs, [fd, ...rest])
    }
    Object.assign(fs, { [name]: attempt })
    try {
      return await run()
    } finally {
      Object.assign(fs, { [name]: real })
    }
  }

  const ids = async (database: Database) => (await database.query('select id from item order by id')).map(({ id }) => id)
  const stopped = (what: RegExp) => ({ code: 'connection', message: expect.stringMatching(what), hint: expect.stringContaining('recovers') })

  test('a flush that fails ends the database: nothing is confirmed any more, and nothing that was is lost', async () => {
    const database = await openWithTables()
    await add(database, 1)
    await failing('fsyncSync', 'EIO', /pg_wal/, () => expect(add(database, 2)).rejects.toMatchObject(stopped(/EIO|I\/O error/)))
    await expect(add(database, 3)).rejects.toMatchObject(stopped(/EIO|I\/O error/))
    await database.close()
    const again = await openEmbedded({ directory })
    expect((await ids(again)).filter((id) => id !== 2)).toEqual([1])
    await again.close()
  })

  test('a disk too full for the WAL ends it with the reason, and it goes on when there is room', async () => {
    const database = await openWithTables()
    await add(database, 1)
    const tail = await database.openTail()
    const losses: unknown[] = []
    tail.onLost((error) => losses.push(error))
    await failing('writeSync', 'ENOSPC', /pg_wal/, () => expect(add(database, 2)).rejects.toMatchObject(stopped(/No space left/)))
    await expect(add(database, 3)).rejects.toMatchObject(stopped(/No space left/))
    expect(losses).toHaveLength(1)
    await database.close()
    const again = await openEmbedded({ directory })
    expect(await ids(again)).toEqual([1])
    await again.close()
  })

  test('a disk too full to start on is said to be full, and starts when there is room', async () => {
    const database = await openWithTables()
    await add(database, 1)
    await database.close()
    await failing('writeSync', 'ENOSPC', /pg_logical|pg_wal|pg_control/, () =>
      expect(openEmbedded({ directory })).rejects.toMatchObject({ code: 'directory', hint: expect.stringContaining('Make room') }),
    )
    const again = await openEmbedded({ directory })
    expect(await ids(again)).toEqual([1])
    await again.close()
  })

  test('a disk too full for a table refuses the statement, and nothing else', async () => {
    const database = await openWithTables()
    const attempt = () => database.query(`insert into item select i, repeat('x', 1000) from generate_series(10, 40000) i`)
    await failing('writeSync', 'ENOSPC', /\/base\//, () => expect(attempt()).rejects.toMatchObject({ code: 'sql', details: { sqlstate: '53100' } }))
    await add(database, 1)
    expect(await ids(database)).toEqual([1])
    await database.close()
  })
})

test('a statement that PGlite breaks off is not taken for done: it ends the database, and says so', async () => {
  const database = await openWithTables()
  await add(database, 1)
  await database.execute(`create function deeper(int) returns int language sql as 'select deeper($1 + 1)'`)
  await expect(database.query('insert into item values (deeper(1))')).rejects.toMatchObject({
    code: 'connection',
    message: expect.stringContaining('nested too deeply'),
  })
  await expect(add(database, 2)).rejects.toMatchObject({ code: 'connection' })
  await database.close()
  const again = await openEmbedded({ directory })
  expect(await again.query('select id from item')).toEqual([{ id: 1 }])
  await again.close()
})

test('the WAL does not grow for ever, and tables do not keep the room of rows that are gone', async () => {
  const database = await openEmbedded({ directory, durable: false })
  await database.execute('create table item (id int primary key, text text)')
  for (let round = 0; round < 600; round++) {
    await database.query(`insert into item select i, repeat('x', 500) from generate_series(1, 500) i`)
    await database.query('delete from item')
  }
  const [wal] = await database.query(`
    select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 as written, pg_wal_lsn_diff(pg_current_wal_lsn(), redo_lsn)::float8 as kept
    from pg_control_checkpoint()`)
  expect(wal?.written).toBeGreaterThan(150_000_000)
  expect(wal?.kept).toBeLessThan(100_000_000)
  const [size] = await database.query(`select pg_relation_size('item')::int as bytes`)
  expect(size?.bytes).toBeLessThan(40_000_000)
  await database.close()
})

describe('a directory that is none', () => {
  test.each([
    ['17', 'written by PostgreSQL 17', 'pg_dump'],
    ['19', 'written by PostgreSQL 19', 'newer Headwater'],
    ['?', 'nobody knows which', 'pg_dump'],
  ])('of version %s is refused with what to do', async (version, message, hint) => {
    await mkdir(join(directory, 'data'))
    await writeFile(join(directory, 'data', 'PG_VERSION'), `${version}\n`)
    await expect(openEmbedded({ directory })).rejects.toMatchObject({
      code: 'version',
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    })
  })

  test('the version is that of the PostgreSQL inside', async () => {
    const database = await openWithTables()
    expect(await database.query(`select current_setting('server_version_num')::int / 10000 as major`)).toEqual([{ major: 18 }])
    await database.close()
  })

  test('a file in its place, and a directory of somebody else, are refused with what to do', async () => {
    await writeFile(join(directory, 'file'), '')
    await expect(openEmbedded({ directory: join(directory, 'file') })).rejects.toMatchObject({ code: 'directory' })
    await expect(openEmbedded({ directory: join(directory, 'file', 'below') })).rejects.toMatchObject({ code: 'directory', details: { reason: 'ENOTDIR' } })
    const foreign = join(directory, 'foreign')
    await mkdir(foreign, { mode: 0o500 })
    await asNobody(() => expect(openEmbedded({ directory: foreign })).rejects.toMatchObject({ code: 'directory', details: { reason: 'EACCES' } }))
  })

  /** Permissions do not hold root back. */
  async function asNobody(run: () => Promise<unknown>): Promise<void> {
    await chmod(directory, 0o755)
    const isRoot = process.geteuid?.() === 0
    if (isRoot) process.seteuid?.(65_534)
    try {
      await run()
    } finally {
      if (isRoot) process.seteuid?.(0)
    }
  }
})
