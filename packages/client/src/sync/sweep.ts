// What is let go of that nobody has used for a while: asked now and then while connected, and fetched then.
import { type Checkpoint, encode, type ScopeKey, type Up } from '@headwater/protocol'
import type { Outbox } from '../outbox/outbox.ts'
import type { Ports } from '../ports.ts'
import { emptyCheckpoint } from '../store/snapshot.ts'
import type { Store } from '../store/store.ts'
import type { Holds } from './holds.ts'

/** A page that is left and opened again within this time loads nothing. */
const graceMs = 60_000

export interface SweepDeps {
  readonly holds: Holds
  readonly store: Store
  readonly outbox: Pick<Outbox, 'receive'>
  readonly ports: Pick<Ports, 'clock'>
  /** Offline, what is dropped could not be loaded again. */
  readonly isIdle: () => boolean
  readonly send: (message: Up) => void
  readonly persist: (message: Checkpoint, record: string) => Promise<void>
  readonly onWanted: () => void
}

/** Lets go of on-demand scopes that were not used for long, or are too much: their rows go, as if the server had taken them. */
export async function sweep(deps: SweepDeps): Promise<void> {
  const { holds, store, outbox } = deps
  const scopes = idleOf(deps)
  const cursor = store.cursor()
  if (!deps.isIdle() || cursor === null || scopes.length === 0) return
  deps.send({ type: 'release', scopes })
  const left = { ...emptyCheckpoint(cursor), left: { granted: [], held: scopes } }
  await outbox.receive(left, [], () => deps.persist(left, encode(left)))
  holds.follow(false)
  // Somebody may want them again by now.
  deps.onWanted()
}

function idleOf({ holds, store, ports }: SweepDeps): readonly ScopeKey[] {
  const { usedAt, eviction } = holds
  const nowMs = ports.clock.now()
  const pinned = new Set(holds.wanted())
  const idle = [...store.scopes().held].filter((scope) => {
    if (pinned.has(scope) || !usedAt.has(scope)) usedAt.set(scope, nowMs)
    // A clock that was set back makes scopes look old as well: they are loaded again when somebody wants them.
    return Math.abs(nowMs - (usedAt.get(scope) ?? 0)) >= graceMs
  })
  return eviction?.choose(idle, nowMs) ?? idle
}
