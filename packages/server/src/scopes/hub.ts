// Who holds what, of the devices connected to this server. Routing a change costs in proportion to the devices it reaches.
import type { DeviceId, UserId } from '@headwater/protocol'
import type { Change, OutcomeOf } from '../feed/net.ts'
import type { StreamKey } from '../feed/stream.ts'

/** One connected device, as routing sees it. */
export interface Member {
  readonly device: DeviceId
  readonly user: UserId
}

/** What of a batch concerns a member: changes of rows that are or were in one of its streams, and what became of its mutations. */
export interface Delivery {
  readonly changes: readonly Change[]
  readonly outcomes: readonly OutcomeOf[]
}
export const nothing: Delivery = { changes: [], outcomes: [] }

export interface Hub<M extends Member> {
  add(member: M): void
  remove(member: M): void
  members(): Iterable<M>
  /** The member is told of changes in these streams from now on. */
  listen(member: M, streams: Iterable<StreamKey>): void
  unlisten(member: M, streams: Iterable<StreamKey>): void
  /** Who is connected, with their devices. */
  people(): ReadonlyMap<UserId, ReadonlySet<M>>
  withDevice(device: DeviceId): M | undefined
  route(changes: readonly Change[], outcomes: readonly OutcomeOf[]): ReadonlyMap<M, Delivery>
}

export function createHub<M extends Member>(): Hub<M> {
  const byDevice = new Map<DeviceId, M>()
  const byUser = new Map<UserId, Set<M>>()
  const byStream = new Map<StreamKey, Set<M>>()
  const streamsByMember = new Map<M, Set<StreamKey>>()

  function unlisten(member: M, streams: Iterable<StreamKey>): void {
    for (const stream of streams) {
      const members = byStream.get(stream)
      members?.delete(member)
      if (members?.size === 0) byStream.delete(stream)
      streamsByMember.get(member)?.delete(stream)
    }
  }

  function route(changes: readonly Change[], outcomes: readonly OutcomeOf[]): ReadonlyMap<M, Delivery> {
    const routed = new Map<M, { changes: Change[]; outcomes: OutcomeOf[] }>()
    const deliveryOf = (member: M) => {
      const delivery = routed.get(member) ?? { changes: [], outcomes: [] }
      routed.set(member, delivery)
      return delivery
    }
    for (const change of changes) {
      for (const member of reachedBy(change)) deliveryOf(member).changes.push(change)
    }
    for (const outcome of outcomes) {
      const member = byDevice.get(outcome.device)
      if (member) deliveryOf(member).outcomes.push(outcome)
    }
    return routed
  }

  /** Most changes touch streams of which one is listened to: then its own set is the answer. */
  function reachedBy(change: Change): ReadonlySet<M> {
    const streams = new Set([...change.before, ...change.after])
    const sets = [...streams].flatMap((stream) => byStream.get(stream) ?? [])
    return sets.length === 1 && sets[0] ? sets[0] : new Set(sets.flatMap((set) => [...set]))
  }

  return {
    add: (member) => {
      byDevice.set(member.device, member)
      byUser.set(member.user, (byUser.get(member.user) ?? new Set()).add(member))
      streamsByMember.set(member, new Set())
    },
    remove: (member) => {
      unlisten(member, [...(streamsByMember.get(member) ?? [])])
      streamsByMember.delete(member)
      if (byDevice.get(member.device) === member) byDevice.delete(member.device)
      const devices = byUser.get(member.user)
      devices?.delete(member)
      if (devices?.size === 0) byUser.delete(member.user)
    },
    members: () => streamsByMember.keys(),
    listen: (member, streams) => {
      for (const stream of streams) {
        byStream.set(stream, (byStream.get(stream) ?? new Set()).add(member))
        streamsByMember.get(member)?.add(stream)
      }
    },
    unlisten,
    people: () => byUser,
    withDevice: (device) => byDevice.get(device),
    route,
  }
}
