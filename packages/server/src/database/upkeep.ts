// PGlite has no process beside it that does what a server does by itself: checkpoints, without which the WAL grows for as long as the database is open,
// and VACUUM, without which tables keep the room of rows that are gone and plans are made for how tables once were.
import { limits } from './limits.ts'
import type { Session } from './session.ts'

/** To be told of every turn that may have written. `turn` runs something in a turn of its own. */
export function createUpkeep(session: Session, turn: (body: () => Promise<void>) => Promise<void>): () => void {
  let writes = 0
  let isUnderWay = false

  async function keepUp(): Promise<void> {
    const [need] = await session.queryOnce(needs, [limits.walBytesMax, limits.rowsGoneMin])
    if (need?.checkpoint === true) await session.queryOnce('checkpoint', [])
    if (typeof need?.vacuum === 'string') await session.queryOnce(`vacuum (analyze) ${need.vacuum}`, [])
  }

  return () => {
    if (++writes < limits.upkeepWrites || isUnderWay) return
    writes = 0
    isUnderWay = true
    // If it fails, the database has stopped or is being closed, and everybody else is told.
    void turn(keepUp)
      .catch(() => undefined)
      .finally(() => {
        isUnderWay = false
      })
  }
}

/** One table at a time: a turn is not to take longer than it has to. The thresholds are those of a server's autovacuum, about. */
const needs = `
  select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), (select redo_lsn from pg_control_checkpoint())) > $1::bigint as checkpoint,
    (select format('%I.%I', schemaname, relname) from pg_stat_user_tables
     where n_dead_tup > $2::bigint + n_live_tup / 5 or n_mod_since_analyze > $2::bigint + n_live_tup / 5
     order by n_dead_tup desc limit 1) as vacuum`
