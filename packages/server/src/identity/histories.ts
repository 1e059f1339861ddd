import type { Cursor } from '@headwater/protocol'
import { type Identity, tryCursor } from '../feed/cursor.ts'
import type { Database } from '../ports.ts'

/** Why a database began a new past of itself. */
export type HistoryKind = 'first' | 'copy' | 'restore' | 'failover'

/**
 * What a device is to do that continues an earlier past of this database: true, offer again what it has and the database has lost; false,
 * set it aside, because the database was taken back on purpose. null: there is nothing to do, its past is this one or another database's.
 */
export async function offerOf(database: Database, mine: Identity, cursor: Cursor | null): Promise<boolean | null> {
  const its = cursor === null ? undefined : tryCursor(cursor)?.identity
  if (its === undefined || its.database !== mine.database || its.history === mine.history) return null
  // A past that was itself lost is not in the list: then the last one says it.
  const rows = await database.query(
    `select kind from headwater.histories h
       where number > coalesce((select number from headwater.histories where history::text = $1), (select max(number) - 1 from headwater.histories))`,
    [its.history],
  )
  return rows.every((row) => row.kind === 'failover')
}
