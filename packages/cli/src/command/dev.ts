import { setTimeout as wait } from 'node:timers/promises'
import { HeadwaterError } from '@headwater/protocol'
import { type Config, createServer, openGateway, seedOnce, type Server } from '@headwater/server'
import { defineCommand } from 'citty'
import { type AppFolder, appFolder, forgetRunning, loadConfig, saveRunning } from '../app.ts'
import { explain } from '../explain.ts'
import { paint } from '../paint.ts'
import { pages } from '../pages.ts'

export const dev = defineCommand({
  meta: { name: 'dev', description: 'Starts an app: database, tables, server and pages. Prints its URL.' },
  args: {
    app: { type: 'string', description: 'folder of the app (default: this one)' },
    port: { type: 'string', description: 'port of the app (default: 4800, or the next free one)' },
    database: { type: 'string', description: 'URL of a PostgreSQL (default: DATABASE_URL, or embedded in .headwater/)' },
    sqlPort: { type: 'string', description: 'port for SQL clients of an embedded database (default: any free one)' },
    json: { type: 'boolean', description: 'one line of JSON instead of text' },
  },
  run: async ({ args }) => {
    const app = appFolder(args.app)
    const config = await loadConfig(app)
    const server = await createServer({ ...config, ...databaseOf(config, args.database), directory: app.database, onTrouble })
    if (config.seed) await seedOnce(server.database, config.seed)
    const gateway = server.database.kind === 'embedded' ? await openGateway(server.database, { port: portOf(args.sqlPort, 0), host: '127.0.0.1' }) : null
    const { url } = await listen(server, args.port, pages(app, config))
    const database = gateway?.url ?? databaseOf(config, args.database).database ?? ''
    await saveRunning(app, { pid: process.pid, url, database: String(database) })
    process.stdout.write(args.json ? `${JSON.stringify({ url, database: gateway?.url ?? null, kind: server.database.kind })}\n` : greeting(server, url, gateway?.url ?? null))
    await stopped()
    await gateway?.close()
    await server.close()
    await forgetRunning(app)
  },
})

const databaseOf = (config: Config, flag: string | undefined) => {
  const database = flag ?? process.env.DATABASE_URL ?? config.database
  return database === undefined ? {} : { database }
}

function portOf(text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new HeadwaterError('usage', `${text} is not a port.`, 'A port is a number from 0 to 65535.')
  return port
}

/** A given port is meant; the usual one may be taken, then the next will do. */
async function listen(server: Server, text: string | undefined, fetch: Config['fetch']) {
  const first = portOf(text, 4800)
  const options = fetch ? { fetch } : {}
  for (let port = first; ; port++) {
    try {
      return await server.listen({ port, ...options })
    } catch (error) {
      if (text !== undefined || port >= first + 20) throw error
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
