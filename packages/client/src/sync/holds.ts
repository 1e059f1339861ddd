import { HeadwaterError, type ScopeKey, scopeKey, scopeKind } from '@headwater/protocol'
import { development } from '@headwater/protocol/development'
import { type Schema, type TableDefinition, tableOf } from '@headwater/schema'
import type { Eviction, ResultState, ScopeUse } from '../api.ts'
import type { DraftDeps } from '../outbox/draft.ts'
import type { Ports } from '../ports.ts'
import type { Journal } from '../store/journal.ts'
import type { View } from '../store/layer.ts'
import { valueAsked } from '../store/select.ts'
import type { Store } from '../store/store.ts'
import { createSubscribers } from '../store/subscribers.ts'

/** The scopes that this device uses, and what is known of each. */
export interface Holds {
  readonly api: ScopeUse
  /** On-demand scopes in use, those that pending mutations write, those that are kept, and those that are loaded ahead. */
  wanted(): readonly ScopeKey[]
  /** A greeting named these as held or wanted; what was denied may be asked again. */
  greeted(asked: readonly ScopeKey[]): void
  /** Scopes to ask for now; each is answered once. Those that nobody waits for come when there are no others, and not all at once. */
  takeWanted(): readonly ScopeKey[]
  deny(scopes: readonly ScopeKey[]): void
  /** A checkpoint was applied. `isFirst`: since the greeting, so that its scopes are answered. */
  follow(isFirst: boolean): void
  stateOf(table: TableDefinition): ResultState
  /** When scopes were last used, by this device's clock. */
  readonly usedAt: Map<ScopeKey, number>
  readonly eviction: ReturnType<Eviction> | undefined
  /** Scopes that are in use in other tabs of this device. */
  readonly others: Set<ScopeKey>
  /** As a draft needs it. */
  assertHeld: DraftDeps['assertHeld']
}

export interface HoldsDeps {
  readonly schema: Schema
  readonly store: Store
  readonly ports: Pick<Ports, 'clock'>
  readonly report: (error: unknown) => void
  readonly onWanted: () => void
  readonly eviction?: Eviction | undefined
  readonly journal: () => Journal | null
}

/** Asked for by one message: what screens want gets in between. */
const scopesAtOnce = 1_000

export function createHolds(deps: HoldsDeps): Holds {
  const { schema, store, ports, report, onWanted } = deps
  // How many handles of each are not released.
  const uses = new Map<ScopeKey, number>()
  const usedAt = new Map<ScopeKey, number>()
  const denied = new Set<ScopeKey>()
  const asked = new Set<ScopeKey>()
  const others = new Set<ScopeKey>()
  const subscribers = createSubscribers(report)
  const onDemandKinds = new Set(
    Object.values(schema.definitions).flatMap(({ memberships }) => memberships.filter(({ load }) => load === 'onDemand').map(({ kind }) => kind)),
  )
  const isOnDemand = (scope: ScopeKey) => onDemandKinds.has(scopeKind(scope))

  function isHere(scope: ScopeKey): boolean {
    const { granted, held } = store.scopes()
    return (isOnDemand(scope) ? held : granted).has(scope)
  }

  /** True of a scope that a pending mutation makes, by inserting the row that it is named after: nothing of it is elsewhere. */
  function isOwn(view: View, scope: ScopeKey): boolean {
    const kind = scopeKind(scope)
    const key = scope.slice(kind.length + 1)
    return [...store.tables.values()].some(
      ({ name, definition }) => !store.confirmed.get(name, key) && view.get(name, key) && definition.memberships.some((one) => one.kind === kind),
    )
  }

  const stateOf = (scope: ScopeKey) =>
    isHere(scope) || isOwn(store.visible, scope) ? 'ready' : denied.has(scope) || (store.isLoaded() && !isOnDemand(scope)) ? 'denied' : 'loading'

  /** What somebody waits for. */
  function needed(): ReadonlySet<ScopeKey> {
    const scopes = new Set([...uses.keys(), ...others].filter(isOnDemand))
    for (const [name, rows] of store.overlay())
      for (const { kind, column, load } of tableOf(schema, name).memberships)
        for (const row of rows.values()) {
          const key = row?.[column] ?? null
          if (load === 'onDemand' && key !== null) scopes.add(scopeKey(kind, String(key)))
        }
    return scopes
  }

  /** What somebody waits for comes first. */
  const wanted = () => [...new Set([...needed(), ...(eviction?.wanted() ?? [])])].filter(isOnDemand)

  function refresh(): void {
    subscribers.run()
    store.followStates()
  }

  function use(scope: ScopeKey, change: number): void {
    const count = (uses.get(scope) ?? 0) + change
    if (count) uses.set(scope, count)
    else uses.delete(scope)
    usedAt.set(scope, ports.clock.now())
    if (count < 2) eviction?.used([scope])
    onWanted()
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

  const eviction = deps.eviction?.({ ...deps, usedAt, readyOf })
  const api = {
    scope: (kind, key) => {
      const scope = scopeKey(kind, key)
      use(scope, 1)
      store.followStates()
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
    ...eviction?.api,
    // Without an eviction three are missing. Nobody calls them: where apps are written they throw.
  } as ScopeUse
  development(() => {
    const missing = () => {
      throw new HeadwaterError('no-eviction', 'This client loads nothing ahead and keeps nothing.', 'createClient({ eviction: leastRecentlyUsed() })')
    }
    if (!eviction) Object.assign(api, { preload: missing, keep: missing, drop: missing })
  })

  return {
    api,
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
      const lacking = (scopes: Iterable<ScopeKey>) => [...scopes].filter((scope) => !isHere(scope) && !denied.has(scope) && !asked.has(scope))
      const first = lacking(needed())
      const scopes = (first.length ? first : lacking(wanted())).slice(0, scopesAtOnce)
      for (const scope of scopes) asked.add(scope)
      return scopes
    },
    deny: (scopes) => {
      for (const scope of scopes) denied.add(scope)
      refresh()
      onWanted()
    },
    follow: (isFirst) => {
      // A scope that is here may be taken away and asked for again; one that the greeting named and that is not here was not granted then.
      for (const scope of asked) if (isFirst || isHere(scope)) asked.delete(scope)
      refresh()
    },
    usedAt,
    others,
    eviction,
    stateOf: ({ memberships }) => {
      const isLoaded = store.isLoaded()
      if (memberships.length === 0 || memberships.some(({ load }) => load === 'eager'))
        return isLoaded ? 'complete' : store.scopes().granted.size ? 'partial' : 'loading'
      let state: ResultState = isLoaded ? 'partial' : 'loading'
      // Asked with every handle: where thousands are loading, the first one says it.
      for (const scope of uses.keys()) {
        if (!isOnDemand(scope) || !memberships.some(({ kind }) => kind === scopeKind(scope))) continue
        const found = stateOf(scope)
        if (found === 'loading') return 'loading'
        if (found === 'ready') state = 'complete'
      }
      return state
    },
  }
}
