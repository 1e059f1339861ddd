import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { HeadwaterError } from '@headwater/protocol'
import { takeLock } from './lock.ts'
import { flushDirectory, untar } from './tar.ts'
import { template } from './template.ts'

export interface HeldDirectory {
  /** Where PostgreSQL's own files are. */
  readonly data: string
  release(): Promise<void>
}

/** PGlite's: its directories are written by one major version of PostgreSQL, and read by no other. */
export const embeddedVersion = 18

/**
 * The directory of an embedded database, held exclusively until `release`: `data` is PostgreSQL's, `locks` says who holds it.
 * Makes an empty database where there is none, whole or not at all; with `durable` it is on the medium by then. Throws `locked` when somebody
 * else holds it, `version` when another PostgreSQL wrote it, `directory` when the operating system does not let us.
 */
export async function openDirectory(directory: string, durable: boolean): Promise<HeldDirectory> {
  const root = resolve(directory)
  return inDirectory(root, async () => {
    await mkdir(root, { recursive: true, mode: 0o700 })
    const release = await takeLock(root)
    try {
      const data = join(root, 'data')
      const version = await versionOf(data)
      if (version === null && (await versionOf(join(root, 'postgres'))) !== null) throw nativeFailure(directory)
      if (version === null) await makeDatabase(root, data, durable)
      else if (version !== embeddedVersion) throw versionFailure(directory, version)
      // Ours is the lock that counts: PostgreSQL's own was left by a process that is gone, and would keep it from starting if a loss of power emptied it.
      await rm(join(data, 'postmaster.pid'), { force: true })
      return { data, release }
    } catch (error) {
      await release()
      throw error
    }
  })
}

const making = 'making-'

/** What a process that died while making a database has left is removed first: only the holder of the lock makes one. */
async function makeDatabase(root: string, data: string, durable: boolean): Promise<void> {
  for (const name of await readdir(root)) if (name.startsWith(making)) await rm(join(root, name), { recursive: true, force: true })
  const beside = join(root, `${making}${randomUUID()}`)
  try {
    await mkdir(beside, { mode: 0o700 })
    await untar(Buffer.from(await (await template()).arrayBuffer()), beside, durable)
    await rename(beside, data)
  } catch (error) {
    // On a full disk nothing should stay that only takes up space.
    await rm(beside, { recursive: true, force: true })
    throw error
  }
  if (durable) for (const path of [root, dirname(root)]) await flushDirectory(path)
}

/** Of the PostgreSQL that wrote the directory, or null: there is no database. */
export async function versionOf(data: string): Promise<number | null> {
  const text = await readFile(join(data, 'PG_VERSION'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  return text === null ? null : Number.parseInt(text, 10) || 0
}

function versionFailure(directory: string, version: number): HeadwaterError {
  const made = version === 0 ? 'nobody knows which PostgreSQL' : `PostgreSQL ${version}`
  const hint =
    version > embeddedVersion
      ? 'Open it with a newer Headwater.'
      : 'Open it with the Headwater that made it, take a copy with pg_dump by its SQL port, and restore that into an empty directory.'
  return new HeadwaterError('version', `The embedded database in ${directory} was written by ${made}, and this one is ${embeddedVersion}.`, hint, { version })
}

const nativeFailure = (directory: string) =>
  new HeadwaterError(
    'directory',
    `${directory} holds a native database, and an embedded one would begin empty beside it.`,
    "Open it as native (`--database native`, or `database: 'native'`), or use another directory.",
  )

/** What the operating system refuses, as an error that names the directory and says what to do. */
export async function inDirectory<T>(directory: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    const reason = reasons.get(code)
    if (reason === undefined || error instanceof HeadwaterError) throw error
    throw new HeadwaterError('directory', `The database's directory ${directory} cannot be used: ${reason[0]} (${code}).`, reason[1], { reason: code })
  }
}

const reasons: ReadonlyMap<string, readonly [what: string, hint: string]> = new Map([
  ['ENOSPC', ['there is no space left', 'Make room on its disk, or use another directory.']],
  ['EDQUOT', ['there is no space left for its owner', 'Make room, or use another directory.']],
  ['EROFS', ['it is on a disk that can only be read', 'Use a directory that can be written to.']],
  ['EACCES', ['this process may not write there', 'Let the owner of the process own it, or use another directory.']],
  ['EPERM', ['this process may not write there', 'Let the owner of the process own it, or use another directory.']],
  ['ENOTDIR', ['a part of its path is a file', 'Use another path.']],
  ['EEXIST', ['it is a file', 'Use another path.']],
  // What Node makes of a directory that is to be made on a disk that can only be read.
  ['ENOENT', ['it cannot be made there', 'Check the path, and that its disk can be written to.']],
  ['EIO', ['its disk fails', 'Copy away what can be read, and use another disk.']],
])
