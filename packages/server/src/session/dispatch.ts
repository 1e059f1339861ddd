import type { Batch, Feed } from '../feed/feed.ts'
import type { OutcomeOf } from '../feed/net.ts'
import type { Hub } from '../scopes/hub.ts'
import { shared } from './frame.ts'
import type { GrantsAlong, Subscriber } from './subscriber.ts'

/**
 * Hands every batch to the devices that it concerns. What a person lost is settled for everybody before the first change is
 * routed: a checkpoint never carries rows of a scope that its own batch took away.
 */
export function dispatch(feed: Feed<GrantsAlong>, hub: Hub<Subscriber>): () => void {
  return feed.onBatch((batch) => {
    if (batch.barriers.size > 0) for (const subscriber of [...hub.members()]) subscriber.meet(batch.barriers)
    if (batch.large !== null) for (const subscriber of [...hub.members()]) subscriber.overtake(batch.large)
    if (batch.along !== null) for (const subscriber of hub.members()) subscriber.regrant(batch)
    const cleared = batch.cleared.map(({ table }) => table)
    const outcomes = outcomesOf(batch.outcomes, hub)
    const told = new Set<Subscriber>()
    for (const { members, changes, held } of hub.route(batch.changes)) {
      const same = shared(batch.cursor, changes, cleared, held)
      for (const subscriber of members) {
        told.add(subscriber)
        subscriber.deliver(batch, same, outcomes.get(subscriber) ?? [])
      }
    }
    const others = concernsAll(batch) ? hub.members() : [...outcomes.keys(), ...underWay(hub)]
    const rest = shared(batch.cursor, [], cleared, new Map())
    for (const subscriber of others) {
      if (told.has(subscriber)) continue
      told.add(subscriber)
      subscriber.deliver(batch, rest, outcomes.get(subscriber) ?? [])
    }
  })
}

const concernsAll = (batch: Batch<GrantsAlong>) => batch.along !== null || batch.cleared.length > 0

const underWay = (hub: Hub<Subscriber>) => [...hub.members()].filter((subscriber) => subscriber.needsEveryBatch())

function outcomesOf(outcomes: readonly OutcomeOf[], hub: Hub<Subscriber>): ReadonlyMap<Subscriber, readonly OutcomeOf[]> {
  const byMember = new Map<Subscriber, OutcomeOf[]>()
  for (const outcome of outcomes) {
    const member = hub.withDevice(outcome.device)
    if (member) byMember.set(member, [...(byMember.get(member) ?? []), outcome])
  }
  return byMember
}
