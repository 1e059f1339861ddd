// How a device gets rows that it does not hold yet: loads at a snapshot of their own, revealed where the device has come to that snapshot.
import { HeadwaterError, type Hello, type Outcome, type ScopeKey } from '@headwater/protocol'
import type { Held } from '../feed/columns.ts'
import { checkCursor } from '../feed/cursor.ts'
import type { Batch } from '../feed/feed.ts'
import { readStep } from '../feed/log.ts'
import { nestedKeys, settleNested } from '../feed/nested.ts'
import { allOf, type Change, encodersOf, type Net, netOf } from '../feed/net.ts'
import { includes, isVisible, type Snapshot, snapshotOf } from '../feed/snapshot.ts'
import { type StreamKey, streamKey, streamScope } from '../feed/stream.ts'
import type { Transaction } from '../ports.ts'
import { type Granted, regranted } from '../scopes/grants.ts'
import { loadRows } from '../scopes/load.ts'
import { checkpointFrame, type Head, loadFrame, tablesText } from './frame.ts'
import { heldOf, showsTheSame } from './roles.ts'
import type { Attached, GrantsAlong, Holding, Subscriber, SubscriberDeps } from './subscriber.ts'

export interface Loads {
  /** See `Subscriber`. */
  attach: Subscriber['attach']
  hold: Subscriber['hold']
  /** Loads streams and reveals them. Answers those that are not granted. */
  join(streams: readonly StreamKey[]): Promise<readonly StreamKey[]>
  /** The streams of a scope that has just been granted. */
  streamsOf(scope: ScopeKey): readonly StreamKey[]
  /** A batch, in order: kept for the loads under way. */
  keep(batch: Batch<GrantsAlong>): void
  areUnderWay(): boolean
}

/** A load under way: what happens after its snapshot is kept until it is revealed. */
interface Loading {
  readonly batches: Batch<GrantsAlong>[]
}

interface Revealed {
  readonly snapshot: Snapshot
  readonly load: number
  readonly replace: boolean
  readonly wanted: Held
  /** The tag of the roles that the device knows; undefined: it has been greeted. */
  readonly tag?: string | null
  readonly before: readonly StreamKey[]
  readonly outcomes: readonly Outcome[]
  readonly missed: Net
}

export function createLoads(deps: SubscriberDeps, holding: Holding): Loads {
  const { feed, schema, database, sets } = deps
  const { device, user } = holding
  const encoders = encodersOf(schema)
  const loadings = new Set<Loading>()
  let loads = 0

  async function attach(hello: Hello, onWelcome: (attached: Attached) => void): Promise<void> {
    for (const scope of hello.held) holding.asked.add(scope)
    const loading = begin()
    const load = ++loads
    const frames = createFrames(deps)
    const found = await database.transaction('read', async (transaction) => {
      const snapshot = await snapshotIn(transaction)
      const checked = hello.cursor === null ? null : await checkCursor(transaction, hello.cursor, deps.identity, snapshot)
      holding.granted = await grantedIn(transaction)
      const isSame = showsTheSame(sets, holding.granted, hello.grants)
      const resume = checked?.resume === 'ok' && !isSame ? 'columns' : (checked?.resume ?? 'new')
      const before =
        resume === 'ok' ? [...hello.granted.map((scope) => streamKey('eager', scope)), ...hello.held.map((scope) => streamKey('onDemand', scope))] : []
      const wanted = heldOf(
        sets,
        [...[...holding.granted.keys()].map((scope) => streamKey('eager', scope)), ...hello.held.map((scope) => streamKey('onDemand', scope))],
        holding.granted,
      )
      const outcomes = await outcomesIn(transaction, hello)
      onWelcome({ resume, last: outcomes.last })
      const since = resume === 'ok' && checked?.position ? checked.position.snapshot : null
      const missed = since === null ? noNet : await netSince(transaction, since)
      // A device clears a truncated table after it took in what was loaded: it would lose rows that came after the truncation.
      const claimed = new Set(before)
      const isAnew = resume !== 'ok' || (missed.cleared.length > 0 && [...wanted.keys()].some((stream) => !claimed.has(stream)))
      const known = isAnew ? new Set<StreamKey>() : claimed
      await loadRows(transaction, schema, new Map([...wanted].filter(([stream]) => !known.has(stream))), (table, columns, rows) =>
        frames.add(loadFrame(load, table, columns, rows)),
      )
      return {
        snapshot,
        wanted,
        tag: isAnew ? null : hello.grants,
        replace: isAnew,
        before: [...known],
        outcomes: outcomes.list,
        missed: isAnew ? noNet : missed,
      }
    })
    await frames.flush()
    await feed.reach()
    // Of the same snapshot as well: what has ended in between leaves no trace in it.
    const later = loading.batches.filter((batch) => includes(batch.snapshot, found.snapshot)).flatMap(({ along }) => along?.get(user) ?? [])
    const before = holding.granted
    holding.granted = later.reduce(regranted, before)
    const gained = [...holding.granted.keys()].filter((scope) => !before.has(scope))
    reveal(loading, { ...found, load })
    holding.isAttached = true
    join(gained.flatMap(streamsOf)).catch(deps.onFailure)
  }

  async function hold(scopes: readonly ScopeKey[]): Promise<readonly ScopeKey[]> {
    for (const scope of scopes) holding.asked.add(scope)
    const denied = await join(scopes.map((scope) => streamKey('onDemand', scope)).filter((stream) => !holding.held.has(stream)))
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
      const allowed = heldOf(sets, streams, now)
      await loadRows(transaction, schema, allowed, (table, columns, rows) => frames.add(loadFrame(load, table, columns, rows)))
      return { snapshot: at, wanted: allowed }
    })
    await frames.flush()
    await feed.reach()
    reveal(loading, { snapshot, load, replace: false, wanted, before: [], outcomes: [], missed: noNet })
    return streams.filter((stream) => !wanted.has(stream))
  }

  /** Everything up to the feed's position has been delivered; what the load missed since its snapshot is in the kept batches. */
  function reveal(loading: Loading, found: Revealed): void {
    loadings.delete(loading)
    const few = holding.listen(found.wanted)
    const wanted = [...found.wanted.keys()].filter((stream) => holding.granted.has(streamScope(stream)))
    const since = loading.batches.map((batch) => ({
      changes: batch.changes.filter((change) => !isVisible(change.xid, found.snapshot)),
      cleared: batch.cleared.filter(({ xid }) => !isVisible(xid, found.snapshot)),
      outcomes: holding.isAttached ? [] : batch.outcomes.filter((one) => one.device === device && !isVisible(one.xid, found.snapshot)),
    }))
    // Also of streams that were lost meanwhile: their rows were loaded, and another stream may keep them on the device.
    // Not what the device says it held: it may say anything, and rows of a scope that is left go by themselves.
    const holds = (stream: StreamKey) => holding.held.has(stream)
    const loaded = new Set(found.wanted.keys())
    const before = new Set(found.before)
    // What went from a scope before the device came to it is nothing that the person was ever shown.
    const kept = new Set([...loaded].filter((stream) => before.has(stream)))
    const { changes, cleared } = lastOf([{ ...found.missed, concerns: kept }, ...since.map((part) => ({ ...part, concerns: loaded }))], holds)
    const here = new Set(wanted)
    const head: Head = {
      cursor: feed.cursor(),
      replace: found.replace,
      loads: [found.load],
      left: found.before.filter((stream) => !here.has(stream)),
      joined: wanted.filter((stream) => !before.has(stream)),
      grants: holding.rolesSince(found.tag),
      outcomes: [...found.outcomes, ...since.flatMap(({ outcomes }) => outcomes.map(({ outcome }) => outcome))],
    }
    holding.cursor = feed.cursor()
    holding.transmit(checkpointFrame(head, tablesText(changes, cleared, holding.held)))
    // Roles that came while it was loaded show more than was loaded.
    join(few).catch(deps.onFailure)
  }

  function begin(): Loading {
    const loading: Loading = { batches: [] }
    loadings.add(loading)
    return loading
  }

  const streamsOf = (scope: ScopeKey) => [streamKey('eager', scope), ...(holding.asked.has(scope) ? [streamKey('onDemand', scope)] : [])]

  async function grantedIn(transaction: Transaction): Promise<Granted> {
    const answer = await deps.grantReader.of(transaction, [user])
    return answer.get(user) ?? new Map()
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

  return {
    attach,
    hold,
    join,
    streamsOf,
    keep: (batch) => {
      for (const loading of loadings) loading.batches.push(batch)
    },
    areUnderWay: () => loadings.size > 0,
  }
}

const noNet: Net = { changes: [], outcomes: [], cleared: [] }

interface Part extends Pick<Batch<GrantsAlong>, 'changes' | 'cleared'> {
  readonly concerns: ReadonlySet<StreamKey>
}

/**
 * Per row its last change, of those that concern one of their part's streams; and what was truncated, with what came after it. A row that
 * came after the load and has gone again is left out: the device never had it, and the person may never have been allowed to.
 */
function lastOf(parts: readonly Part[], holds: (stream: StreamKey) => boolean): { changes: readonly Change[]; cleared: readonly string[] } {
  const last = new Map<string, { readonly change: Change; readonly wasThere: boolean }>()
  const cleared = new Set<string>()
  for (const part of parts) {
    for (const { table } of part.cleared) {
      cleared.add(table)
      for (const [id, { change }] of last) if (change.table === table) last.delete(id)
    }
    const concerns = (stream: StreamKey) => part.concerns.has(stream)
    for (const change of part.changes) {
      const id = `${change.table} ${change.key}`
      const earlier = last.get(id)
      const wasThere = earlier?.wasThere || change.before.some(concerns)
      if (wasThere || earlier || change.after.some(concerns)) last.set(id, { change: earlier ? both(earlier.change, change) : change, wasThere })
    }
  }
  const told = [...last.values()].filter(({ change, wasThere }) => wasThere || (change.row !== null && change.after.some(holds)))
  return { changes: told.map(({ change }) => change), cleared: [...cleared] }
}

/** What two changes of a row come to, one after the other. */
const both = ({ before, changed }: Change, later: Change): Change => ({ ...later, before, changed: allOf(changed, later.changed) })

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
