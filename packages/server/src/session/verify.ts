// What the rows of a scope add up to, handed to the device that holds it: so that it notices what was lost on the way, on its disk, or where
// no trigger saw it. Invariant: a checksum goes out only where the stream is as it was in the snapshot that was summed.
import { assert, type Checksum, type Json, rowSum } from '@headwater/protocol'
import type { ColumnSet } from '../feed/columns.ts'
import type { Batch } from '../feed/feed.ts'
import { encodersOf } from '../feed/net.ts'
import { restOf } from '../feed/rest.ts'
import { isVisible, type Snapshot, snapshotIn } from '../feed/snapshot.ts'
import { type StreamKey, streamLoad, streamScope } from '../feed/stream.ts'
import { limits } from '../limits.ts'
import type { Transaction } from '../ports.ts'
import { loadRows, loadStart, type Place, tablesIn } from '../scopes/load.ts'
import { refuseMisfits } from './fetch.ts'
import { checkpointFrame, noTables } from './frame.ts'
import type { Loads } from './loading.ts'
import type { GrantsAlong, Holding, SubscriberDeps } from './subscriber.ts'

export interface Verifying {
  /** Tells the device what each stream that it holds adds up to, and in the end that this was all. */
  verify(streams: readonly StreamKey[]): Promise<void>
  /** Loads streams anew, records that it was needed, and tells what they add up to. */
  repair(streams: readonly StreamKey[]): Promise<void>
  /** The next of what the device holds, in rotation. */
  verifyNext(): Promise<void>
  /** A batch, in order. */
  keep(batch: Batch<GrantsAlong>): void
  areUnderWay(): boolean
}

export function createVerifying(deps: SubscriberDeps, holding: Holding, loads: Loads, key: number): Verifying {
  const { database, feed, schema, slots } = deps
  const encoders = encodersOf(schema)
  const watched = new Set<Batch<GrantsAlong>[]>()
  let last = 0

  async function verify(streams: readonly StreamKey[]): Promise<void> {
    for (const stream of streams) await tell(stream)
    holding.transmit(checkpointFrame({ cursor: feed.cursor(), checks: [] }, noTables))
  }

  /** A stream that changes while it is summed is summed again, so often. */
  async function tell(stream: StreamKey): Promise<void> {
    for (let tries = 0; tries < limits.verifyTriesMax; tries++) {
      const set = holding.held.get(stream)
      if (set === undefined || !holding.isAttached) return
      const batches: Batch<GrantsAlong>[] = []
      watched.add(batches)
      try {
        const { since, ...sums } = await sumOf(stream, set, batches)
        await feed.reach()
        if (holding.held.get(stream) !== set) return
        if (batches.some((batch) => batch.large !== null || hasChanged(batch, since, stream))) continue
        const checks: readonly Checksum[] = [{ scope: streamScope(stream), load: streamLoad(stream) === 'eager' ? 'granted' : 'held', ...sums }]
        holding.cursor = feed.cursor()
        return holding.transmit(checkpointFrame({ cursor: feed.cursor(), checks }, noTables))
      } finally {
        watched.delete(batches)
      }
    }
  }

  /** In turns, as a load: right if nothing has changed since the snapshot of the first. */
  async function sumOf(stream: StreamKey, set: ColumnSet, batches: unknown[]): Promise<Pick<Checksum, 'count' | 'sum'> & { readonly since: Snapshot }> {
    let since: Snapshot | null = null
    let count = 0
    let sum = 0
    const turn = async (transaction: Transaction, from: Place) => {
      // What was delivered by now is visible in the snapshot.
      if (since === null) batches.length = 0
      since ??= await snapshotIn(transaction)
      refuseMisfits(tablesIn(schema, stream), deps.troubles())
      let bytes = 0
      return loadRows(transaction, deps, new Map([[stream, set]]), from, ({ table, rows }) => {
        // Our own SQL made them. Parsed and written again, a row has the form that the device gives it.
        for (const row of JSON.parse(`[${rows}]`) as readonly Json[]) {
          count++
          sum += rowSum(table + JSON.stringify(row), key)
        }
        bytes += rows.length
        return bytes < limits.loadTurnBytes
      })
    }
    for (let place: Place | null = loadStart; place !== null; ) {
      const from: Place = place
      place = await slots.run(() => database.transaction('read', (transaction) => turn(transaction, from)))
    }
    assert(since !== null, 'there was a first turn')
    return { count, sum, since }
  }

  function hasChanged(batch: Batch<GrantsAlong>, snapshot: Snapshot, stream: StreamKey): boolean {
    const { changes, cleared } = restOf(batch, ({ xid }) => !isVisible(xid, snapshot), encoders)
    return cleared.length > 0 || changes.some(({ before, after }) => before.includes(stream) || after.includes(stream))
  }

  return {
    verify,
    repair: async (streams) => {
      const held = streams.filter((stream) => holding.held.has(stream))
      if (held.length > 0) {
        await database.query(`insert into headwater.incidents (kind, device, detail) values ('checksum', $1, $2)`, [
          holding.device,
          held.map(streamScope).join(' ').slice(0, limits.detailMax),
        ])
        await loads.again(held)
      }
      // Without the word that this was all: that answers `verify` alone.
      for (const stream of held) await tell(stream)
    },
    verifyNext: async () => {
      const streams = [...holding.held.keys()]
      const stream = streams[last++ % Math.max(1, streams.length)]
      if (stream !== undefined) await tell(stream)
    },
    keep: (batch) => {
      for (const batches of watched) batches.push(batch)
    },
    areUnderWay: () => watched.size > 0,
  }
}
