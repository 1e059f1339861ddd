import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFileDisks } from '../../packages/client/src/disk/file.ts'
import type { OpenDisk } from '../../packages/client/src/ports.ts'
import { diskContract, freshName } from './disk.ts'

const relaxed = { strict: false }
let directory = ''
const open: OpenDisk = (name) => createFileDisks(directory)(name)
const pathOf = (name: string) => join(directory, `${name}.headwater`)
const readOnce = async (name: string) => {
  const disk = await open(name)
  const records = await disk.read()
  await disk.close()
  return records
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'headwater-disk-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

describe('the disk in a file', () => {
  diskContract(open, { examples: 60 })

  test('F12: a tail torn at any byte of the last append is cut off, and appending goes on from there', async () => {
    const name = freshName()
    const disk = await open(name)
    await disk.append(['first', 'é'], relaxed)
    const whole = (await stat(pathOf(name))).size
    await disk.append(['torn 1', 'torn 2'], relaxed)
    await disk.close()
    const bytes = await readFile(pathOf(name))
    for (let length = whole; length < bytes.length; length++) {
      await writeFile(pathOf(name), bytes.subarray(0, length))
      const again = await open(name)
      expect(await again.read()).toEqual(['first', 'é'])
      expect((await stat(pathOf(name))).size).toBe(whole)
      await again.append(['next'], relaxed)
      await again.close()
      expect(await readOnce(name)).toEqual(['first', 'é', 'next'])
    }
    await writeFile(pathOf(name), bytes)
    expect(await readOnce(name)).toEqual(['first', 'é', 'torn 1', 'torn 2'])
  })

  test('F12: a last append with any one bit turned, or followed by zeros or noise, is never handed out wrong', async () => {
    const name = freshName()
    const disk = await open(name)
    await disk.append(['first'], relaxed)
    const whole = (await stat(pathOf(name))).size
    await disk.append(['second'], relaxed)
    await disk.close()
    const bytes = await readFile(pathOf(name))
    for (let at = whole; at < bytes.length; at++) {
      const turned = Buffer.from(bytes)
      turned.writeUInt8(turned.readUInt8(at) ^ (1 << (at % 8)), at)
      await writeFile(pathOf(name), turned)
      expect(await readOnce(name)).toEqual(['first'])
    }
    for (const tail of [Buffer.alloc(4096), Buffer.alloc(4096, 0xff), Buffer.from('noise')]) {
      await writeFile(pathOf(name), Buffer.concat([bytes, tail]))
      expect(await readOnce(name)).toEqual(['first', 'second'])
      expect((await stat(pathOf(name))).size).toBe(bytes.length)
    }
  })

  test('W1: with any one bit of any append but the last turned, all others are handed out, and that one is missing is told', async () => {
    const name = freshName()
    const disk = await open(name)
    const appends = [['first', 'é'], ['second'], ['third', 'fourth'], ['fifth']]
    const ends: number[] = []
    for (const records of appends) {
      await disk.append(records, relaxed)
      ends.push((await stat(pathOf(name))).size)
    }
    await disk.close()
    const bytes = await readFile(pathOf(name))
    for (let at = 0; at < (ends[2] ?? 0); at++) {
      const turned = Buffer.from(bytes)
      turned.writeUInt8(turned.readUInt8(at) ^ (1 << (at % 8)), at)
      await writeFile(pathOf(name), turned)
      const damaged = ends.findIndex((end) => at < end)
      expect(await readOnce(name)).toEqual(appends.flatMap((records, i) => (i === damaged ? [''] : records)))
      expect((await stat(pathOf(name))).size).toBe(bytes.length)
    }
  })

  test('F12: what a crash left of a replacement is removed, and the old records are there', async () => {
    const name = freshName()
    const disk = await open(name)
    await disk.append(['a'], relaxed)
    await disk.close()
    await writeFile(`${pathOf(name)}.new`, 'half a replacement')
    expect(await readOnce(name)).toEqual(['a'])
    expect((await readdir(directory)).filter((file) => file.startsWith(`${name}.`))).toEqual([`${name}.headwater`])
  })

  test('S7: the file is for its owner alone, and a wipe leaves no file', async () => {
    const name = freshName()
    const disk = await open(name)
    await disk.append(['a'], relaxed)
    expect((await stat(pathOf(name))).mode & 0o777).toBe(0o600)
    await disk.replace(['b'])
    expect((await stat(pathOf(name))).mode & 0o777).toBe(0o600)
    await disk.wipe()
    await disk.close()
    expect((await readdir(directory)).filter((file) => file.startsWith(`${name}.`))).toEqual([])
  })

  test.runIf(process.platform === 'linux')('F7: a full disk says so, and appends after it fail until it is opened anew', async () => {
    const name = freshName()
    await symlink('/dev/full', pathOf(name))
    const disk = await open(name)
    await expect(disk.append(['a'], relaxed)).rejects.toMatchObject({ code: 'disk-full' })
    await rm(pathOf(name))
    await expect(disk.append(['b'], relaxed)).rejects.toMatchObject({ code: 'disk-full' })
    await expect(disk.replace(['c'])).rejects.toMatchObject({ code: 'disk-full' })
    await disk.close()
    const again = await open(name)
    expect(await again.read()).toEqual([])
    await again.append(['d'], { strict: true })
    await again.close()
    expect(await readOnce(name)).toEqual(['d'])
  })

  test('F7: a directory that cannot be one is an error that says so, and leaves no lock', async () => {
    const name = freshName()
    await writeFile(join(directory, name), '')
    await expect(createFileDisks(join(directory, name))('store')).rejects.toMatchObject({ code: 'disk' })
  })

  test('a name is never a way out of the directory', async () => {
    const disk = await open('../outside')
    await disk.append(['a'], { strict: true })
    await disk.close()
    expect(await readdir(directory)).toContain('_1a__1a__1b_outside.headwater')
    expect(await readOnce('../outside')).toEqual(['a'])
  })

  test('W9: a store is open once: not twice in this process, not in another, and again when it is closed', async () => {
    const name = freshName()
    const disk = await open(name)
    await expect(open(name)).rejects.toMatchObject({ code: 'disk-blocked', details: { holder: process.pid } })
    const other = await startAppender(name)
    expect(await other.line()).toBe('disk-blocked')
    await disk.close()
    await (await open(name)).close()
  })

  test('of many that open a store at once, no two ever have it', async () => {
    const name = freshName()
    const settled = await Promise.allSettled(Array.from({ length: 8 }, () => open(name)))
    const opened = settled.filter((one) => one.status === 'fulfilled')
    expect(opened.length).toBeLessThanOrEqual(1)
    for (const { value } of opened) await value.close()
    await (await open(name)).close()
  })

  test('W1 [os]: kill -9 while appending loses nothing that was reported done and leaves no half append, and the lock is taken over', async () => {
    const name = freshName()
    let done = -1
    for (let round = 0; round < 6; round++) {
      const appender = await startAppender(name)
      expect(await appender.line()).toBe('open')
      for (let i = 0; i < 20 + round * 7; i++) done = Number(await appender.line())
      appender.process.kill('SIGKILL')
      for (let line = await appender.line(); line !== null; line = await appender.line()) done = Number(line)
      const records = await readOnce(name)
      expect(records.length % 3).toBe(0)
      expect(records).toEqual(records.map((_, i) => recordOf(Math.floor(i / 3), i % 3)))
      expect(records.length / 3 - 1).toBeGreaterThanOrEqual(done)
      done = records.length / 3 - 1
    }
  })
})

/** Records of very different sizes, so that a kill falls into the middle of a write now and then. */
const recordOf = (append: number, part: number) => `${append}/${part} ${'x'.repeat(append % 5 === 0 ? 300_000 : 50)}`

const appenderScript = `
import { createFileDisks } from '@headwater-disk'
const [directory, name] = process.argv.slice(2)
const recordOf = ${recordOf.toString()}
try {
  const disk = await createFileDisks(directory)(name)
  const before = await disk.read()
  console.log('open')
  for (let append = before.length / 3; ; append++) {
    await disk.append([0, 1, 2].map((part) => recordOf(append, part)), { strict: append % 2 === 0 })
    process.stdout.write(append + '\\n')
  }
} catch (error) {
  console.log(error.code)
}
`

/** A process of its own that opens the disk and appends without end, saying on its output what was reported done. */
async function startAppender(name: string): Promise<{ readonly process: ChildProcess; line(): Promise<string | null> }> {
  const file = new URL('../../packages/client/src/disk/file.ts', import.meta.url).href
  const script = join(directory, 'appender.mjs')
  await writeFile(script, appenderScript.replace('@headwater-disk', file))
  const child = spawn(process.execPath, ['--conditions=@headwater/source', '--import', 'tsx', script, directory, name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const line = async () => {
    const { value, done } = await lines.next()
    return done ? null : value
  }
  return { process: child, line }
}
