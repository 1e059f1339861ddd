// How a device gets rows that it does not hold yet: loads at a snapshot of their own, revealed where the device has come to that snapshot.
import { type Cursor, HeadwaterError, type Hello, type Outcome, type ScopeKey, limits as wire } from '@headwater/protocol'
import type { Held } from '../feed/columns.ts'
import { checkCursor } from '../feed/cursor.ts'
import type { Batch } from '../feed/feed.ts'
import { type Change, encodersOf, type Net } from '../feed/net.ts'
import { both, restOf } from '../feed/rest.ts'
import { includes, isVisible, type Snapshot, snapshotIn } from '../feed/snapshot.ts'
import { type StreamKey, streamKey, streamLoad, streamScope } from '../feed/stream.ts'
import { limits } from '../limits.ts'
import type { Transaction } from '../ports.ts'
import { type Granted, regranted } from '../scopes/grants.ts'
import { countRows, isPlace, loadStart, type Place } from '../scopes/load.ts'
import { changedAsAWhole, createFetch, type Load } from './fetch.ts'
import { checkpointFrame, type Head, tablesText } from './frame.ts'
import { digestOf, readMark } from './mark.ts'
import { missedSince } from './missed.ts'
import { checkFew, heldOf, showsTheSame } from './roles.ts'
import type { Attached, GrantsAlong, Holding, Subscriber, SubscriberDeps } from './subscriber.ts'

export interface Loads {
  /** See `Subscriber`. Resolves with the first checkpoint; what is not on the device yet is loaded after it. */
  attach: Subscriber['attach']
  hold: Subscriber['hold']
  /** Loads streams and reveals them. Answers those that are not granted. */
  join(streams: readonly StreamKey[]): Promise<readonly StreamKey[]>
  /** Loads streams that are held once more, and reveals them in the place of what the device has of them. */
  again(streams: readonly StreamKey[]): Promise<void>
  /** The streams of a scope that has just been granted. */
  streamsOf(scope: ScopeKey): readonly StreamKey[]
  /** A batch, in order: kept for the loads under way. */
  keep(batch: Batch<GrantsAlong>): void
  areUnderWay(): boolean
  /** Whether the device is to hold the stream, and its rows are being loaded. */
  isComing(stream: StreamKey): boolean
}

/** What a greeting found, in one snapshot. */
interface Greeted {
  readonly snapshot: Snapshot
  /** That of the device's cursor; null: it does not continue it. */
  readonly since: Snapshot | null
  readonly resume: Attached['resume']
  /** What was missed is in memory, and read from there once the feed has come to the snapshot. */
  readonly isRecent: boolean
  /** Streams that the device says it holds at its cursor. */
  readonly before: ReadonlySet<StreamKey>
  /** Those of them that are granted: nothing is told of what a device claims, and was not. */
  readonly kept: Held
  readonly outcomes: readonly Outcome[]
  readonly missed: Net
  /** Streams that the device holds at its cursor, and of which a table has changed since in a way that no row tells: they are exchanged as one. */
  readonly stale: readonly StreamKey[]
  /** What is to be loaded, in the order in which it becomes visible; and where the first of it goes on, if the device has some of it. */
  readonly groups: readonly (readonly StreamKey[])[]
  readonly continued: Continued | null
  readonly total: number
}

/** A load of which a device has the beginning. */
interface Continued {
  readonly number: number
  readonly place: Place
  readonly at: Snapshot
  readonly cursor: Cursor
  readonly held: Held
}

interface Revealed {
  readonly replace: boolean
  readonly wanted: Held
  /** The tag of the roles that the device knows; undefined: it has been greeted. */
  readonly tag?: string | null
  readonly before: ReadonlySet<StreamKey>
  readonly outcomes: readonly Outcome[]
  readonly missed: Net
  readonly more: boolean | null
  /** Streams that are left and joined anew: nothing of them stays as it was. */
  readonly again?: readonly StreamKey[]
}

export function createLoads(deps: SubscriberDeps, holding: Holding): Loads {
  const { feed, schema, database, sets } = deps
  const { device, user } = holding
  const encoders = encodersOf(schema)
  const app = { schema, encoders, onWithheld: deps.onWithheld }
  const underWay = new Set<Load>()
  let inLine: readonly (readonly StreamKey[])[] = []
  const fetch = createFetch(deps, grantedIn)
  let loads = 0

  async function attach(hello: Hello, onWelcome: (attached: Attached) => void): Promise<void> {
    for (const scope of hello.held) holding.asked.add(scope)
    const load = begin([], null)
    const found = await deps.slots.run(() => database.transaction('read', (transaction) => greet(transaction, hello, onWelcome)))
    const { resume, before, stale, groups } = found
    const greeted = holding.granted
    loads = Math.max(loads, found.continued?.number ?? 0)
    // Rows that are shown already are exchanged as one: nobody should see them go and come again.
    const isShowing = resume !== 'ok' && (hello.cursor !== null || hello.granted.length > 0)
    let { outcomes, missed } = found
    Object.assign(load, { at: found.snapshot })
    const onEnd = async (transaction: Transaction, granted: Granted) => {
      holding.granted = granted
      outcomes = (await outcomesIn(transaction, hello)).list
      if (found.since === null) return
      const others = new Set([...before].filter((stream) => !stale.includes(stream)))
      const late = await missedSince(transaction, app, found.since, others, stale.length > 0)
      if (late.stale.length > 0) throw changedAsAWhole()
      missed = late.missed
    }
    if (isShowing || stale.length > 0) {
      const streams = isShowing ? groups.flat() : stale
      Object.assign(load, { at: null, streams, total: found.total, ...(isShowing && found.continued), isContinued: isShowing && found.continued !== null })
      await fetch(load, onEnd)
    }
    await reach(load, onEnd)
    // Another turn of the load has read it from the log.
    if (found.isRecent && load.at === found.snapshot) missed = recentOf(found)
    settleGrants(load)
    // Since the greeting was read, whether a batch told of it or a turn of the load.
    const gained = [...holding.granted.keys()].filter((scope) => !greeted.has(scope))
    const wanted: Held = new Map([...found.kept, ...(load.held ?? [])])
    const isAnew = resume !== 'ok'
    reveal(load, { replace: isAnew, wanted, tag: isAnew ? null : hello.grants, before, outcomes, missed, more: !isShowing && groups.length > 0, again: stale })
    holding.isAttached = true
    join(gained.flatMap(streamsOf)).catch(deps.onFailure)
    if (!isShowing) joinAll(found).catch(deps.onFailure)
  }

  async function greet(transaction: Transaction, hello: Hello, onWelcome: (attached: Attached) => void): Promise<Greeted> {
    const snapshot = await snapshotIn(transaction)
    const checked = hello.cursor === null ? null : await checkCursor(transaction, hello.cursor, deps.identity, snapshot, deps.fingerprints.has)
    holding.granted = await grantedIn(transaction)
    const isSame = showsTheSame(sets, holding.granted, hello.grants)
    const resume = checked?.resume === 'ok' && !isSame ? 'columns' : (checked?.resume ?? 'new')
    const held = hello.held.map((scope) => streamKey('onDemand', scope))
    const before = new Set(resume === 'ok' ? [...hello.granted.map((scope) => streamKey('eager', scope)), ...held] : [])
    const outcomes = await outcomesIn(transaction, hello)
    const groups = groupsOf(hello.held).filter((group) => group.length > 0)
    const since = resume === 'ok' && checked?.position ? checked.position.snapshot : null
    const isRecent = since !== null && (await deps.recent.reaches(transaction, snapshot, since))
    const { missed, stale } = since === null || isRecent ? { missed: noNet, stale: [] } : await missedSince(transaction, app, since, before)
    const continued = stale.length > 0 ? null : await continuedIn(transaction, snapshot, hello, groups)
    onWelcome({ resume, last: outcomes.last, continued: continued !== null })
    const kept = heldOf(
      sets,
      [...before].filter((stream) => !stale.includes(stream)),
      holding.granted,
    )
    const all = heldOf(sets, [...before, ...groups.flat()], holding.granted)
    const total = groups.length + stale.length === 0 ? 0 : await countRows(transaction, schema, all)
    return { snapshot, since, isRecent, resume, before, kept, outcomes: outcomes.list, missed, stale, groups, continued, total }

    /** What the screen waits for comes first. In order, so that the next greeting makes the same groups. */
    function groupsOf(waitedFor: readonly ScopeKey[]): (readonly StreamKey[])[] {
      const isNew = (stream: StreamKey) => !before.has(stream)
      const first = waitedFor.filter((scope) => holding.granted.has(scope)).flatMap((scope) => [streamKey('onDemand', scope), streamKey('eager', scope)])
      const known = new Set(first)
      const rest = [...holding.granted.keys()].map((scope) => streamKey('eager', scope)).filter((stream) => !known.has(stream))
      return [...chunks(first.filter(isNew)), ...chunks(rest.filter(isNew).sort())]
    }
  }

  /** While the feed came to where the greeting was read, it may have come too far. */
  function recentOf({ since, snapshot, kept }: Greeted): Net {
    const missed = since && deps.recent.between(since, snapshot, new Set(kept.keys()))
    if (!missed) throw new HeadwaterError('unavailable', 'What the device missed has gone from memory.', 'The device greets again.')
    return missed
  }

  /** The load that the device has the beginning of goes on, and first, if its rows can be brought up to date. */
  async function continuedIn(transaction: Transaction, now: Snapshot, hello: Hello, groups: (readonly StreamKey[])[]): Promise<Continued | null> {
    const mark = hello.mark === null ? null : readMark(hello.mark)
    if (mark === null) return null
    const at = groups.findIndex((group) => digestOf(schema, heldOf(sets, group, holding.granted)) === mark.digest)
    const checked = at < 0 ? null : await checkCursor(transaction, mark.cursor, deps.identity, now, deps.fingerprints.has)
    if (checked?.resume !== 'ok' || checked.position === null) return null
    const [group = []] = groups.splice(at, 1)
    groups.unshift(group)
    const held = heldOf(sets, group, holding.granted)
    if (!isPlace(schema, held, mark.place)) return null
    const { snapshot } = checked.position
    const { stale } = await missedSince(transaction, app, snapshot, new Set(held.keys()), true)
    return stale.length > 0 ? null : { number: mark.load, place: mark.place, at: snapshot, cursor: mark.cursor, held }
  }

  /** What a person holds now: their grants may have changed while their greeting was answered. */
  function settleGrants(load: Load): void {
    // Of the same snapshot as well: what has ended in between leaves no trace in it.
    const later = load.batches.filter((batch) => load.at === null || includes(batch.snapshot, load.at)).flatMap(({ along }) => along?.get(user) ?? [])
    holding.granted = later.reduce(regranted, holding.granted)
  }

  async function joinAll({ groups, continued, total }: Greeted): Promise<void> {
    for (const [i, group] of groups.entries()) {
      inLine = groups.slice(i)
      const goesOn = i === 0 ? continued : null
      const streams = goesOn ? group : group.filter((stream) => !holding.held.has(stream) && holding.granted.has(streamScope(stream)))
      await load(streams, { total, continued: goesOn, more: i < groups.length - 1 })
    }
    inLine = []
  }

  async function hold(scopes: readonly ScopeKey[]): Promise<readonly ScopeKey[]> {
    for (const scope of scopes) holding.asked.add(scope)
    checkFew(`Asked for by a device of ${user}`, holding.asked)
    const denied = await join(scopes.map((scope) => streamKey('onDemand', scope)).filter((stream) => !holding.held.has(stream)))
    return denied.map(streamScope)
  }

  const join: Loads['join'] = async (streams) => (streams.length === 0 ? [] : load(streams, { total: null, continued: null, more: null }))

  interface LoadOptions {
    readonly total: number | null
    readonly continued: Continued | null
    readonly more: boolean | null
    readonly again?: boolean
  }

  /** Loads streams and reveals them where the device has come to the snapshot of the last of their rows. Answers those that are not granted there. */
  async function load(streams: readonly StreamKey[], { total, continued, more, again = false }: LoadOptions): Promise<readonly StreamKey[]> {
    const load = begin(streams, total)
    if (continued) Object.assign(load, continued, { isContinued: true })
    await fetch(load)
    await reach(load)
    const wanted = load.held ?? new Map()
    reveal(load, { replace: false, wanted, before: new Set(), outcomes: [], missed: noNet, more, again: again ? [...wanted.keys()] : [] })
    const missing = streams.filter((stream) => !load.held?.has(stream))
    // Lost before the snapshot and granted again after it, within one batch: as the feed sees it, nothing has changed.
    const regained = missing.filter((stream) => holding.granted.has(streamScope(stream)))
    const denied = missing.filter((stream) => !holding.granted.has(streamScope(stream)))
    return [...denied, ...(await join(regained))]
  }

  /** Everything committed before the call has been delivered to the load. What came in batches that are not in memory is brought by another turn of it. */
  async function reach(load: Load, onEnd?: Parameters<typeof fetch>[1]): Promise<void> {
    await feed.reach()
    while (load.batches.some((batch) => batch.large !== null && (load.at === null || !includes(load.at, batch.snapshot)))) {
      await fetch(load, onEnd)
      await feed.reach()
    }
  }

  /** Everything up to the feed's position has been delivered; what the load missed since its snapshot is in the kept batches. */
  function reveal(load: Load, found: Revealed): void {
    underWay.delete(load)
    // A scope may have been released while it was loaded.
    const used: Held = new Map([...found.wanted].filter(([stream]) => isUsed(stream)))
    const few = holding.listen(used)
    const wanted = new Set([...used.keys()].filter((stream) => holding.granted.has(streamScope(stream))))
    const { at } = load
    const isNew = ({ xid }: { readonly xid: bigint }) => at === null || !isVisible(xid, at)
    const since = load.batches.map((batch) => ({
      ...restOf(batch, isNew, encoders),
      outcomes: holding.isAttached ? [] : batch.outcomes.filter((one) => one.device === device && isNew(one)),
    }))
    // Also of streams that were lost meanwhile: their rows were loaded, and another stream may keep them on the device. And of all that
    // is held where a table was emptied, which takes from the device what has come into the table since.
    const isEmptied = since.some((part) => part.cleared.length > 0)
    const concerns = new Set([...found.wanted.keys(), ...(isEmptied ? holding.held.keys() : [])])
    const holds = (stream: StreamKey) => holding.held.has(stream)
    const { changes, cleared } = lastOf(
      [found.missed, ...load.missed, ...since].map((part) => ({ ...part, concerns })),
      holds,
    )
    holding.cursor = feed.cursor()
    const again = (found.again ?? []).filter((stream) => wanted.has(stream))
    const head: Head = {
      cursor: feed.cursor(),
      replace: found.replace,
      loads: load.held === null ? [] : [load.number],
      left: [...[...found.before].filter((stream) => !wanted.has(stream)), ...again],
      joined: [...[...wanted].filter((stream) => !found.before.has(stream)), ...again.filter((stream) => found.before.has(stream))],
      grants: holding.rolesSince(found.tag),
      more: found.more,
      outcomes: [...found.outcomes, ...since.flatMap(({ outcomes }) => outcomes.map(({ outcome }) => outcome)), ...holding.arrived()],
    }
    const frame = checkpointFrame(head, tablesText(changes, cleared, holding.held))
    if (frame.length > wire.downBytesMax) throw changedAsAWhole()
    holding.transmit(frame)
    // Roles that came while it was loaded show more than was loaded.
    join(few).catch(deps.onFailure)
  }

  const isUsed = (stream: StreamKey) => streamLoad(stream) === 'eager' || holding.asked.has(streamScope(stream))
  const isWanted = (stream: StreamKey) => !holding.held.has(stream) && isUsed(stream) && holding.granted.has(streamScope(stream))

  function begin(streams: readonly StreamKey[], total: number | null): Load {
    const load: Load = { number: ++loads, streams, held: null, total, batches: [], place: loadStart, at: null, missed: [], cursor: null, isContinued: false }
    underWay.add(load)
    return load
  }

  const streamsOf = (scope: ScopeKey) => [streamKey('eager', scope), ...(holding.asked.has(scope) ? [streamKey('onDemand', scope)] : [])]

  async function grantedIn(transaction: Transaction): Promise<Granted> {
    const answer = await deps.grantReader.of(transaction, [user])
    const granted: Granted = answer.get(user) ?? new Map()
    checkFew(`Granted to ${user}`, granted)
    return granted
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
    again: async (streams) => {
      await load(streams, { total: null, continued: null, more: null, again: true })
    },
    streamsOf,
    keep: (batch) => {
      for (const load of underWay) load.batches.push(batch)
    },
    areUnderWay: () => underWay.size > 0,
    isComing: (stream) => isWanted(stream) && [...inLine, ...[...underWay].map(({ streams }) => streams)].some((streams) => streams.includes(stream)),
  }
}

const noNet: Net = { changes: [], outcomes: [], cleared: [], barriers: new Set() }

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

function chunks(streams: readonly StreamKey[]): readonly (readonly StreamKey[])[] {
  const size = limits.loadStreamsMax
  return Array.from({ length: Math.ceil(streams.length / size) }, (_, i) => streams.slice(i * size, (i + 1) * size))
}
