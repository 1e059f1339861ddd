import type { Batch } from './feed.ts'
import { type Change, type Encoders, type Net, netOf } from './net.ts'
import { isVisible, type Snapshot } from './snapshot.ts'

/**
 * What of a batch a snapshot does not have yet. A snapshot may lie within the batch: then the batch's own net effect would hide a row that
 * came before the snapshot and went after it, and would say of others where they were too early.
 */
export function restOf(batch: Pick<Batch<unknown>, 'rows' | 'changes' | 'cleared'>, snapshot: Snapshot, encoders: Encoders): Pick<Net, 'changes' | 'cleared'> {
  const rows = batch.rows.filter((row) => !isVisible(row.xid, snapshot))
  if (rows.length === batch.rows.length) return batch
  const net = netOf(rows, encoders)
  // Where the order of the log is not that of the row, the batch has the row from its table.
  const settled = new Map(batch.changes.map((change) => [idOf(change), change]))
  return { cleared: net.cleared, changes: net.changes.map((change) => ({ ...change, ...endOf(settled.get(idOf(change))) })) }
}

const idOf = ({ table, key }: Change) => `${table} ${key}`
const endOf = (change: Change | undefined) => change && { row: change.row, after: change.after }
