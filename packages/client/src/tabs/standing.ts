// How a tab stands among the others: what its parts have found out, and what the engine has handed over.
import type { Status } from '../api.ts'
import type { EngineOptions } from '../engine.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { Clock, Tabs } from '../ports.ts'
import type { Store } from '../store/store.ts'
import type { Sync } from '../sync/sync.ts'
import type { SettableValue } from '../value.ts'
import type { Shared } from './journal.ts'
import type { Leads } from './words.ts'

/** What the engine hands over. */
export interface Hold extends EngineOptions {
  readonly name: string
  readonly tabs: Tabs
  readonly clock: Clock
  readonly store: Store
  readonly outbox: Outbox
  readonly sync: Sync
  readonly status: SettableValue<Status>
  /** Lets go of the lock; null: another tab has it. */
  readonly free: (() => void) | null
  readonly newId: () => string
  readonly report: (error: unknown) => void
  readonly onChange: () => void
  readonly subscribe: (run: () => void) => () => void
  readonly close: () => Promise<void>
}

export interface Standing {
  /** The name of this tab's own lock: who dies lets go of it. */
  readonly tab: string
  /** Lets go of the lock; null: this tab does not have it. */
  free: (() => void) | null
  /** This tab leads: it has the lock, and the log says so. */
  leads: boolean
  journal: Shared | null
  /** What the tab that leads said last. */
  told: Leads | null
  /** The store is read, and may be kept in step. */
  isOpen: boolean
  /** It shows what is not on the disk: it was alone when it led, and lost the lock meanwhile. */
  isAhead: boolean
  /** It lacks what is on the disk: it lost the lock before that was applied. */
  isBehind: boolean
  /** The lock was taken from it: who finds the store gone then has slept through a sign-out. */
  wasReplaced: boolean
  /** A newer build writes what this one cannot read. */
  isOutdated: boolean
  /** It has nothing to do with the others any more. */
  isGone: boolean
}

export const createStanding = ({ name, newId, free }: Pick<Hold, 'name' | 'newId' | 'free'>): Standing => ({
  tab: `${name} ${newId()}`,
  free,
  leads: free !== null,
  journal: null,
  told: null,
  isOpen: false,
  isAhead: false,
  isBehind: false,
  wasReplaced: false,
  isOutdated: false,
  isGone: false,
})
