import { type LogRow, readStep, xidBack } from './feed/log.ts'
import { snapshotBelow, snapshotOf } from './feed/snapshot.ts'
import { limits } from './limits.ts'
import type { Database } from './ports.ts'

/** Reads the log from outside a server, for people who watch it. */
export interface LogReader {
  /** What was committed since the last call, in the order of the log. The first call answers the last rows before it. */
  next(): Promise<readonly LogRow[]>
}

/** `last`: how many rows the first call goes back, at most. */
export async function openLogReader(database: Database, last: number): Promise<LogReader> {
  let since = await snapshotBack(database, last)
  let isFirst = true
  return {
    next: async () => {
      const { snapshot, rows } = await readStep(database, since, limits.stepRowsMax)
      if (rows.length > 0) since = snapshot
      // The first pass may reach back further: it begins with a whole transaction.
      const shown = isFirst ? rows.slice(Math.max(0, rows.length - last)) : rows
      isFirst = false
      return shown
    },
  }
}

async function snapshotBack(database: Database, rows: number) {
  const now = await database.query('select pg_current_snapshot()::text as snapshot')
  if (rows === 0) return snapshotOf(String(now[0]?.snapshot))
  return snapshotBelow(await xidBack(database, rows - 1))
}
