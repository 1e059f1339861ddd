// A real PostgreSQL for tests: the binaries come from npm, so that a checkout needs nothing else installed.
import { existsSync } from 'node:fs'
import { chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import { findBinaries, unprivilegedOwner } from '../../packages/server/src/database/native/binaries.ts'
import { initdbArguments } from '../../packages/server/src/database/native/cluster.ts'
import { freePort, lastWords, runToEnd, type ServerProcess, startServer } from '../../packages/server/src/database/native/process.ts'

export interface NativeOptions {
  /** With fsync, as in production. Default: true. */
  readonly durable?: boolean
  /** A major version, 14 to 18; 14 to 17 are in test/versions. Default: `HEADWATER_POSTGRES`, or 18. */
  readonly version?: number
  /** Where its directory is made. Default: the system's folder for temporary files. */
  readonly parent?: string
  /** Further settings, such as `{ max_connections: '20' }`. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface Native {
  readonly port: number
  /** Where the server keeps its files: removed by `stop`. */
  readonly directory: string
  url(database: string): string
  /** A new, empty database; the answer is its name. */
  createDatabase(name?: string): Promise<string>
  dropDatabase(name: string): Promise<void>
  /** Ends sessions and starts again on the same port, in order. */
  restart(): Promise<void>
  /** A crash: the server is gone at once, without a checkpoint. */
  kill(): Promise<void>
  /** After `kill`: recovers. */
  startAgain(): Promise<void>
  stop(): Promise<void>
}

/** The version on which tests run that say nothing of it. */
export const versionTested = Number(process.env.HEADWATER_POSTGRES ?? 18)

/** Starts a PostgreSQL in a directory of its own, on a free port of 127.0.0.1, where everyone is trusted. Never runs it as root. */
export async function startNative(options: NativeOptions = {}): Promise<Native> {
  const owner = unprivilegedOwner()
  const binaries = await findBinaries(owner, tmpdir(), rootOf(options.version ?? versionTested))
  const { folder } = binaries
  // Short, because the path of a unix socket may have 107 bytes.
  const directory = await mkdtemp(join(options.parent ?? tmpdir(), 'hw-pg-'))
  if (owner) await chown(directory, owner.uid, owner.gid)
  const data = join(directory, 'data')
  await runToEnd(join(folder, 'initdb'), [...initdbArguments(data, binaries), '--auth', 'trust', '--no-sync'], owner)

  const port = await freePort()
  const startLog = join(directory, 'start.log')
  let server = await start()
  let isStopped = false

  async function start(): Promise<ServerProcess> {
    const settings = settingsOf(directory, port, options)
    const started = await startServer({ postgres: join(folder, 'postgres'), data, owner, settings, livesOn: false, startLog })
    const giveUpAt = performance.now() + startMsMax
    while (!(await answers(port))) {
      if (!started.isAlive()) throw new Error(`PostgreSQL did not start: ${await lastWords(startLog, data)}`)
      if (performance.now() > giveUpAt) {
        await started.end('SIGKILL')
        throw new Error(`PostgreSQL did not answer within ${startMsMax} ms: ${await lastWords(startLog, data)}`)
      }
      await pause(20)
    }
    return started
  }

  async function startSomewhere(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        server = await start()
        return
      } catch (error) {
        // Backends of a killed server take a moment to notice, and hold its shared memory until then.
        if (attempt === startsMax) throw error
        await pause(100 * attempt)
      }
    }
  }

  const url = (database: string) => `postgres://postgres@127.0.0.1:${port}/${database}`

  async function administer(statement: string): Promise<void> {
    const sql = postgres(url('postgres'), { max: 1, onnotice: () => undefined })
    await sql.unsafe(statement).finally(() => sql.end())
  }

  async function createDatabase(name = nextName()): Promise<string> {
    await administer(`create database ${quoted(name)} template template0`)
    return name
  }

  return {
    port,
    directory,
    url,
    createDatabase,
    dropDatabase: (name) => administer(`drop database if exists ${quoted(name)} with (force)`),
    restart: async () => {
      await server.end('SIGINT')
      await startSomewhere()
    },
    kill: () => server.end('SIGKILL'),
    startAgain: startSomewhere,
    stop: async () => {
      if (isStopped) return
      isStopped = true
      await server.end('SIGINT')
      await rm(directory, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** undefined: the package that the server itself would take. Throws when an older version is not installed. */
export function rootOf(version: number): string | undefined {
  if (version === 18) return undefined
  const root = fileURLToPath(new URL(`../versions/node_modules/postgres-${version}`, import.meta.url))
  if (!existsSync(root)) throw new Error(`PostgreSQL ${version} is not installed: npm ci --prefix test/versions, on Linux.`)
  return root
}

const startsMax = 10
const startMsMax = 30_000

let names = 0
/** Test files run in processes of their own, and share a server. */
const nextName = () => `test_${process.pid}_${++names}`
const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

function settingsOf(sockets: string, port: number, { durable = true, settings = {} }: NativeOptions): Readonly<Record<string, string>> {
  return {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: sockets,
    max_prepared_transactions: '20',
    max_connections: '200',
    timezone: 'UTC',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
    ...settings,
  }
}

async function answers(port: number): Promise<boolean> {
  const sql = postgres(`postgres://postgres@127.0.0.1:${port}/postgres`, { max: 1, connect_timeout: 5, fetch_types: false })
  try {
    await sql.unsafe('select 1')
    return true
  } catch {
    return false
  } finally {
    await sql.end({ timeout: 1 })
  }
}
