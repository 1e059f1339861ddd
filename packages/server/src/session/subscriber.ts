// What one device holds, and how it stays level: loads at a snapshot of their own, and from there on the batches of the feed.
// Invariant: at every checkpoint the device is at one snapshot of the database for everything it holds.
import type { DeviceId, Hello, ScopeKey, UserId } from '@headwater/protocol'
import type { Schema } from '@headwater/schema'
import type { Identity, Resume } from '../feed/cursor.ts'
import type { Batch, Feed } from '../feed/feed.ts'
import { type StreamKey, streamKey, streamScope } from '../feed/stream.ts'
import { limits } from '../limits.ts'
import type { Clock, Database } from '../ports.ts'
import { type Granted, type GrantReader, type Regrants, regranted } from '../scopes/grants.ts'
import { type Delivery, type Hub, nothing } from '../scopes/hub.ts'
import { checkpointFrame } from './frame.ts'
import { createLoads } from './loading.ts'

/** What a batch of the feed carries besides its changes. */
export type GrantsAlong = Regrants

export interface SubscriberDeps {
  readonly clock: Clock
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
  readonly held: Set<StreamKey>
  /** On-demand scopes that the device asked for, granted or not: one that is granted later is joined then. */
  readonly asked: Set<ScopeKey>
  granted: Granted
  /** Streams lost in a batch, until that batch is delivered. */
  lost: readonly StreamKey[]
  /** True once the greeting has been answered by a checkpoint. */
  isAttached: boolean
  cursor: string
  /** The device is told of changes in these streams from now on. */
  listen(streams: readonly StreamKey[]): void
  /** Sends without waiting. */
  transmit(frame: string): void
}

export function createSubscriber(deps: SubscriberDeps, device: DeviceId, user: UserId): Subscriber {
  const { feed, hub } = deps
  const holds = (stream: StreamKey) => holding.held.has(stream)
  // Frames that wait for a load, to go with it.
  let together: string[] | null = null

  function transmit(frame: string): void {
    if (together !== null) together.push(frame)
    // A device that was cut off greets again; there is nobody left to tell.
    else deps.send(frame).catch(() => {})
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
    held: new Set(),
    asked: new Set(),
    granted: new Map(),
    lost: [],
    isAttached: false,
    cursor: '',
    listen: (streams) => hub.listen(subscriber, streams),
    transmit,
  }
  const loads = createLoads(deps, holding)

  function regrant(batch: Batch<GrantsAlong>): void {
    const again = batch.along?.get(user)
    if (again === undefined || !holding.isAttached) return
    const gained = [...again.granted.keys()].filter((scope) => !holding.granted.has(scope))
    holding.granted = regranted(holding.granted, again)
    holding.lost = [...holding.held].filter((stream) => !holding.granted.has(streamScope(stream)))
    for (const stream of holding.lost) holding.held.delete(stream)
    hub.unlisten(subscriber, holding.lost)
    // What was lost is not sent any later than it must be.
    if (holding.lost.length > 0) sendTogether()
    const joined = loads.join(gained.flatMap(loads.streamsOf))
    joined.catch(deps.onFailure)
    if (gained.length > 0 && batch.outcomes.some((one) => one.device === device)) keepTogether(joined)
  }

  function deliver(batch: Batch<GrantsAlong>, delivery: Delivery): void {
    loads.keep(batch)
    if (!holding.isAttached) return
    const left = holding.lost
    holding.lost = []
    if (delivery === nothing && left.length === 0 && batch.cleared.length === 0) return
    holding.cursor = batch.cursor
    const cleared = batch.cleared.map(({ table }) => table)
    transmit(
      checkpointFrame({ cursor: batch.cursor, left, cleared, changes: delivery.changes, outcomes: delivery.outcomes.map(({ outcome }) => outcome) }, holds),
    )
  }

  const subscriber: Subscriber = {
    device,
    user,
    attach: async (hello, onWelcome) => {
      hub.add(subscriber)
      await loads.attach(hello, onWelcome)
    },
    hold: loads.hold,
    release: (scopes) => {
      const streams = scopes.map((scope) => streamKey('onDemand', scope))
      for (const scope of scopes) holding.asked.delete(scope)
      for (const stream of streams) holding.held.delete(stream)
      hub.unlisten(subscriber, streams)
    },
    regrant,
    deliver,
    refreshCursor: () => {
      if (!holding.isAttached || holding.cursor === feed.cursor()) return
      holding.cursor = feed.cursor()
      transmit(checkpointFrame({ cursor: feed.cursor(), changes: [], outcomes: [] }, holds))
    },
    granted: () => (holding.isAttached ? holding.granted : null),
    needsEveryBatch: () => loads.areUnderWay(),
    end: deps.end,
  }
  return subscriber
}
