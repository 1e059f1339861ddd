// As much of the tar format (ustar) as PGlite's dumps use: files and directories with short names.

import { mkdir, open } from 'node:fs/promises'
import { dirname, join, normalize, sep } from 'node:path'
import { HeadwaterError } from '@headwater/protocol'

interface TarEntry {
  readonly name: string
  readonly isDirectory: boolean
  readonly bytes: Buffer
}

const block = 512

/** Writes what a tar holds below a directory, readable by its owner only, as PostgreSQL demands. With `durable` all of it is on the medium afterwards. */
export async function untar(tar: Buffer, directory: string, durable: boolean): Promise<void> {
  const directories = new Set([directory])
  for (const { name, isDirectory, bytes } of entriesOf(tar)) {
    const path = join(directory, inside(name))
    const around = isDirectory ? path : dirname(path)
    if (!directories.has(around)) await mkdir(around, { recursive: true, mode: 0o700 })
    directories.add(around)
    if (!isDirectory) await write(path, bytes, durable)
  }
  if (durable) for (const path of directories) await flushDirectory(path)
}

async function write(path: string, bytes: Buffer, durable: boolean): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    await file.writeFile(bytes)
    if (durable) await file.sync()
  } finally {
    await file.close()
  }
}

/** Which files a directory holds is on the medium only when it has been flushed itself. */
export async function flushDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  await directory.sync().finally(() => directory.close())
}

/** Whether it is a tar of a database that was not cut short. */
export function isWholeTar(tar: Buffer): boolean {
  if (tar.length < 2 * block || tar.subarray(-2 * block).some((byte) => byte !== 0)) return false
  try {
    for (const { name } of entriesOf(tar)) if (inside(name) === 'PG_VERSION') return true
    return false
  } catch {
    return false
  }
}

function* entriesOf(tar: Buffer): Generator<TarEntry> {
  for (let at = 0; at + block <= tar.length && tar[at] !== 0; ) {
    const size = Number.parseInt(text(tar, at + 124, 12), 8)
    const end = at + block + size
    if (!Number.isSafeInteger(size) || end > tar.length)
      throw new HeadwaterError('corrupt', 'A prepared database was cut short.', 'Remove it; it is made again.')
    const prefix = text(tar, at + 345, 155)
    yield { name: prefix + text(tar, at, 100), isDirectory: text(tar, at + 156, 1) === '5', bytes: tar.subarray(at + block, end) }
    at += block + Math.ceil(size / block) * block
  }
}

function text(tar: Buffer, at: number, length: number): string {
  const field = tar.toString('latin1', at, at + length)
  const end = field.indexOf('\0')
  return (end < 0 ? field : field.slice(0, end)).trim()
}

/** The name as a path that stays below where it is written. */
function inside(name: string): string {
  const path = normalize(name).replace(/^[/\\]+/, '')
  if (path === '..' || path.startsWith(`..${sep}`)) throw new HeadwaterError('corrupt', `A prepared database names ${name}.`, 'Remove it; it is made again.')
  return path
}
