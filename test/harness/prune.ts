// Pruning by hand, to limits that no app could give: the log of a test is seconds old.
import type { Database } from '@headwater/server'
import { type LogKept, type PruneLimits, prunePiece } from '../../packages/server/src/feed/prune.ts'

export const everything: PruneLimits = { minutes: 0, rows: 1, bytes: 1 }

/** Prunes down to the last rows. Answers what is in the way of more. */
export async function pruneTo(database: Database, rows: number, bounds: PruneLimits = everything): Promise<string | null> {
  const kept: LogKept = { minutes: 0, rows }
  for (;;) {
    const { hasMore, heldBy } = await prunePiece(database, bounds, kept)
    if (!hasMore) return heldBy
  }
}
