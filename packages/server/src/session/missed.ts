import type { Schema } from '@headwater/schema'
import { readTail } from '../feed/large.ts'
import type { Net } from '../feed/net.ts'
import type { Snapshot } from '../feed/snapshot.ts'
import type { StreamKey } from '../feed/stream.ts'
import type { Transaction } from '../ports.ts'
import { tablesIn } from '../scopes/load.ts'
import { type SettledDeps, settled } from './fetch.ts'

export interface Missed {
  readonly missed: Net
  /** Streams that have to be loaded again: because a row cannot tell what happened, or too many would have to. What is missed says nothing of them. */
  readonly stale: readonly StreamKey[]
}

/**
 * What was missed of these streams between a snapshot and the transaction's own. With those that are stale, or if they are there to be loaded, those go
 * whose tables were emptied: on the device what is cleared goes after what was loaded has come.
 */
export async function missedSince(
  transaction: Transaction,
  { schema, ...deps }: { readonly schema: Schema } & SettledDeps,
  since: Snapshot,
  streams: ReadonlySet<StreamKey>,
  isLoading = false,
): Promise<Missed> {
  const tail = await readTail(transaction, deps.encoders, since, streams, true)
  const net = await settled(transaction, deps, tail)
  if (net.barriers.size === 0 && tail.heavy.size === 0 && !isLoading) return { missed: net, stale: [] }
  const tables = new Set([...net.barriers, ...net.cleared.map(({ table }) => table)])
  const stale = [...streams].filter((stream) => tail.heavy.has(stream) || tablesIn(schema, stream).some((table) => tables.has(table)))
  return { missed: { ...net, changes: net.changes.filter(({ table }) => !tables.has(table)), cleared: [] }, stale }
}
