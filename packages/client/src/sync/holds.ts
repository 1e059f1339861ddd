import { HeadwaterError, type ScopeKey, scopeKey, scopeKind } from '@headwater/protocol'
import type { Schema, TableDefinition } from '@headwater/schema'
import type { ResultState, ScopeHandle } from '../api.ts'
import type { Ports } from '../ports.ts'
import type { Store } from '../store/store.ts'
import { createSubscribers } from '../store/subscribers.ts'

/** The scopes that this device uses, and what is known of each. */
export interface Holds {
  scope(kind: string, key: string): ScopeHandle
  scopeState(kind: string, key: string): ReturnType<ScopeHandle['state']>
  /** On-demand scopes in use. */
  inUse(): readonly ScopeKey[]
  /** A greeting named these as held or wanted; what was denied may be asked again. */
  greeted(asked: readonly ScopeKey[]): void
  /** Scopes to ask for now; each is answered once. */
  takeWanted(): readonly ScopeKey[]
  deny(scopes: readonly ScopeKey[]): void
  /** A checkpoint was applied. `isFirst`: since the greeting, so that its scopes are answered. */
  follow(isFirst: boolean): void
  stateOf(table: TableDefinition): ResultState
}

export interface HoldsDeps {
  readonly schema: Schema
  readonly store: Store
  readonly ports: Pick<Ports, 'clock'>
  readonly report: (error: unknown) => void
  readonly onWanted: () => void
  /** Nobody has used the scope for a while. False: not now. */
  readonly evict: (scope: ScopeKey) => boolean
}

/** A page that is left and opened again within this time loads nothing. */
const graceMs = 60_000

export function createHolds({ schema, store, ports, report, onWanted, evict }: HoldsDeps): Holds {
  // How often each is used. 0: by nobody, since less than the grace.
  const uses = new Map<ScopeKey, number>()
  const denied = new Set<ScopeKey>()
  const asked = new Set<ScopeKey>()
  const subscribers = createSubscribers(report)
  const onDemandKinds = new Set(
    Object.values(schema.definitions).flatMap(({ memberships }) => memberships.filter(({ load }) => load === 'onDemand').map(({ kind }) => kind)),
  )
  const isOnDemand = (scope: ScopeKey) => onDemandKinds.has(scopeKind(scope))

  function isHere(scope: ScopeKey): boolean {
    const { granted, held } = store.scopes()
    return (isOnDemand(scope) ? held : granted).has(scope)
  }

  const inUse = () => [...uses.keys()].filter((scope) => uses.get(scope) && isOnDemand(scope))

  const stateOf = (scope: ScopeKey) => (isHere(scope) ? 'ready' : denied.has(scope) ? 'denied' : 'loading')

  function refresh(): void {
    subscribers.run()
    store.followStates()
  }

  function use(scope: ScopeKey, change: number): void {
    const count = (uses.get(scope) ?? 0) + change
    uses.set(scope, count)
    if (count === 0) wait(scope)
  }

  function wait(scope: ScopeKey): void {
    ports.clock.timer(graceMs, () => {
      if (uses.get(scope) !== 0) return
      // Offline, what is dropped could not be loaded again.
      if (isHere(scope) && isOnDemand(scope) && !evict(scope)) return wait(scope)
      uses.delete(scope)
      asked.delete(scope)
    })
  }

  function readyOf(scope: ScopeKey): Promise<void> {
    const ready = new Promise<void>((resolve, reject) => {
      const settle = () => {
        const state = stateOf(scope)
        if (state === 'loading') return
        unsubscribe()
        if (state === 'ready') resolve()
        else reject(new HeadwaterError('denied', `${scope} is not granted.`))
      }
      const unsubscribe = subscribers.add(settle)
      settle()
    })
    // Who only reads the state must not die of an unhandled rejection.
    ready.catch(() => {})
    return ready
  }

  return {
    scope: (kind, key) => {
      const scope = scopeKey(kind, key)
      use(scope, 1)
      store.followStates()
      if (stateOf(scope) === 'loading') onWanted()
      let isReleased = false
      return {
        state: () => stateOf(scope),
        subscribe: subscribers.add,
        ready: readyOf(scope),
        release: () => {
          if (!isReleased) use(scope, -1)
          isReleased = true
        },
      }
    },
    scopeState: (kind, key) => stateOf(scopeKey(kind, key)),
    inUse,
    greeted: (scopes) => {
      asked.clear()
      denied.clear()
      for (const scope of scopes) asked.add(scope)
    },
    takeWanted: () => {
      const wanted = inUse().filter((scope) => stateOf(scope) === 'loading' && !asked.has(scope))
      for (const scope of wanted) asked.add(scope)
      return wanted
    },
    deny: (scopes) => {
      for (const scope of scopes) denied.add(scope)
      refresh()
    },
    follow: (isFirst) => {
      // A scope that is here may be taken away and asked for again; one that the greeting named and that is not here was not granted then.
      for (const scope of asked) if (isFirst || isHere(scope)) asked.delete(scope)
      refresh()
    },
    stateOf: ({ memberships }) => {
      const isLoaded = store.cursor() !== null
      if (memberships.length === 0 || memberships.some(({ load }) => load === 'eager')) return isLoaded ? 'complete' : hasRows(store) ? 'partial' : 'loading'
      const states = inUse()
        .filter((scope) => memberships.some(({ kind }) => kind === scopeKind(scope)))
        .map(stateOf)
      if (states.includes('loading')) return 'loading'
      return states.includes('ready') ? 'complete' : isLoaded ? 'partial' : 'loading'
    },
  }
}

const hasRows = (store: Store) => [...store.tables.values()].some(({ rows }) => rows.size > 0)
