import type { DatabaseId, HistoryId } from '../ids.ts'
import * as limits from '../limits.ts'
import { count, flag, type Infer, list, literal, map, nullable, object, text } from '../shape.ts'

/** The answer to `hello`. A checkpoint follows that brings the device level with the server. */
export const welcome = object({
  type: literal('welcome'),
  version: count,
  database: text<DatabaseId>(limits.idLengthMax),
  history: text<HistoryId>(limits.idLengthMax),
  /** To be kept with the cursor and given in the next hello. A stale one means that this device's store was copied. */
  nonce: text(limits.idLengthMax),
  /** True: changes since the device's cursor follow. False: everything is loaded anew and replaces what the device holds; its outbox stays. */
  resumed: flag,
  /** Why not resumed: `new`, or what the resume check found (`ahead`, `fingerprint`, `pruned`, `history`, `unreadable`), or `columns`: the person sees other columns than before. Empty when resumed. */
  reason: text(limits.nameLengthMax),
  /** True: the load that the hello's mark belongs to goes on; what came of it stays staged. */
  continued: nullable(flag),
  /**
   * Not null: the database continues an older past than the device's. True, after a failover: the device offers again the confirmed mutations above
   * `last` that it remembers. False, where it was restored on purpose: the device sets them aside for the person, and sends none.
   */
  offer: nullable(flag),
  /** The highest mutation number of this device that the database has carried out or refused. */
  last: count,
  /** Per table, the columns of a row on the wire, in order. */
  columns: map(list(text(limits.nameLengthMax), limits.columnsMax)),
})
/** `presence` is not in the shape: see `greeted`. */
export type Welcome = Infer<typeof welcome> & { readonly presence?: string }
