import { randomUUID } from 'node:crypto'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { takeLock } from './lock.ts'
import { untar } from './tar.ts'
import { template } from './template.ts'

export interface HeldDirectory {
  /** Where PostgreSQL's own files are. */
  readonly data: string
  release(): Promise<void>
}

/**
 * The directory of an embedded database, held exclusively until `release`: `data` is PostgreSQL's, `locks` says who holds it.
 * Makes an empty database where there is none, whole or not at all. Throws `locked` when somebody else holds it.
 */
export async function openDirectory(directory: string): Promise<HeldDirectory> {
  const root = resolve(directory)
  await mkdir(root, { recursive: true, mode: 0o700 })
  const release = await takeLock(root)
  try {
    const data = join(root, 'data')
    if (!(await exists(join(data, 'PG_VERSION')))) await makeDatabase(root, data)
    return { data, release }
  } catch (error) {
    await release()
    throw error
  }
}

const making = 'making-'

/** What a process that died while making a database has left is removed first: only the holder of the lock makes one. */
async function makeDatabase(root: string, data: string): Promise<void> {
  for (const name of await readdir(root)) if (name.startsWith(making)) await rm(join(root, name), { recursive: true, force: true })
  const beside = join(root, `${making}${randomUUID()}`)
  await mkdir(beside, { mode: 0o700 })
  await untar(Buffer.from(await (await template()).arrayBuffer()), beside)
  await rename(beside, data)
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  )
