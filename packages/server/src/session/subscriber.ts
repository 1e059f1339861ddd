// What one device holds, and how it stays level: loads at a snapshot of their own, and from there on the batches of the feed.
// Invariant: at every checkpoint the device is at one snapshot of the database for everything it holds.
import { type DeviceId, HeadwaterError, type Hello, type Outcome, type Roles, type ScopeKey, type UserId, limits as wire } from '@headwater/protocol'
import type { Schema } from '@headwater/schema'
import type { Large } from '../feed/batch.ts'
import type { ColumnSet, ColumnSets, Held } from '../feed/columns.ts'
import type { Identity, Resume } from '../feed/cursor.ts'
import type { Batch, Feed } from '../feed/feed.ts'
import type { Fingerprints } from '../feed/fingerprints.ts'
import type { OutcomeOf } from '../feed/net.ts'
import type { Recent } from '../feed/recent.ts'
import type { Withheld } from '../feed/settle.ts'
import { type StreamKey, streamKey, streamScope } from '../feed/stream.ts'
import { limits } from '../limits.ts'
import type { Clock, Database } from '../ports.ts'
import { type Granted, type GrantReader, type Regrants, regranted } from '../scopes/grants.ts'
import type { Hub } from '../scopes/hub.ts'
import { tablesOf } from '../scopes/load.ts'
import { createAwaiting } from './awaiting.ts'
import { checkpointFrame, noTables, type Shared } from './frame.ts'
import { createLoads } from './loading.ts'
import { changedRoles, checkFew, heldOf, rolesOf, tagOf, tagOfFew } from './roles.ts'
import type { Slots } from './slots.ts'
import { createVerifying } from './verify.ts'

/** What a batch of the feed carries besides its changes. */
export type GrantsAlong = Regrants

export interface SubscriberDeps {
  readonly clock: Clock
  readonly database: Database
  readonly feed: Feed<GrantsAlong>
  readonly hub: Hub<Subscriber>
  readonly grantReader: GrantReader
  readonly schema: Schema
  readonly sets: ColumnSets
  /** Why tables cannot be served now, by name. */
  readonly troubles: () => ReadonlyMap<string, string>
  /** Looks whether tables have changed: what was committed before the call is in the log, or among the troubles, when it resolves. */
  readonly look: () => Promise<void>
  readonly identity: Identity
  readonly recent: Recent
  readonly fingerprints: Fingerprints
  /** Told of each row that is larger than any device could take, whenever it is met. */
  readonly onWithheld: (row: Withheld) => void
  /** Turns in which greetings and loads use the database. */
  readonly slots: Slots
  /** What this connection's checksums are keyed by. */
  readonly checksumKey: number
  /** Sends without waiting; a device that does not read is cut off in the end. */
  readonly transmit: (frame: string | Buffer) => void
  /** True while the device has much unread, or has gone. */
  readonly isFull: () => boolean
  /** Resolves when the device has read enough for more; rejects when it has gone. */
  readonly drained: () => Promise<void>
  /** Ends the connection: the device greets again and is brought level anew. */
  readonly onFailure: (error: unknown) => void
  /** Grants of the person are others than before, by what `granted` answers. */
  readonly onRegranted: () => void
  /** Ends the connection because the device has another one. */
  readonly end: () => void
}

export interface Attached {
  readonly resume: Resume | 'new' | 'columns'
  readonly last: number
  /** The load that the device has the beginning of goes on. */
  readonly continued: boolean
}

export interface Subscriber {
  readonly device: DeviceId
  readonly user: UserId
  readonly held: Map<StreamKey, ColumnSet>
  /** Brings the device level. `onWelcome` runs once, before anything is sent. */
  attach(hello: Hello, onWelcome: (attached: Attached) => void): Promise<void>
  /** Adds the on-demand rows of scopes. Answers those that are not granted. */
  hold(scopes: readonly ScopeKey[]): Promise<readonly ScopeKey[]>
  release(scopes: readonly ScopeKey[]): void
  /** See `Verifying`. */
  verify(streams: readonly StreamKey[]): Promise<void>
  repair(streams: readonly StreamKey[]): Promise<void>
  verifyNext(): Promise<void>
  /** Grants at a batch's snapshot, before its changes are routed: what is lost is not sent any more. */
  regrant(batch: Batch<GrantsAlong>): void
  /** Tables that the device has to load again, if it holds any of them: its connection ends, and its next greeting does that. Before anything else of a batch. */
  meet(barriers: ReadonlySet<string>): void
  /** What memory does not hold of a batch: if it concerns the device, its connection ends as well, and the next greeting reads it. */
  overtake(large: Large): void
  /** A batch, in order: what it shares with others of what concerns it, and what became of its own mutations. */
  deliver(batch: Batch<GrantsAlong>, shared: Shared, outcomes: readonly OutcomeOf[]): void
  /** Hands out the feed's cursor if the device's is older. */
  refreshCursor(): void
  /** What the person holds at the feed's position; null while the greeting is not answered. */
  granted(): Granted | null
  /** Whether it must be told of every batch, whatever its streams. */
  needsEveryBatch(): boolean
  /** The device has connected again: this connection is a dead one. */
  end(): void
}

/** What a device has at this moment, shared with its loads. */
export interface Holding {
  readonly device: DeviceId
  readonly user: UserId
  readonly held: Held
  /** On-demand scopes that the device asked for, granted or not: one that is granted later is joined then. */
  readonly asked: Set<ScopeKey>
  granted: Granted
  /** True once the greeting has been answered by a checkpoint. */
  isAttached: boolean
  cursor: string
  /**
   * The device is told of changes in these streams from now on, of what these column sets and the roles of now both show. Answers the streams
   * of which the roles show more.
   */
  listen(streams: Held): readonly StreamKey[]
  /** What is to be told of roles, for a checkpoint; `tag` names those that the device knows, undefined: all that it was told before. */
  rolesSince(tag: string | null | undefined): Roles | null
  /** Outcomes of mutations that waited for rows which have come, in order: for the checkpoint that shows them. */
  arrived(): readonly Outcome[]
  /** Sends without waiting. */
  transmit(frame: string | Buffer): void
}

export function createSubscriber(deps: SubscriberDeps, device: DeviceId, user: UserId): Subscriber {
  const { feed, hub, sets } = deps
  // Streams that the device holds by fewer columns than the roles show: they are being loaded.
  const few = new Set<StreamKey>()
  // What a batch took and gave, until that batch is delivered.
  let left: readonly StreamKey[] = []
  let roles: ReadonlyMap<ScopeKey, readonly string[]> = new Map()
  let tag = ''
  const held = new Map<StreamKey, ColumnSet>()
  // Frames that wait for a load, to go with it.
  let together: (string | Buffer)[] | null = null

  function transmit(frame: string | Buffer): void {
    if (together !== null) together.push(frame)
    else deps.transmit(frame)
  }

  /**
   * A device that makes a scope shows its rows before anybody else can. The confirmation waits for the load that brings them back,
   * for a moment: they would go from the screen and come again.
   */
  function keepTogether(joined: Promise<unknown>): void {
    if (together !== null) return
    together = []
    const cancel = deps.clock.timer(limits.togetherMsMax, sendTogether)
    joined.then(sendTogether, sendTogether).finally(cancel)
  }

  function sendTogether(): void {
    const frames = together ?? []
    together = null
    for (const frame of frames) transmit(frame)
  }

  const holding: Holding = {
    device,
    user,
    held,
    asked: new Set(),
    granted: new Map(),
    isAttached: false,
    cursor: '',
    listen,
    rolesSince,
    arrived: () => awaiting.arrived(),
    transmit,
  }
  const loads = createLoads(deps, holding)
  const awaiting = createAwaiting({ isHeld: (stream) => held.has(stream), isComing: loads.isComing })
  const verifying = createVerifying(deps, holding, loads, deps.checksumKey)

  function listen(streams: Held): readonly StreamKey[] {
    const now = heldOf(sets, streams.keys(), holding.granted)
    const both = new Map([...now].map(([stream, set]) => [stream, sets.meet(set, streams.get(stream) ?? set)]))
    const fewer = [...both.keys()].filter((stream) => both.get(stream) !== now.get(stream))
    for (const stream of streams.keys()) few.delete(stream)
    for (const stream of fewer) few.add(stream)
    hub.listen(subscriber, both)
    return fewer
  }

  function unlisten(streams: readonly StreamKey[]): void {
    for (const stream of streams) few.delete(stream)
    hub.unlisten(subscriber, streams)
  }

  function rolesSince(known: string | null | undefined): Roles | null {
    const isLater = known === undefined
    if (isLater && roles.size === 0 && (tag === tagOfFew) === few.size > 0) return null
    tag = few.size > 0 ? tagOfFew : tagOf(sets, holding.granted)
    const told = isLater ? roles : rolesOf(holding.granted)
    roles = new Map()
    return known === tag ? null : { tag, replace: !isLater, roles: told }
  }

  function regrant(batch: Batch<GrantsAlong>): void {
    const again = batch.along?.get(user)
    if (again === undefined || !holding.isAttached) return
    const before = holding.granted
    holding.granted = regranted(before, again)
    try {
      checkFew(`Granted to ${user}`, holding.granted)
    } catch (error) {
      return deps.onFailure(error)
    }
    roles = changedRoles(before, holding.granted)
    if (roles.size > 0) deps.onRegranted()
    const streams = [...roles.keys()].flatMap((scope) => [streamKey('eager', scope), streamKey('onDemand', scope)])
    left = streams.filter((stream) => held.has(stream) && !holding.granted.has(streamScope(stream)))
    unlisten(left)
    // What was lost is not sent any later than it must be.
    if (roles.size > 0 && [...roles.keys()].some((scope) => before.has(scope))) sendTogether()
    const gained = [...roles.keys()].filter((scope) => !before.has(scope))
    // Of what is left, the columns that the roles do not show any more are lost at once; those that they show now come by a load.
    const fewer = listen(new Map([...held].filter(([stream]) => roles.has(streamScope(stream)))))
    const joined = loads.join([...gained.flatMap(loads.streamsOf), ...fewer])
    joined.catch(deps.onFailure)
    if (gained.length > 0 && batch.outcomes.some((one) => one.device === device)) keepTogether(joined)
  }

  function deliver(batch: Batch<GrantsAlong>, shared: Shared, outcomes: readonly OutcomeOf[]): void {
    loads.keep(batch)
    verifying.keep(batch)
    if (!holding.isAttached) return
    const told = awaiting.confirmed(batch.changes, outcomes)
    const isOwn = left.length > 0 || roles.size > 0 || told.length > 0
    if (!isOwn && shared.isEmpty()) return
    holding.cursor = batch.cursor
    const own = { cursor: batch.cursor, left, grants: isOwn ? rolesSince(undefined) : null, outcomes: told }
    const frame = isOwn ? checkpointFrame(own, shared.tables()) : shared.frame()
    left = []
    // No device would take it, now or after a greeting that told it the same.
    if (frame.length > wire.downBytesMax) return deps.onFailure(tooMuch())
    transmit(frame)
  }

  const subscriber: Subscriber = {
    device,
    user,
    held,
    attach: async (hello, onWelcome) => {
      hub.add(subscriber)
      await loads.attach(hello, onWelcome)
    },
    hold: loads.hold,
    release: (scopes) => {
      for (const scope of scopes) holding.asked.delete(scope)
      unlisten(scopes.map((scope) => streamKey('onDemand', scope)))
    },
    regrant,
    meet: (barriers) => {
      const isBetween = !holding.isAttached || loads.areUnderWay() || verifying.areUnderWay()
      if (!isBetween && [...tablesOf(deps.schema, held)].every((table) => !barriers.has(table))) return
      deps.onFailure(new HeadwaterError('unavailable', 'A table has changed its form.', 'The device greets again, and loads it anew.'))
    },
    overtake: (large) => {
      if (holding.isAttached && (large.devices.has(device) || haveCommon(held, large.streams))) deps.onFailure(tooMuch())
    },
    deliver,
    refreshCursor: () => {
      if (!holding.isAttached || holding.cursor === feed.cursor()) return
      holding.cursor = feed.cursor()
      transmit(checkpointFrame({ cursor: feed.cursor() }, noTables))
    },
    granted: () => (holding.isAttached ? holding.granted : null),
    needsEveryBatch: () => loads.areUnderWay() || verifying.areUnderWay(),
    verify: verifying.verify,
    repair: verifying.repair,
    verifyNext: verifying.verifyNext,
    end: deps.end,
  }
  return subscriber
}

function haveCommon(a: { readonly size: number; keys(): Iterable<StreamKey>; has(stream: StreamKey): boolean }, b: ReadonlySet<StreamKey>): boolean {
  const [few, many] = a.size < b.size ? [a, b] : [b, a]
  for (const stream of few.keys()) if (many.has(stream)) return true
  return false
}

/** The code is one of which a device says nothing: it is level again in a moment. */
const tooMuch = () =>
  new HeadwaterError('draining', 'More has changed than is told row by row.', 'The device greets again, and loads anew what has changed as a whole.')
