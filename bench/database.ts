// The PostgreSQL of the benchmarks: native, from npm, with the settings of production but no data.
import postgres from 'postgres'
import { startNative } from '../test/harness/native.ts'
import { type ServerOptions, type ServerProcess, startServerProcess } from './server-process.ts'

export interface Bed {
  readonly url: string
  /** Runs SQL that fills the tables, outside of what is measured. */
  fill(script: string): Promise<void>
  /** A connection of an SQL client's own. */
  connect(): ReturnType<typeof postgres>
  /** A server on this database, in a process of its own. */
  startServer(options?: ServerOptions): Promise<ServerProcess>
}

/** Runs a benchmark on a database that has the app's tables and nothing in them, and removes it after. */
export async function withDatabase<T>(run: (bed: Bed) => Promise<T>): Promise<T> {
  // Prepared transactions are off by default in every PostgreSQL, and decide how a tail is woken; the tests turn them on.
  const native = await startNative({ settings: { max_prepared_transactions: '0' } })
  const url = native.url(await native.createDatabase())
  const open: ReturnType<typeof postgres>[] = []
  const started: ServerProcess[] = []
  const connect = () => {
    const sql = postgres(url, { max: 1, onnotice: () => undefined })
    open.push(sql)
    return sql
  }
  const startServer = async (options: ServerOptions = {}) => {
    const server = await startServerProcess({ database: url }, options)
    started.push(server)
    return server
  }
  try {
    // The server that makes the tables has gone before they are filled: those that are measured begin with nothing in memory.
    await (await startServerProcess({ database: url })).stop()
    return await run({ url, connect, startServer, fill: (script) => fill(connect(), script) })
  } finally {
    for (const server of started) await server.stop()
    for (const sql of open) await sql.end()
    await native.stop()
  }
}

async function fill(sql: ReturnType<typeof postgres>, script: string): Promise<void> {
  await sql.unsafe(script)
  // As autovacuum would, by and by.
  await sql.unsafe('vacuum analyze')
}
