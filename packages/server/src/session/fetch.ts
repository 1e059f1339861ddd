// The rows of a load, in turns: each a transaction of its own, so that neither a slow device nor a large scope keeps the database from others.
// Invariant: between two turns, what the device has of the load is, with `missed`, what the snapshot of the last turn says of the rows up to the load's place.
import { type Cursor, HeadwaterError } from '@headwater/protocol'
import type { Held } from '../feed/columns.ts'
import type { Batch } from '../feed/feed.ts'
import { readTail, type Tail } from '../feed/large.ts'
import { asGone, type Change, type Encoders, encodersOf, type Net, netOf } from '../feed/net.ts'
import { settle, unsettledKeys, type Withheld } from '../feed/settle.ts'
import { type Snapshot, snapshotIn } from '../feed/snapshot.ts'
import type { StreamKey } from '../feed/stream.ts'
import { limits } from '../limits.ts'
import type { Transaction } from '../ports.ts'
import type { Granted } from '../scopes/grants.ts'
import { loadRows, type Place, tablesOf } from '../scopes/load.ts'
import { loadFrame } from './frame.ts'
import { digestOf, markText } from './mark.ts'
import { heldOf } from './roles.ts'
import type { GrantsAlong, SubscriberDeps } from './subscriber.ts'

/** A load under way. What happens after its snapshot is kept until it is revealed. */
export interface Load {
  number: number
  readonly streams: readonly StreamKey[]
  /** Those of them that are granted, and what they show; null before the first turn. */
  held: Held | null
  /** Rows of the whole greeting. A load with a total can be continued by another connection. */
  readonly total: number | null
  batches: Batch<GrantsAlong>[]
  place: Place
  /** The snapshot of the last turn; null: there was none. */
  at: Snapshot | null
  /** What changed between turns in what the streams contain, in order. Told when the load is revealed. */
  missed: Net[]
  /** With what has changed since, what the device has of the load is right: the feed's, before the last turn, or before the first after which something was missed. */
  cursor: Cursor | null
  /** Some of it came over another connection. */
  isContinued: boolean
}

/** Sends a load's rows; `onEnd` is told of the snapshot of the last of them. Afterwards that is `at`, of all of it. What was sent already is brought up to date. */
export type Fetch = (load: Load, onEnd?: (transaction: Transaction, granted: Granted) => Promise<void>) => Promise<void>

export function createFetch(deps: SubscriberDeps, grantedIn: (transaction: Transaction) => Promise<Granted>): Fetch {
  const { schema, transmit, isFull, onWithheld } = deps
  const encoders = encodersOf(schema)

  /** True: all of it was sent. */
  async function turn(transaction: Transaction, load: Load, onEnd: Parameters<Fetch>[1]): Promise<boolean> {
    // What was delivered by now is visible in the snapshot that is taken next.
    load.batches = []
    const cursor = deps.feed.cursor()
    const snapshot = await snapshotIn(transaction)
    const granted = await grantedIn(transaction)
    const held = heldOf(deps.sets, load.streams, granted)
    if (load.held !== null && (held.size < load.held.size || [...held].some(([stream, set]) => load.held?.get(stream) !== set))) throw changedAsAWhole()
    if (load.at !== null) load.missed.push(...(await missedSince(transaction, held, load.isContinued, load.at)))
    refuseMisfits(tablesOf(schema, held), deps.troubles())
    load.held = held
    load.at = snapshot
    load.isContinued = false
    if (load.missed.length === 0) load.cursor = cursor
    const markOf = marking(load, held)
    let bytes = 0
    const stopped = await loadRows(transaction, deps, held, load.place, ({ table, columns, rows, place }) => {
      transmit(loadFrame(load.number, table, columns, rows, markOf(place), load.total))
      bytes += rows.length
      return bytes < limits.loadTurnBytes && !isFull()
    })
    load.place = stopped ?? load.place
    if (stopped === null) await onEnd?.(transaction, granted)
    return stopped === null
  }

  /** In order, what changed in what the streams contain. */
  async function missedSince(transaction: Transaction, held: Held, isContinued: boolean, since: Snapshot): Promise<readonly Net[]> {
    const tail = await readTail(transaction, encoders, since, new Set(held.keys()))
    const { rows } = tail
    const net = await settled(transaction, { encoders, onWithheld }, tail)
    const tables = tablesOf(schema, held)
    if (tail.heavy.size > 0 || [...net.barriers, ...net.cleared.map(({ table }) => table)].some((table) => tables.has(table))) throw changedAsAWhole()
    // On another connection some turns may have come after the cursor, and have shown what has gone again: it is in no net change.
    const each = isContinued ? rows.map((row) => netOf([row], encoders)).map((net) => ({ ...net, changes: net.changes.map(asGone) })) : []
    const isConcerned = ({ before, after }: Change) => [...before, ...after].some((stream) => held.has(stream))
    return [...each, net].map((part) => ({ ...part, changes: part.changes.filter(isConcerned) })).filter(({ changes }) => changes.length > 0)
  }

  function marking({ number, total, cursor }: Load, held: Held): (place: Place) => string | null {
    if (total === null || cursor === null) return () => null
    const digest = digestOf(schema, held)
    return (place) => markText({ load: number, digest, cursor, place })
  }

  return async (load, onEnd) => {
    try {
      for (let isDone = false; !isDone; ) {
        await deps.drained()
        isDone = await deps.slots.run(() => deps.database.transaction('read', (transaction) => turn(transaction, load, onEnd)))
      }
    } finally {
      // What was read after somebody's DDL may be wrong, or nothing that can be read. It is not revealed: either the table is among the
      // troubles now, or its barrier ends the connection first.
      await deps.look().catch(() => {})
      refuseMisfits(tablesOf(schema, load.held ?? new Map()), deps.troubles())
    }
  }
}

/** What is net of it, in the transaction's own snapshot. */
export async function settled(transaction: Transaction, deps: SettledDeps, { rows }: Tail): Promise<Net> {
  const net = netOf(rows, deps.encoders)
  const changes = await settle(transaction, deps, unsettledKeys(rows), net.changes, limits.stepBytesMax)
  if (changes === null) throw changedAsAWhole()
  return { ...net, changes }
}
export interface SettledDeps {
  readonly encoders: Encoders
  readonly onWithheld: (row: Withheld) => void
}

/** What does not fit the schema would be encoded wrongly. */
export function refuseMisfits(tables: Iterable<string>, troubles: ReadonlyMap<string, string>): void {
  for (const table of tables) {
    if (troubles.has(table))
      throw new HeadwaterError('unavailable', `Table ${table} cannot be loaded now.`, 'The database is to be migrated; the device tries again by itself.')
  }
}

/** A table was emptied, a scope lost, or a role changed that shows other columns: what the device has of the load is not worth keeping. */
export const changedAsAWhole = () => new HeadwaterError('unavailable', 'What was being loaded has changed as a whole.', 'The device greets again.')
