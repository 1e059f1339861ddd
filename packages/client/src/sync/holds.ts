import { HeadwaterError, type ScopeKey, scopeKey, scopeKind } from '@headwater/protocol'
import type { Schema, TableDefinition } from '@headwater/schema'
import type { ResultState, ScopeHandle } from '../api.ts'
import type { Clock } from '../ports.ts'
import type { Store } from '../store/store.ts'
import { createSubscribers, type Subscribers } from '../store/subscribers.ts'

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
  readonly store: () => Store
  readonly clock: Clock
  readonly report: (error: unknown) => void
  readonly onWanted: () => void
  /** Nobody has used the scope for a while. False: not now. */
  readonly evict: (scope: ScopeKey) => boolean
}

/** A page that is left and opened again within this time loads nothing. */
const graceMs = 60_000

interface Use {
  readonly scope: ScopeKey
  count: number
  state: ReturnType<ScopeHandle['state']>
  readonly subscribers: Subscribers<[]>
}

export function createHolds({ schema, store, clock, report, onWanted, evict }: HoldsDeps): Holds {
  const uses = new Map<ScopeKey, Use>()
  const denied = new Set<ScopeKey>()
  const asked = new Set<ScopeKey>()
  const onDemandKinds = new Set(
    Object.values(schema.definitions).flatMap(({ memberships }) => memberships.filter(({ load }) => load === 'onDemand').map(({ kind }) => kind)),
  )
  const isOnDemand = (scope: ScopeKey) => onDemandKinds.has(scopeKind(scope))

  function isHere(scope: ScopeKey): boolean {
    const { granted, held } = store().scopes()
    return (isOnDemand(scope) ? held : granted).has(scope)
  }

  const inUse = () => [...uses.values()].filter(({ scope, count }) => count > 0 && isOnDemand(scope)).map(({ scope }) => scope)

  const stateOf = (scope: ScopeKey) => (isHere(scope) ? 'ready' : denied.has(scope) ? 'denied' : 'loading')

  function refresh(): void {
    for (const use of uses.values()) {
      const state = stateOf(use.scope)
      if (state === use.state) continue
      use.state = state
      use.subscribers.run()
    }
    store().followStates()
  }

  function useOf(scope: ScopeKey): Use {
    const use = uses.get(scope) ?? { scope, count: 0, state: stateOf(scope), subscribers: createSubscribers(report) }
    uses.set(scope, use)
    return use
  }

  function release(use: Use): void {
    if (--use.count > 0) return
    const wait = () =>
      clock.timer(graceMs, () => {
        if (use.count > 0 || uses.get(use.scope) !== use) return
        // Offline, what is dropped could not be loaded again.
        if (isHere(use.scope) && isOnDemand(use.scope) && !evict(use.scope)) return wait()
        uses.delete(use.scope)
        asked.delete(use.scope)
      })
    wait()
  }

  return {
    scope: (kind, key) => {
      const use = useOf(scopeKey(kind, key))
      use.count++
      store().followStates()
      if (use.state === 'loading') onWanted()
      let isReleased = false
      return {
        state: () => use.state,
        subscribe: use.subscribers.add,
        ready: readyOf(use),
        release: () => {
          if (!isReleased) release(use)
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
      const wanted = inUse().filter((scope) => !isHere(scope) && !denied.has(scope) && !asked.has(scope))
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
    stateOf: (table) => {
      const kinds = table.memberships.map(({ kind }) => kind)
      const isLoaded = store().cursor() !== null
      if (table.memberships.some(({ load }) => load === 'eager') || kinds.length === 0) return isLoaded ? 'complete' : hasRows(store()) ? 'partial' : 'loading'
      const states = inUse()
        .filter((scope) => kinds.includes(scopeKind(scope)))
        .map(stateOf)
      if (states.includes('loading')) return 'loading'
      return states.includes('ready') ? 'complete' : isLoaded ? 'partial' : 'loading'
    },
  }
}

function readyOf(use: Use): Promise<void> {
  const ready = new Promise<void>((resolve, reject) => {
    const settle = () => {
      if (use.state === 'loading') return
      unsubscribe()
      if (use.state === 'ready') resolve()
      else reject(new HeadwaterError('denied', `${use.scope} is not granted.`))
    }
    const unsubscribe = use.subscribers.add(settle)
    settle()
  })
  // Who only reads the state must not die of an unhandled rejection.
  ready.catch(() => {})
  return ready
}

const hasRows = (store: Store) => [...store.tables.values()].some(({ rows }) => rows.size > 0)
