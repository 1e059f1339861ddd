import { HeadwaterError, type ScopeKey, scopeKey, scopeKind } from '@headwater/protocol'
import { type Schema, type TableDefinition, tableOf } from '@headwater/schema'
import type { ResultState, ScopeHandle } from '../api.ts'
import type { DraftDeps } from '../outbox/draft.ts'
import type { Ports } from '../ports.ts'
import type { View } from '../store/layer.ts'
import { valueAsked } from '../store/select.ts'
import type { Store } from '../store/store.ts'
import { createSubscribers } from '../store/subscribers.ts'

/** The scopes that this device uses, and what is known of each. */
export interface Holds {
  scope(kind: string, key: string): ScopeHandle
  scopeState(kind: string, key: string): ReturnType<ScopeHandle['state']>
  /** On-demand scopes in use, and those that pending mutations write. */
  wanted(): readonly ScopeKey[]
  /** A greeting named these as held or wanted; what was denied may be asked again. */
  greeted(asked: readonly ScopeKey[]): void
  /** Scopes to ask for now; each is answered once. */
  takeWanted(): readonly ScopeKey[]
  deny(scopes: readonly ScopeKey[]): void
  /** A checkpoint was applied. `isFirst`: since the greeting, so that its scopes are answered. */
  follow(isFirst: boolean): void
  stateOf(table: TableDefinition): ResultState
  /** As a draft needs it. */
  assertHeld: DraftDeps['assertHeld']
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

  /** True of a scope that a pending mutation makes, by inserting the row that it is named after: nothing of it is elsewhere. */
  function isOwn(view: View, scope: ScopeKey): boolean {
    const kind = scopeKind(scope)
    const key = scope.slice(kind.length + 1)
    return [...store.tables.values()].some(
      ({ name, definition, rows }) => !rows.has(key) && view.get(name, key) && definition.memberships.some((one) => one.kind === kind),
    )
  }

  const stateOf = (scope: ScopeKey) => (isHere(scope) || isOwn(store.visible, scope) ? 'ready' : denied.has(scope) ? 'denied' : 'loading')

  function wanted(): readonly ScopeKey[] {
    const scopes = new Set(inUse())
    for (const [name, rows] of store.overlay())
      for (const { kind, column, load } of tableOf(schema, name).memberships)
        for (const row of rows.values()) {
          const key = row?.[column] ?? null
          if (load === 'onDemand' && key !== null) scopes.add(scopeKey(kind, String(key)))
        }
    return [...scopes]
  }

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
      if (isHere(scope) && isOnDemand(scope) && (wanted().includes(scope) || !evict(scope))) return wait(scope)
      uses.delete(scope)
      asked.delete(scope)
    })
  }

  async function readyOf(scope: ScopeKey): Promise<void> {
    while (stateOf(scope) === 'loading')
      await new Promise<void>((resolve) => {
        const unsubscribe = subscribers.add(() => {
          unsubscribe()
          resolve()
        })
      })
    if (stateOf(scope) === 'denied') throw new HeadwaterError('denied', `${scope} is not granted.`)
  }

  return {
    scope: (kind, key) => {
      const scope = scopeKey(kind, key)
      use(scope, 1)
      store.followStates()
      if (stateOf(scope) === 'loading') onWanted()
      const ready = readyOf(scope)
      // Who only reads the state must not die of an unhandled rejection.
      ready.catch(() => {})
      let isReleased = false
      return {
        state: () => stateOf(scope),
        subscribe: subscribers.add,
        ready,
        release: () => {
          if (!isReleased) use(scope, -1)
          isReleased = true
        },
      }
    },
    scopeState: (kind, key) => stateOf(scopeKey(kind, key)),
    wanted,
    greeted: (scopes) => {
      asked.clear()
      denied.clear()
      for (const scope of scopes) asked.add(scope)
    },
    assertHeld: ({ memberships }, view, where) => {
      const isAllHere = memberships.every(({ kind, column, load }) => {
        if (load === 'eager') return store.isLoaded()
        const key = where && valueAsked(where, column)
        const scope = scopeKey(kind, String(key))
        return key !== undefined && (isHere(scope) || isOwn(view, scope))
      })
      if (!isAllHere) throw new HeadwaterError('not-held', 'Not held.')
    },
    takeWanted: () => {
      const lacking = wanted().filter((scope) => !isHere(scope) && !denied.has(scope) && !asked.has(scope))
      for (const scope of lacking) asked.add(scope)
      return lacking
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
      const isLoaded = store.isLoaded()
      if (memberships.length === 0 || memberships.some(({ load }) => load === 'eager'))
        return isLoaded ? 'complete' : store.scopes().granted.size > 0 ? 'partial' : 'loading'
      const states = inUse()
        .filter((scope) => memberships.some(({ kind }) => kind === scopeKind(scope)))
        .map(stateOf)
      if (states.includes('loading')) return 'loading'
      return states.includes('ready') ? 'complete' : isLoaded ? 'partial' : 'loading'
    },
  }
}
