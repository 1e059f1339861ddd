import { type DatabaseId, databaseId, HeadwaterError, type HistoryId, historyId } from '@headwater/protocol'
import type { Position } from '../feed/cursor.ts'
import { fingerprintStatement } from '../feed/log.ts'
import type { Query, SqlRow } from '../ports.ts'

/** What a session shows of the database at its other end. */
export interface Seen {
  /** When its server started, and which of its databases it is: two sessions that agree in it have the same database before them. */
  readonly server: string
  /** A standby shows no transactions in progress. */
  readonly isStandby: boolean
  /** null: Headwater is not installed in it. */
  readonly installed: Installed | null
}
export interface Installed {
  readonly database: DatabaseId
  readonly history: HistoryId
  /** Made anew with every decision about what the database is. */
  readonly decision: string
  /** The database in whose place this one was put, by decision. */
  readonly replaces: string | null
  /** False: its transaction numbers are not those that its rows were written under; it was restored from a dump. */
  readonly isOwn: boolean
  /** What the position says of the log: `same`, `differs`, or `pruned`: nobody can tell any more. Without a position: `same`. */
  readonly past: 'same' | 'differs' | 'pruned'
}

/** The server process, and which of its databases. */
const serverSql = `(select pg_postmaster_start_time()::text || ' ' || d.oid from pg_database d where d.datname = current_database())`

const identitySql = `select pg_is_in_recovery() as standby, ${serverSql} as server, i.database::text as database, i.history::text as history,
  i.decision::text as decision, i.replaces::text as replaces, i.floor::text as floor, f.count, f.sum,
  (select w.xmin::text::numeric = mod(w.xid::text::numeric, 4294967296) from headwater.witness w limit 1) as own from headwater.identity i`

/** One statement, unless nothing is installed: then two. */
export async function look(query: Query, position: Position | null): Promise<Seen> {
  const { text, parameters } = position === null ? nothing : fingerprintStatement(position.since, position.snapshot)
  try {
    const rows = await query(`${identitySql}, (${text}) f`, parameters)
    return seenOf(rows[0] ?? {}, position)
  } catch (error) {
    if (!(error instanceof HeadwaterError) || !['42P01', '3F000'].includes(String(error.details.sqlstate))) throw error
    const rows = await query(`select pg_is_in_recovery() as standby, ${serverSql} as server`, [])
    return { server: String(rows[0]?.server), isStandby: rows[0]?.standby === true, installed: null }
  }
}

const nothing = { text: `select '' as count, '' as sum`, parameters: [] }

function seenOf(row: SqlRow, position: Position | null): Seen {
  const isSame = position === null || (row.count === String(position.count) && row.sum === String(position.sum))
  const isPruned = position !== null && position.since.xmin < BigInt(String(row.floor))
  return {
    server: String(row.server),
    isStandby: row.standby === true,
    installed: {
      database: databaseId(String(row.database)),
      history: historyId(String(row.history)),
      decision: String(row.decision),
      replaces: row.replaces === null ? null : String(row.replaces),
      isOwn: row.own === true,
      past: isPruned ? 'pruned' : isSame ? 'same' : 'differs',
    },
  }
}
