// What one device holds, and how it stays level: loads at a snapshot of their own, and from there on the batches of the feed.
// Invariant: at every checkpoint the device is at one snapshot of the database for everything it holds.
import { type DeviceId, HeadwaterError, type Hello, type Outcome, type ScopeKey, type UserId } from '@headwater/protocol'
import type { Schema } from '@headwater/schema'
import { checkCursor, type Identity, type Resume } from '../feed/cursor.ts'
import type { Batch, Feed } from '../feed/feed.ts'
import { readStep } from '../feed/log.ts'
import { nestedKeys, settleNested } from '../feed/nested.ts'
import { type Change, encodersOf, type Net, netOf } from '../feed/net.ts'
import { includes, isVisible, type Snapshot, snapshotOf } from '../feed/snapshot.ts'
import { type StreamKey, streamKey, streamScope } from '../feed/stream.ts'
import type { Database, Transaction } from '../ports.ts'
import type { Granted, GrantReader } from '../scopes/grants.ts'
import { type Delivery, type Hub, nothing } from '../scopes/hub.ts'
import { loadRows } from '../scopes/load.ts'
import { checkpointFrame, loadFrame } from './frame.ts'

/** Per connected person, what they hold at the batch's snapshot. */
export type GrantsAlong = ReadonlyMap<UserId, Granted>

export interface SubscriberDeps {
  readonly database: Database
  readonly feed: Feed<GrantsAlong>
  readonly hub: Hub<Subscriber>
  readonly grantReader: GrantReader
  readonly schema: Schema
  readonly identity: Identity
  /** Resolves when the device has read enough for more; rejects when it was cut off. */
  readonly send: (frame: string) => Promise<void>
  /** Ends the connection: the device greets again and is brought level anew. */
  readonly onFailure: (error: unknown) => void
  /** Ends the connection because the device has another one. */
  readonly end: () => void
}

export interface Attached {
  readonly resume: Resume | 'new'
  readonly last: number
}

export interface Subscriber {
  readonly device: DeviceId
  readonly user: UserId
  /** Brings the device level. `onWelcome` runs once, before anything is sent. */
  attach(hello: Hello, onWelcome: (attached: Attached) => void): Promise<void>
  /** Adds the on-demand rows of scopes. Answers those that are not granted. */
  hold(scopes: readonly ScopeKey[]): Promise<readonly ScopeKey[]>
  release(scopes: readonly ScopeKey[]): void
  /** Grants at a batch's snapshot, before its changes are routed: what is lost is not sent any more. */
  regrant(batch: Batch<GrantsAlong>): void
  /** A batch, in order. `delivery` is what of it concerns this device by the streams it listens to. */
  deliver(batch: Batch<GrantsAlong>, delivery: Delivery): void
  /** Hands out the feed's cursor if the device's is older. */
  refreshCursor(): void
  /** Whether it must be told of every batch, whatever its streams. */
  needsEveryBatch(): boolean
  /** The device has connected again: this connection is a dead one. */
  end(): void
}

/** A load under way: what happens after its snapshot is kept until it is revealed. */
interface Loading {
  readonly batches: Batch<GrantsAlong>[]
}

export function createSubscriber(deps: SubscriberDeps, device: DeviceId, user: UserId): Subscriber {
  const { feed, hub, schema, database } = deps
  const encoders = encodersOf(schema)
  const held = new Set<StreamKey>()
  // On-demand scopes that the device asked for, granted or not: one that is granted later is joined then.
  const asked = new Set<ScopeKey>()
  const loadings = new Set<Loading>()
  let granted: ReadonlySet<ScopeKey> = new Set()
  let lost: StreamKey[] = []
  let isAttached = false
  let cursor = ''
  let loads = 0

  const holds = (stream: StreamKey) => held.has(stream)
  const transmit = (frame: string) => {
    // A device that was cut off greets again; there is nobody left to tell.
    deps.send(frame).catch(() => {})
  }

  async function attach(hello: Hello, onWelcome: (attached: Attached) => void): Promise<void> {
    hub.add(subscriber)
    for (const scope of hello.held) asked.add(scope)
    const loading = begin()
    const load = ++loads
    const frames = createFrames(deps)
    const found = await database.transaction('read', async (transaction) => {
      const snapshot = await snapshotIn(transaction)
      const checked = hello.cursor === null ? null : await checkCursor(transaction, hello.cursor, deps.identity, snapshot)
      const resume = checked?.resume ?? 'new'
      const before =
        resume === 'ok' ? [...hello.granted.map((scope) => streamKey('eager', scope)), ...hello.held.map((scope) => streamKey('onDemand', scope))] : []
      granted = await grantedIn(transaction)
      const wanted = [
        ...[...granted].map((scope) => streamKey('eager', scope)),
        ...hello.held.filter((scope) => granted.has(scope)).map((scope) => streamKey('onDemand', scope)),
      ]
      const outcomes = await outcomesIn(transaction, hello)
      onWelcome({ resume, last: outcomes.last })
      const since = resume === 'ok' && checked?.position ? checked.position.snapshot : null
      const missed = since === null ? noNet : await netSince(transaction, since)
      const known = new Set(before)
      await loadRows(
        transaction,
        schema,
        wanted.filter((stream) => !known.has(stream)),
        (table, rows) => frames.add(loadFrame(load, table, rows)),
      )
      return { snapshot, resume, wanted, before, outcomes: outcomes.list, missed }
    })
    await frames.flush()
    await feed.reach()
    const later = loading.batches.findLast((batch) => batch.along?.has(user) && !includes(found.snapshot, batch.snapshot))
    const gained = [...(later?.along?.get(user)?.keys() ?? [])].filter((scope) => !granted.has(scope))
    if (later) granted = new Set(later.along?.get(user)?.keys())
    reveal(loading, { ...found, load, replace: found.resume !== 'ok' })
    isAttached = true
    join(gained.flatMap(streamsOf)).catch(deps.onFailure)
  }

  async function hold(scopes: readonly ScopeKey[]): Promise<readonly ScopeKey[]> {
    for (const scope of scopes) asked.add(scope)
    const denied = await join(scopes.map((scope) => streamKey('onDemand', scope)).filter((stream) => !held.has(stream)))
    return denied.map(streamScope)
  }

  /** Everything since a snapshot, net, in the transaction's own. */
  async function netSince(transaction: Transaction, since: Snapshot): Promise<Net> {
    const { rows } = await readStep(transaction, since)
    const net = netOf(rows, encoders)
    return { ...net, changes: await settleNested(transaction, schema, encoders, nestedKeys(rows), net.changes) }
  }

  /** Loads streams at a snapshot of their own and reveals them where the device has come to that snapshot. Answers those that are not granted there. */
  async function join(streams: readonly StreamKey[]): Promise<readonly StreamKey[]> {
    if (streams.length === 0) return []
    const loading = begin()
    const load = ++loads
    const frames = createFrames(deps)
    const { snapshot, wanted } = await database.transaction('read', async (transaction) => {
      const at = await snapshotIn(transaction)
      const now = await grantedIn(transaction)
      const allowed = streams.filter((stream) => now.has(streamScope(stream)))
      await loadRows(transaction, schema, allowed, (table, rows) => frames.add(loadFrame(load, table, rows)))
      return { snapshot: at, wanted: allowed }
    })
    await frames.flush()
    await feed.reach()
    reveal(loading, { snapshot, load, replace: false, wanted, before: [], outcomes: [], missed: noNet })
    return streams.filter((stream) => !wanted.includes(stream))
  }

  interface Revealed {
    readonly snapshot: Snapshot
    readonly load: number
    readonly replace: boolean
    readonly wanted: readonly StreamKey[]
    readonly before: readonly StreamKey[]
    readonly outcomes: readonly Outcome[]
    readonly missed: Net
  }

  /** Everything up to the feed's position has been delivered; what the load missed since its snapshot is in the kept batches. */
  function reveal(loading: Loading, found: Revealed): void {
    loadings.delete(loading)
    const wanted = found.wanted.filter((stream) => granted.has(streamScope(stream)))
    for (const stream of wanted) held.add(stream)
    hub.listen(subscriber, wanted)
    const since = loading.batches.map((batch) => ({
      changes: batch.changes.filter((change) => !isVisible(change.xid, found.snapshot)),
      cleared: batch.cleared.filter(({ xid }) => !isVisible(xid, found.snapshot)),
      outcomes: isAttached ? [] : batch.outcomes.filter((one) => one.device === device && !isVisible(one.xid, found.snapshot)),
    }))
    // Also of streams that were lost meanwhile: their rows were loaded, and another stream may keep them on the device.
    // Not what the device says it held: it may say anything, and rows of a scope that is left go by themselves.
    const concerns = new Set(found.wanted)
    const { changes, cleared } = lastOf([found.missed, ...since], concerns)
    const joined = wanted.filter((stream) => !found.before.includes(stream))
    cursor = feed.cursor()
    transmit(
      checkpointFrame(
        {
          cursor: feed.cursor(),
          replace: found.replace,
          loads: [found.load],
          left: found.before.filter((stream) => !wanted.includes(stream)),
          joined,
          cleared,
          changes,
          outcomes: [...found.outcomes, ...since.flatMap(({ outcomes }) => outcomes.map(({ outcome }) => outcome))],
        },
        holds,
      ),
    )
  }

  function begin(): Loading {
    const loading: Loading = { batches: [] }
    loadings.add(loading)
    return loading
  }

  function regrant(batch: Batch<GrantsAlong>): void {
    const now = batch.along?.get(user)
    if (now === undefined || !isAttached) return
    const gained = [...now.keys()].filter((scope) => !granted.has(scope))
    granted = new Set(now.keys())
    lost = [...held].filter((stream) => !granted.has(streamScope(stream)))
    for (const stream of lost) held.delete(stream)
    hub.unlisten(subscriber, lost)
    join(gained.flatMap(streamsOf)).catch(deps.onFailure)
  }

  function deliver(batch: Batch<GrantsAlong>, delivery: Delivery): void {
    for (const loading of loadings) loading.batches.push(batch)
    if (!isAttached) return
    const left = lost
    lost = []
    if (delivery === nothing && left.length === 0 && batch.cleared.length === 0) return
    cursor = batch.cursor
    const cleared = batch.cleared.map(({ table }) => table)
    transmit(
      checkpointFrame({ cursor: batch.cursor, left, cleared, changes: delivery.changes, outcomes: delivery.outcomes.map(({ outcome }) => outcome) }, holds),
    )
  }

  const streamsOf = (scope: ScopeKey) => [streamKey('eager', scope), ...(asked.has(scope) ? [streamKey('onDemand', scope)] : [])]

  async function grantedIn(transaction: Transaction): Promise<ReadonlySet<ScopeKey>> {
    const answer = await deps.grantReader.of(transaction, [user])
    return new Set(answer.get(user)?.keys())
  }

  /** What the device does not know yet of its mutations, and its highest number. */
  async function outcomesIn(transaction: Transaction, hello: Hello): Promise<{ readonly last: number; readonly list: readonly Outcome[] }> {
    const rows = await transaction.query(
      `select number::text as number, outcome as type, code, reason from headwater.mutations where device = $1 and number > $2::text::bigint order by headwater.mutations.number`,
      [device, String(hello.confirmed)],
    )
    // headwater.mutations has a check on the outcome.
    const list = rows.map((row) => ({ number: Number(row.number), type: row.type, code: row.code ?? null, reason: row.reason ?? null }) as Outcome)
    return { last: Math.max(hello.confirmed, list.at(-1)?.number ?? 0), list }
  }

  const subscriber: Subscriber = {
    device,
    user,
    attach,
    hold,
    release: (scopes) => {
      const streams = scopes.map((scope) => streamKey('onDemand', scope))
      for (const scope of scopes) asked.delete(scope)
      for (const stream of streams) held.delete(stream)
      hub.unlisten(subscriber, streams)
    },
    regrant,
    deliver,
    refreshCursor: () => {
      if (!isAttached || cursor === feed.cursor()) return
      cursor = feed.cursor()
      transmit(checkpointFrame({ cursor: feed.cursor(), changes: [], outcomes: [] }, holds))
    },
    needsEveryBatch: () => loadings.size > 0,
    end: deps.end,
  }
  return subscriber
}

const noNet: Net = { changes: [], outcomes: [], cleared: [] }

/** Per row its last change, of those that concern one of the streams; and what was truncated, with what came after it. */
function lastOf(
  parts: readonly Pick<Batch<GrantsAlong>, 'changes' | 'cleared'>[],
  streams: ReadonlySet<StreamKey>,
): { changes: readonly Change[]; cleared: readonly string[] } {
  const last = new Map<string, Change>()
  const cleared = new Set<string>()
  for (const part of parts) {
    for (const { table } of part.cleared) {
      cleared.add(table)
      for (const [id, change] of last) if (change.table === table) last.delete(id)
    }
    for (const change of part.changes) {
      const id = `${change.table} ${change.key}`
      if (last.has(id) || [...change.before, ...change.after].some((stream) => streams.has(stream))) last.set(id, change)
    }
  }
  return { changes: [...last.values()], cleared: [...cleared] }
}

/** On a database with one connection the transaction must not wait for a slow device: the frames are kept and sent after it. */
function createFrames({ database, send }: SubscriberDeps) {
  const kept: string[] = []
  return {
    add: async (frame: string) => {
      if (database.kind === 'embedded') kept.push(frame)
      else await send(frame)
    },
    flush: async () => {
      for (const frame of kept) await send(frame)
    },
  }
}

async function snapshotIn(transaction: Transaction): Promise<Snapshot> {
  const rows = await transaction.query('select pg_current_snapshot()::text as snapshot, pg_is_in_recovery() as standby')
  if (rows[0]?.standby !== false) throw new HeadwaterError('standby', 'This PostgreSQL is a standby in recovery.', 'Give Headwater the URL of the primary.')
  return snapshotOf(String(rows[0].snapshot))
}
