import type { Database } from '../ports.ts'
import { parseAddress } from './address.ts'
import { openConnection } from './connection.ts'
import { limits } from './limits.ts'
import { createPool } from './pool.ts'
import { createSession } from './session.ts'
import { openServerTail } from './tail.ts'

export interface PostgresOptions {
  /** Connections at most, without the two of each tail. */
  readonly sessionsMax?: number
}

/**
 * A PostgreSQL server, from 14 up, without rights or settings beyond what a new role has. Throws `invalid` for a URL that is none.
 *
 * Nothing connects before it is used. A connection that is lost is replaced for the next caller, and never in the middle of a
 * transaction. Statements are kept prepared, so the URL must not lead through a pooler that hands a connection to another client after
 * every transaction, unless it knows prepared statements; the tail needs connections of its own in any case.
 */
export async function openPostgres(url: string, { sessionsMax = limits.sessionsMax }: PostgresOptions = {}): Promise<Database> {
  const hosts = parseAddress(url)
  const shapes = { version: 0 }
  const pool = createPool(async () => {
    const connection = await openConnection({ hosts })
    return { connection, session: createSession(connection, shapes) }
  }, sessionsMax)

  return {
    kind: 'postgres',
    query: (text, parameters = []) => pool.use((session) => session.query(text, parameters)),
    execute: (script) => pool.use((session) => session.execute(script)),
    transaction: (mode, run) => pool.use((session) => session.transaction(mode, run)),
    batch: (statements) => pool.use((session) => session.batch(statements)),
    openTail: () => openServerTail(hosts, shapes),
    close: pool.close,
  }
}
