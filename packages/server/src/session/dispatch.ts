import type { Batch, Feed } from '../feed/feed.ts'
import { type Hub, nothing } from '../scopes/hub.ts'
import type { GrantsAlong, Subscriber } from './subscriber.ts'

/**
 * Hands every batch to the devices that it concerns. What a person lost is settled for everybody before the first change is
 * routed: a checkpoint never carries rows of a scope that its own batch took away.
 */
export function dispatch(feed: Feed<GrantsAlong>, hub: Hub<Subscriber>): () => void {
  return feed.onBatch((batch) => {
    if (batch.along !== null) for (const subscriber of hub.members()) subscriber.regrant(batch)
    const routed = hub.route(batch.changes, batch.outcomes)
    if (concernsAll(batch)) {
      for (const subscriber of [...hub.members()]) subscriber.deliver(batch, routed.get(subscriber) ?? nothing)
      return
    }
    for (const [subscriber, delivery] of routed) subscriber.deliver(batch, delivery)
    for (const subscriber of hub.members()) if (subscriber.needsEveryBatch() && !routed.has(subscriber)) subscriber.deliver(batch, nothing)
  })
}

const concernsAll = (batch: Batch<GrantsAlong>) => batch.along !== null || batch.cleared.length > 0
