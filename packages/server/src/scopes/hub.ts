// Who holds what, of the devices connected to this server. Routing a batch costs in proportion to the streams it touches, and, only where
// it touches several, to those who hold them.
import type { DeviceId, UserId } from '@headwater/protocol'
import type { ColumnSet, Held } from '../feed/columns.ts'
import type { Change } from '../feed/net.ts'
import type { StreamKey } from '../feed/stream.ts'

/** One connected device, as routing sees it. */
export interface Member {
  readonly device: DeviceId
  readonly user: UserId
  /** What it listens to. The hub alone writes it. */
  readonly held: Map<StreamKey, ColumnSet>
}

/** Members whom the same of a batch concerns: they get the same of it. */
export interface Group<M> {
  readonly members: Iterable<M>
  /** Of rows that are or were in a stream that all of them listen to, in the order of the batch. */
  readonly changes: readonly Change[]
  /** By which column sets they hold these streams. What else they hold, the changes do not concern. */
  readonly held: Held
}

export interface Hub<M extends Member> {
  add(member: M): void
  remove(member: M): void
  members(): Iterable<M>
  /** The member is told of changes in these streams from now on, by these column sets, whatever they were before. One that was removed is told of nothing. */
  listen(member: M, streams: Held): void
  unlisten(member: M, streams: Iterable<StreamKey>): void
  /** Who is connected, with their devices. */
  people(): ReadonlyMap<UserId, ReadonlySet<M>>
  withDevice(device: DeviceId): M | undefined
  /** Everything that somebody listens to. */
  streams(): Iterable<StreamKey>
  /** Every member whom a change concerns is in one group. */
  route(changes: readonly Change[]): readonly Group<M>[]
}

/** Who holds a stream by the same column set. */
interface Listeners<M> {
  readonly stream: StreamKey
  readonly set: ColumnSet
  readonly members: Set<M>
}

export function createHub<M extends Member>(): Hub<M> {
  const byDevice = new Map<DeviceId, M>()
  const byUser = new Map<UserId, Set<M>>()
  const members = new Set<M>()
  // Most streams are held by one column set.
  const byStream = new Map<StreamKey, readonly Listeners<M>[]>()

  function listen(member: M, streams: Held): void {
    // Its connection ended while something was loaded for it, and that is over only now: nobody would ever take it away again.
    if (!members.has(member)) return
    for (const [stream, set] of streams) {
      if (member.held.get(stream) === set) continue
      unlisten(member, [stream])
      member.held.set(stream, set)
      const listeners = byStream.get(stream) ?? []
      const same = listeners.find((one) => one.set === set)
      if (same) same.members.add(member)
      else byStream.set(stream, [...listeners, { stream, set, members: new Set([member]) }])
    }
  }

  function unlisten(member: M, streams: Iterable<StreamKey>): void {
    for (const stream of streams) {
      member.held.delete(stream)
      const listeners = byStream.get(stream) ?? []
      for (const one of listeners) one.members.delete(member)
      const left = listeners.filter((one) => one.members.size > 0)
      if (left.length === 0) byStream.delete(stream)
      else if (left.length < listeners.length) byStream.set(stream, left)
    }
  }

  function route(changes: readonly Change[]): readonly Group<M>[] {
    const changesOf = new Map<Listeners<M>, Change[]>()
    for (const change of changes) {
      for (const stream of new Set([...change.before, ...change.after])) {
        for (const listeners of byStream.get(stream) ?? []) {
          const concerned = changesOf.get(listeners)
          if (concerned) concerned.push(change)
          else changesOf.set(listeners, [change])
        }
      }
    }
    return groupsOf([...changesOf.keys()]).map(({ members: concerned, listening }) => ({
      members: concerned,
      changes: together(
        listening.map((one) => changesOf.get(one) ?? []),
        changes,
      ),
      held: new Map(listening.map(({ stream, set }) => [stream, set])),
    }))
  }

  return {
    add: (member) => {
      byDevice.set(member.device, member)
      byUser.set(member.user, (byUser.get(member.user) ?? new Set()).add(member))
      members.add(member)
    },
    remove: (member) => {
      unlisten(member, [...member.held.keys()])
      members.delete(member)
      if (byDevice.get(member.device) === member) byDevice.delete(member.device)
      const devices = byUser.get(member.user)
      devices?.delete(member)
      if (devices?.size === 0) byUser.delete(member.user)
    },
    members: () => members,
    listen,
    unlisten,
    people: () => byUser,
    withDevice: (device) => byDevice.get(device),
    streams: () => byStream.keys(),
    route,
  }
}

interface Draft<M> {
  members: Iterable<M>
  readonly listening: readonly Listeners<M>[]
}

/** Members by which of the listened streams they are in. One stream is its own group, and nobody in it is looked at. */
function groupsOf<M>(touched: readonly Listeners<M>[]): readonly Draft<M>[] {
  const [only] = touched
  if (only && touched.length === 1) return [{ members: only.members, listening: touched }]
  // Stream by stream, a member moves on from the group of the streams before to the one of those and this.
  const nextOf = new Map<Draft<M> | null, Map<Listeners<M>, Draft<M> & { members: Set<M> }>>()
  const groupOf = new Map<M, Draft<M> & { members: Set<M> }>()
  for (const listeners of touched) {
    for (const member of listeners.members) {
      const before = groupOf.get(member) ?? null
      const nexts = nextOf.get(before) ?? new Map()
      nextOf.set(before, nexts)
      const next = nexts.get(listeners) ?? { members: new Set<M>(), listening: [...(before?.listening ?? []), listeners] }
      nexts.set(listeners, next)
      before?.members.delete(member)
      next.members.add(member)
      groupOf.set(member, next)
    }
  }
  return [...new Set(groupOf.values())]
}

/** The changes of several streams, each once, in the order of the batch. */
function together(parts: readonly (readonly Change[])[], inOrder: readonly Change[]): readonly Change[] {
  const [only] = parts
  if (only && parts.length === 1) return only
  const all = new Set(parts.flat())
  return all.size === inOrder.length ? inOrder : inOrder.filter((change) => all.has(change))
}
