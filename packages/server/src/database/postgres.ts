import type { Database } from '../ports.ts'
import { parseAddress } from './address.ts'
import { openConnection } from './connection.ts'
import { limits } from './limits.ts'
import { placeOf } from './place.ts'
import { createPool } from './pool.ts'
import { createSession } from './session.ts'
import { openServerTail } from './tail.ts'

export interface PostgresOptions {
  /** Connections at most, without the two of each tail. */
  readonly sessionsMax?: number
  /** Where the tail connects, if `url` leads through a pooler: the server itself. */
  readonly directUrl?: string | undefined
}

/**
 * A PostgreSQL server, from 14 up, without rights or settings beyond what a new role has. Throws `invalid` for a URL that is none.
 *
 * Nothing connects before it is used. A connection that is lost is replaced for the next caller, and never in the middle of a
 * transaction. A pooler is noticed by the number of the server process, which is not the one it tells: then every transaction brings its
 * settings, no statement is kept prepared, and the tail, without a `directUrl`, looks for changes instead of being told of them.
 */
export async function openPostgres(url: string, { sessionsMax = limits.sessionsMax, directUrl = url }: PostgresOptions = {}): Promise<Database> {
  const hosts = parseAddress(url)
  const tailHosts = parseAddress(directUrl)
  const shapes = { version: 0 }
  const pool = createPool(async () => {
    const connection = await openConnection({ hosts })
    return { connection, session: createSession(connection, shapes, { isPooled: !connection.isDirect }) }
  }, sessionsMax)

  return {
    kind: 'postgres',
    place: placeOf(hosts),
    guard: pool.guard,
    query: (text, parameters = []) => pool.use((session) => session.query(text, parameters)),
    execute: (script) => pool.use((session) => session.execute(script)),
    transaction: (mode, run) => pool.use((session) => session.transaction(mode, run)),
    batch: (statements) => pool.use((session) => session.batch(statements)),
    openTail: () => openServerTail(tailHosts, shapes),
    close: pool.close,
  }
}
