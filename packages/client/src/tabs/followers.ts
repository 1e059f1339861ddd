// The tabs that follow, as the one knows them that leads. Invariant: a scope is in use for as long as a living tab uses it.
import type { ScopeKey } from '@headwater/protocol'
import type { Tabs } from '../ports.ts'
import type { Holds } from '../sync/holds.ts'

export interface Followers {
  /** It is there, and uses these. */
  hear(tab: string, scopes: readonly ScopeKey[]): void
  /** Which of the scopes that they use are denied. */
  denied(): readonly ScopeKey[]
  /** This tab leads no more. */
  clear(): void
}

export interface FollowersDeps {
  readonly tabs: Tabs
  readonly holds: Pick<Holds, 'api' | 'others'>
  readonly onGone: () => void
}

export function createFollowers({ tabs, holds, onGone }: FollowersDeps): Followers {
  const scopesByTab = new Map<string, readonly ScopeKey[]>()

  function refresh(): void {
    holds.others.clear()
    for (const scopes of scopesByTab.values()) for (const scope of scopes) holds.others.add(scope)
  }

  /** A tab has a lock of its own for as long as it lives. */
  async function watch(tab: string): Promise<void> {
    const release = await tabs.lock(tab, {}, () => {})
    release?.()
    if (!scopesByTab.delete(tab)) return
    refresh()
    onGone()
  }

  return {
    hear: (tab, scopes) => {
      const isNew = !scopesByTab.has(tab)
      scopesByTab.set(tab, scopes)
      if (isNew) void watch(tab)
      refresh()
    },
    denied: () =>
      [...holds.others].filter((scope) => {
        const at = scope.indexOf(':')
        return holds.api.scopeState(scope.slice(0, at), scope.slice(at + 1)) === 'denied'
      }),
    clear: () => {
      scopesByTab.clear()
      refresh()
    },
  }
}
