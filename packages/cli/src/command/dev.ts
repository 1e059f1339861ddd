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
import { defineCommand } from 'citty'
import { type AppFolder, appFolder, forgetRunning, loadConfig, saveRunning } from '../app.ts'
import { explain } from '../explain.ts'
import { pages } from '../pages.ts'
import { paint } from '../paint.ts'

const usualPort = 4800

export const dev = defineCommand({
  meta: { name: 'dev', description: 'Starts an app: database, tables, server and pages. Prints its URL.' },
  args: {
    app: { type: 'string', description: 'folder of the app (default: this one)' },
    data: { type: 'string', description: 'folder of an embedded or native database (default: .headwater in the app)' },
    port: { type: 'string', description: 'port of the app (default: 4800, or the next free one)' },
    database: { type: 'string', description: 'URL of a PostgreSQL, or native: one of its own (default: DATABASE_URL, or embedded in .headwater/)' },
    sqlPort: { type: 'string', description: 'port for SQL clients of an embedded or native database (default: any free one)' },
    json: { type: 'boolean', description: 'one line of JSON instead of text' },
  },
  run: async ({ args }) => {
    const [port, sqlPort] = [portOf(args.port), portOf(args.sqlPort) ?? 0]
    const app = appFolder(args.app, args.data)
    const url = args.database ?? process.env.DATABASE_URL
    const [config, embedded] = await both(loadConfig(app), url === undefined ? openEarly(app) : null)
    const chosen = url ?? config.database ?? embedded ?? (await openEmbedded({ directory: app.database }))
    if (chosen !== embedded) await embedded?.close()
    const database = chosen === 'native' ? await openNative({ directory: app.database, port: sqlPort }) : chosen
    const server = await createServer({ ...config, database, onTrouble })
    let gateway: Gateway | null = null
    try {
      if (config.seed) await seedOnce(server.database, config.seed)
      gateway = isEmbedded(database) ? await openGateway(database, { port: sqlPort }) : null
      const sql = gateway === null ? sqlUrlOf(database) : `postgres://postgres@127.0.0.1:${gateway.port}/postgres`
      const address = await listen(server, port, pages(app, config))
      await saveRunning(app, { pid: process.pid, url: address.url, database: sql ?? '' })
      process.stdout.write(
        args.json
          ? `${JSON.stringify({ url: address.url, database: shownOf(database, sql), kind: server.database.kind })}\n`
          : greeting(server, address.url, shownOf(database, sql)),
      )
      await stopped()
    } finally {
      await gateway?.close()
      await server.close()
      await forgetRunning(app)
    }
  },
})

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

function portOf(text: string | undefined): number | null {
  if (text === undefined) return null
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new HeadwaterError('usage', `${text} is not a port.`, 'A port is a number from 0 to 65535.')
  return port
}

/** A given port is meant; the usual one may be taken, then the next will do. */
async function listen(server: Server, given: number | null, fetch: NonNullable<Config['fetch']>) {
  for (let port = given ?? usualPort; ; port++) {
    try {
      return await server.listen({ port, fetch })
    } catch (error) {
      if (given !== null || port >= usualPort + 20) throw error
    }
  }
}

function greeting(server: Server, url: string, sql: string | null): string {
  const lines = [`${paint('green', '●')} ${paint('bold', url)}`]
  lines.push(paint('dim', `  database ${server.identity.database} (${server.database.kind})`))
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
