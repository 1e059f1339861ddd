// As much of the tar format (ustar) as PGlite's dumps use: files and directories with short names.

import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, normalize, sep } from 'node:path'
import { HeadwaterError } from '@headwater/protocol'

interface TarEntry {
  readonly name: string
  readonly isDirectory: boolean
  readonly bytes: Buffer
}

const block = 512

/** Writes what a tar holds below a directory, readable by its owner only, as PostgreSQL demands. */
export async function untar(tar: Buffer, directory: string): Promise<void> {
  for (const { name, isDirectory, bytes } of entriesOf(tar)) {
    const path = join(directory, inside(name))
    await mkdir(isDirectory ? path : dirname(path), { recursive: true, mode: 0o700 })
    if (!isDirectory) await writeFile(path, bytes, { mode: 0o600 })
  }
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
