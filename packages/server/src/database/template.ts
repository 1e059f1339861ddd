// The first boot of a database runs initdb, which takes PGlite five seconds. It is run once per machine, user and version of
// PGlite; every later database is a copy of what it made.

import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { isWholeTar } from './tar.ts'

/** A tar of an empty database's directory: from the user's cache, or made now and put there. */
export async function template(): Promise<Blob> {
  const path = await templatePath()
  const cached = await readFile(path).catch(() => null)
  if (cached && isWholeTar(cached)) return new Blob([cached])
  const made = Buffer.from(await (await makeTemplate()).arrayBuffer())
  // Without a cache, in a read-only home, the next first boot is slow again and nothing else is different.
  await keep(path, made).catch(() => undefined)
  return new Blob([made])
}

/** Where this user's prepared database for this version of PGlite is kept. */
export const templatePath = async (): Promise<string> => join(cacheDirectory(), `pglite-${await pgliteVersion()}-${templateVersion}.tar`)

/** Raised when what is in the template changes without a new version of PGlite. */
const templateVersion = 1

async function makeTemplate(): Promise<Blob> {
  const pglite = await PGlite.create()
  try {
    await pglite.exec('checkpoint')
    return await pglite.dumpDataDir('none')
  } finally {
    await pglite.close()
  }
}

/** Whole or not at all: written beside its place, flushed, and put there by a rename. Whoever is last of several wins; all are the same. */
async function keep(path: string, bytes: Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const beside = `${path}.${randomUUID()}`
  try {
    await writeFile(beside, bytes, { flag: 'wx', mode: 0o600 })
    const file = await open(beside, 'r')
    await file.sync().finally(() => file.close())
    await rename(beside, path)
  } finally {
    await rm(beside, { force: true })
  }
}

function cacheDirectory(): string {
  const base = process.env.XDG_CACHE_HOME || (process.platform === 'darwin' ? join(homedir(), 'Library', 'Caches') : join(homedir(), '.cache'))
  return join(base, 'headwater')
}

async function pgliteVersion(): Promise<string> {
  const entry = createRequire(import.meta.url).resolve('@electric-sql/pglite')
  const text = await readFile(join(dirname(dirname(entry)), 'package.json'), 'utf8')
  // The package.json of an installed package has a version.
  return (JSON.parse(text) as { version: string }).version
}
