import type { Batch } from './feed.ts'
import { allOf, asGone, type Change, type Encoders, type Net, netOf } from './net.ts'

type Part = Pick<Net, 'changes' | 'cleared'>

/**
 * What some transactions of a batch come to. Where that is not all of it, it is reduced anew: what came and went in the batch, or came and moved on,
 * was there in between.
 */
export function restOf(batch: Part & Pick<Batch<unknown>, 'rows'>, isAsked: (one: { readonly xid: bigint }) => boolean, encoders: Encoders): Part {
  const rows = batch.rows.filter(isAsked)
  if (rows.length === batch.rows.length || rows.length === 0) return rows.length === 0 ? nothing : batch
  // Where the order of the log is not that of the row, the batch has the row from its table.
  const inTheEnd = new Map(batch.changes.map((change) => [idOf(change), change]))
  const { changes, cleared } = netOf(rows, encoders)
  return {
    cleared,
    changes: changes.map((change) => {
      const end = inTheEnd.get(idOf(change))
      return end ? { ...change, row: end.row, after: end.after, changed: null } : asGone(change)
    }),
  }
}

const nothing: Part = { changes: [], cleared: [] }
export const idOf = ({ table, key }: Change) => `${table} ${key}`

/** What two changes of a row come to, one after the other. */
export const both = ({ before, changed }: Change, later: Change): Change => ({ ...later, before, changed: allOf(changed, later.changed) })
