// Tabs of one device share its connection: the one that has it says what the others use, and tells them who is there.
// Invariant: what a tab uses is said for as long as the tab lives, and no longer; a lock in its name tells.
import type { Json, ScopeKey } from '@headwater/protocol'
import type { Tabs } from '../ports.ts'
import type { Gathering } from './presence.ts'

/** That a tab is in a scope; without a value it only looks on. */
export interface Use {
  readonly scope: ScopeKey
  readonly value?: Json | undefined
}

export interface Relay {
  /** This tab, which has no connection, uses these, and nothing else any more. */
  use(uses: readonly Use[]): void
  /** This tab has a connection: who has none says what it uses. */
  ask(): void
  show(scope: ScopeKey, gathering: Gathering): void
  /** This tab uses nothing any more, and hears nothing. */
  close(): void
}

interface RelayEvents {
  onUses(tab: string, uses: readonly Use[]): void
  onAsked(): void
  onShown(scope: ScopeKey, gathering: Gathering): void
}

/** Said by a tab of the same app on the same origin. */
type Message =
  | { readonly type: 'uses'; readonly tab: string; readonly uses: readonly Use[] }
  | { readonly type: 'ask' }
  | { readonly type: 'shown'; readonly scope: ScopeKey; readonly gathering: Gathering }

/** `name`: of the store, which the tabs have in common. `tab`: of this one alone. */
export function createRelay(tabs: Tabs, name: string, tab: string, events: RelayEvents): Relay {
  const awaited = new Set<string>()
  const lockOf = (of: string) => `${name} presence ${of}`
  const channel = tabs.open(`${name} presence`, (text) => hear(text))
  const say = (message: Message) => channel.postMessage(JSON.stringify(message))
  // Free again when this tab is gone.
  const living = tabs.lock(lockOf(tab), {}, () => {})

  function hear(text: string): void {
    // Only `say` above writes there.
    const message = JSON.parse(text) as Message
    switch (message.type) {
      case 'uses':
        awaitEnd(message.tab)
        return events.onUses(message.tab, message.uses)
      case 'ask':
        return events.onAsked()
      case 'shown':
        return events.onShown(message.scope, message.gathering)
    }
  }

  function awaitEnd(of: string): void {
    if (awaited.has(of)) return
    awaited.add(of)
    void tabs
      .lock(lockOf(of), {}, () => {})
      .then((release) => {
        release?.()
        awaited.delete(of)
        events.onUses(of, [])
      })
  }

  return {
    use: (uses) => say({ type: 'uses', tab, uses }),
    ask: () => say({ type: 'ask' }),
    show: (scope, gathering) => say({ type: 'shown', scope, gathering }),
    close: () => {
      channel.close()
      void living.then((release) => release?.())
    },
  }
}
