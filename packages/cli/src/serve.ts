import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { HeadwaterError } from '@headwater/protocol'
import {
  type Config,
  createServer,
  type Database,
  type EmbeddedDatabase,
  type Gateway,
  type NativeDatabase,
  openEmbedded,
  openGateway,
  openNative,
  type Server,
  seedOnce,
} from '@headwater/server'
import { register } from 'tsx/esm/api'
import { answer, jsonArg } from './answer.ts'
import { type AppFolder, appFolder, forgetRunning, loadConfig, saveRunning } from './app.ts'
import { explain } from './explain.ts'
import { pages } from './pages.ts'
import { paint } from './paint.ts'
import { ownFiles, type Told, watchedVariable } from './watched.ts'

const usualPort = 4800

/** What `dev` and `start` are told. */
export const devArgs = {
  app: { type: 'string', description: 'folder of the app (default: this one)' },
  data: { type: 'string', description: 'folder of an embedded or native database (default: .headwater in the app)' },
  port: { type: 'string', description: 'port of the app (default: 4800, or the next free one)' },
  database: { type: 'string', description: 'URL of a PostgreSQL, or native: one of its own (default: DATABASE_URL, or embedded in .headwater/)' },
  'sql-port': { type: 'string', description: 'port for SQL clients of an embedded or native database (default: any free one)' },
  watch: { type: 'boolean', description: 'start again when the configuration, the schema or anything else that it loads has changed' },
  vite: { type: 'boolean', description: 'the pages from Vite’s own server, as they are edited; watches, too' },
  ...jsonArg,
} as const

export interface DevArgs {
  readonly app?: string | undefined
  readonly data?: string | undefined
  readonly port?: string | undefined
  readonly host?: string | undefined
  readonly database?: string | undefined
  readonly 'sql-port'?: string | undefined
  readonly json?: boolean | undefined
}

/** Runs an app until a signal comes. Where somebody watches it, they are told when it listens, or that it could not, and of what it is made. */
export async function serve(args: DevArgs, { isProduction }: Mode): Promise<void> {
  const loaded = watchLoading()
  const isWatched = process.env[watchedVariable] !== undefined
  const tell = (url: string | null) => isWatched && process.send?.({ url, files: ownFiles(loaded) } satisfies Told)
  try {
    await run(args, { isProduction, tell })
  } catch (error) {
    tell(null)
    throw error
  }
}

interface Mode {
  readonly isProduction: boolean
}

async function run(args: DevArgs, { isProduction, tell }: Mode & { readonly tell: (url: string) => void }): Promise<void> {
  const [port, sqlPort] = [portOf(args.port), portOf(args['sql-port']) ?? 0]
  const app = appFolder(args.app, args.data)
  const given = args.database ?? process.env.DATABASE_URL
  const [config, embedded] = await both(loadConfig(app), given === undefined ? openEarly(app) : null)
  const chosen = given ?? config.database ?? embedded ?? (await openEmbedded({ directory: app.database }))
  if (chosen !== embedded) await embedded?.close()
  const database = chosen === 'native' ? await openNative({ directory: app.database, port: sqlPort }) : chosen
  let isStarting = true
  // Of a database that is held at the start it is said below, once.
  const exceptHeld = (error: unknown) => (isStarting && error instanceof HeadwaterError && error.code === 'held' ? undefined : onTrouble(error))
  const server = await createServer({ ...config, database, stateDirectory: config.stateDirectory ?? app.own, onTrouble: exceptHeld })
  let gateway: Gateway | null = null
  try {
    isStarting = false
    tellHeld(server, isProduction)
    if (config.seed && !isProduction) await seedOnce(server.database, config.seed)
    gateway = isEmbedded(database) ? await openGateway(database, { port: sqlPort }) : null
    const sql = gateway === null ? sqlUrlOf(database) : `postgres://postgres@127.0.0.1:${gateway.port}/postgres`
    const { url } = await listen(server, { port, host: args.host, fetch: pages(app, config), isProduction })
    await saveRunning(app, { pid: process.pid, url, database: sql ?? '' })
    tell(url)
    const shown = shownOf(database, sql)
    const isBehindVite = process.env[watchedVariable] === 'vite'
    answer(args.json, { url, database: shown, kind: server.database.kind }, () => greeting(server, isBehindVite ? null : url, shown))
    await stopped()
  } finally {
    await gateway?.close()
    await server.close()
    await forgetRunning(app)
  }
}

/** Whoever develops is told at once, with the database free for the command that decides; in production the server waits for it, and says so to whoever asks. */
function tellHeld(server: Server, isProduction: boolean): void {
  const held = server.held()
  if (held === null) return
  const error = new HeadwaterError('held', held.message, held.hint)
  if (!isProduction) throw error
  onTrouble(error)
}

/** URLs of what is loaded from now on, where somebody watches. */
function watchLoading(): ReadonlySet<string> {
  const urls = new Set<string>()
  if (process.env[watchedVariable]) register({ onImport: (url) => urls.add(url) })
  return urls
}

/** An embedded database that is there is most likely the one: it is opened while the app's code is read. */
const openEarly = (app: AppFolder) => (existsSync(join(app.database, 'data')) ? openEmbedded({ directory: app.database }) : null)

/** Both, or the first failure with nothing left open. */
async function both(config: Promise<Config>, opening: Promise<EmbeddedDatabase> | null): Promise<[Config, EmbeddedDatabase | null]> {
  const [read, opened] = await Promise.allSettled([config, opening])
  if (read.status === 'fulfilled' && opened.status === 'fulfilled') return [read.value, opened.value]
  if (opened.status === 'fulfilled') await opened.value?.close()
  // One of the two was rejected.
  throw [read, opened].find((one) => one.status === 'rejected')?.reason
}

/** Where another command finds the database. */
const sqlUrlOf = (database: string | Database): string | null => (typeof database === 'string' ? database : isNative(database) ? database.url : null)

/** The same for whoever looks on: without what is secret, and only where it is not known already. */
function shownOf(database: string | Database, sql: string | null): string | null {
  if (typeof database === 'string' || sql === null) return null
  const shown = new URL(sql)
  shown.password = ''
  return shown.href
}

const isNative = (database: Database): database is NativeDatabase => 'url' in database
const isEmbedded = (database: string | Database): database is EmbeddedDatabase => typeof database !== 'string' && database.kind === 'embedded'

/** Throws `usage` for what is none. */
export function portOf(text: string | undefined): number | null {
  if (text === undefined) return null
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new HeadwaterError('usage', `${text} is not a port.`, 'A port is a number from 0 to 65535.')
  return port
}

interface Listening {
  readonly port: number | null
  readonly host: string | undefined
  readonly fetch: NonNullable<Config['fetch']>
  readonly isProduction: boolean
}

/** A given port is meant, and in production the usual one as well; while an app is written it may be taken, then the next will do. */
async function listen(server: Server, { port: given, host = '127.0.0.1', fetch, isProduction }: Listening) {
  for (let port = given ?? usualPort; ; port++) {
    try {
      return await server.listen({ port, host, fetch })
    } catch (error) {
      if (given !== null || isProduction || port >= usualPort + 20) throw error
    }
  }
}

/** `url`: null where the pages are elsewhere. */
function greeting(server: Server, url: string | null, sql: string | null): string {
  const lines = url === null ? [] : [`${paint('green', '●')} ${paint('bold', url)}`]
  lines.push(paint('dim', `  database ${server.held() ? 'held' : server.identity.database} (${server.database.kind})`))
  if (sql !== null) lines.push(paint('dim', `  psql ${sql}`))
  return `${lines.join('\n')}\n`
}

/** Resolves at the first SIGINT or SIGTERM; a second one ends at once. */
async function stopped(): Promise<void> {
  const abort = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => (abort.signal.aborted ? process.exit(1) : abort.abort()))
  }
  while (!abort.signal.aborted) await wait(60_000, null, { signal: abort.signal }).catch(() => {})
}

function onTrouble(error: unknown): void {
  process.stderr.write(`${explain(error, false)}\n`)
}
