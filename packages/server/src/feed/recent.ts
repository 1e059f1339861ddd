// The newest part of the log, in memory: devices that were away for a moment are told from it, however many of them come back at once.
// Invariant: what is held is everything between two positions of the feed, without a hole; or nothing.
import type { Schema } from '@headwater/schema'
import { limits } from '../limits.ts'
import type { Transaction } from '../ports.ts'
import type { Batch, Feed } from './feed.ts'
import { createFingerprints, type Fingerprints } from './fingerprints.ts'
import { readWhole, xidBack } from './log.ts'
import { type Change, encodersOf, type Net, netOf } from './net.ts'
import { both, idOf, restOf } from './rest.ts'
import { settle, unsettledKeys, type Withheld } from './settle.ts'
import { includes, isVisible, type Snapshot, snapshotBelow } from './snapshot.ts'
import type { StreamKey } from './stream.ts'

export interface Recent {
  /**
   * Whether `between` can tell what came after `since`. `transaction` is at `now`, and is used once, for what came before this server's own
   * time: everybody who asks meanwhile waits for that.
   */
  reaches(transaction: Transaction, now: Snapshot, since: Snapshot): Promise<boolean>
  /**
   * What came after `since`, and up to `upTo`, of rows in these streams; null: it is not held any more. The caller has waited for `feed.reach` since `upTo`
   * was taken. No barrier is in it.
   */
  between(since: Snapshot, upTo: Snapshot, streams: ReadonlySet<StreamKey>): Net | null
}

type Held = Pick<Batch<unknown>, 'snapshot' | 'rows' | 'changes' | 'cleared'>

interface RecentDeps {
  readonly feed: Feed<unknown>
  readonly schema: Schema
  /** About, in memory. */
  readonly bytesMax: number
  readonly onWithheld: (row: Withheld) => void
}

/** What a feed remembers for those who come back. */
export function createMemory(deps: RecentDeps): { readonly recent: Recent; readonly fingerprints: Fingerprints } {
  const fingerprints = createFingerprints()
  deps.feed.onReset(fingerprints.forget)
  return { recent: createRecent(deps), fingerprints }
}

function createRecent({ feed, schema, bytesMax, onWithheld }: RecentDeps): Recent {
  const encoders = encodersOf(schema)
  let batches: { readonly batch: Held; readonly bytes: number }[] = []
  let bytes = 0
  // Where what is held begins; null: where the feed is when somebody asks.
  let from: Snapshot | null = null
  let filling: Promise<void> | null = null

  function begin(at: Snapshot | null): void {
    batches = []
    bytes = 0
    from = at
    filling = null
  }

  function add(batch: Batch<unknown>): void {
    if (batch.rows.length === 0 && batch.large === null) return
    // Whoever was away for a barrier, or for more than memory should hold, is told by the log itself.
    if (from === null || batch.barriers.size > 0 || batch.large !== null) return begin(batch.snapshot)
    hold(batch, 'push')
    while (bytes > bytesMax) {
      const first = batches.shift()
      bytes -= first?.bytes ?? 0
      from = first?.batch.snapshot ?? from
    }
  }

  function hold(batch: Held, where: 'push' | 'unshift'): void {
    const size = bytesOf(batch)
    bytes += size
    batches[where]({ batch, bytes: size })
  }

  /** The rows before this server's first batch, so many. */
  async function fill(transaction: Transaction, now: Snapshot, end: Snapshot): Promise<void> {
    if (!includes(now, end)) return
    const back = snapshotBelow(await xidBack(transaction, limits.recentRowsBack))
    const rows = await readWhole(transaction, back, bytesMax)
    if (rows === null) return
    const before = rows.filter(({ xid }) => isVisible(xid, end))
    const net = netOf(before, encoders)
    const changes = await settle(transaction, { encoders, onWithheld }, unsettledKeys(before), net.changes, bytesMax)
    if (changes === null) return
    const batch = { ...net, changes, snapshot: end, rows: before }
    if (net.barriers.size > 0 || from !== end || bytes + bytesOf(batch) > bytesMax) return
    hold(batch, 'unshift')
    from = back
  }

  async function reaches(transaction: Transaction, now: Snapshot, since: Snapshot): Promise<boolean> {
    if (bytesMax === 0) return false
    from ??= feed.snapshot()
    if (includes(since, from)) return isTold(since)
    filling ??= fill(transaction, now, from).catch((error) => {
      filling = null
      throw error
    })
    await filling
    return from !== null && includes(since, from) && isTold(since)
  }

  function between(since: Snapshot, upTo: Snapshot, streams: ReadonlySet<StreamKey>): Net | null {
    if (from === null || !includes(since, from)) return null
    const isAsked = ({ xid }: { readonly xid: bigint }) => isVisible(xid, upTo) && !isVisible(xid, since)
    return together(
      after(since).map(({ batch }) => restOf(batch, isAsked, encoders)),
      (stream) => streams.has(stream),
    )
  }

  const after = (since: Snapshot) => batches.slice(batches.findLastIndex(({ batch }) => includes(since, batch.snapshot)) + 1)

  /** More would not go into one message. */
  const isTold = (since: Snapshot) => after(since).reduce((sum, { bytes }) => sum + bytes, 0) <= limits.recentToldBytesMax

  feed.onBatch(add)
  feed.onReset(() => begin(null))
  return { reaches, between }
}

/** What parts, one after the other, come to for who holds streams. */
function together(parts: readonly Pick<Net, 'changes' | 'cleared'>[], isHeld: (stream: StreamKey) => boolean): Net {
  const changes = new Map<string, Change>()
  const cleared = new Map<string, Net['cleared'][number]>()
  for (const part of parts) {
    for (const one of part.cleared) {
      cleared.set(one.table, one)
      for (const [id, { table }] of changes) if (table === one.table) changes.delete(id)
    }
    for (const change of part.changes) {
      const id = idOf(change)
      const earlier = changes.get(id)
      if (earlier) changes.set(id, joined(earlier, change, isHeld))
      else if (change.before.some(isHeld) || change.after.some(isHeld)) changes.set(id, change)
    }
  }
  const wasSeen = ({ row, before }: Change) => row !== null || before.length > 0
  return { changes: [...changes.values()].filter(wasSeen), cleared: [...cleared.values()], outcomes: [], barriers: new Set() }
}

/** Of a row that was in no held stream in between, that part of its past was passed over. */
const joined = (earlier: Change, later: Change, isHeld: (stream: StreamKey) => boolean): Change =>
  earlier.after.some(isHeld) ? both(earlier, later) : { ...both(earlier, later), changed: null }

/** What a row takes besides its texts, about. */
const rowBytes = 500
const bytesOf = ({ rows, changes }: Held) =>
  rows.reduce((sum, row) => sum + rowBytes + (row.key?.length ?? 0) + (row.new?.length ?? 0) + (row.old?.length ?? 0), 0) +
  changes.reduce((sum, { row }) => sum + (row?.length ?? 0), 0)
