// What a device holds, as far as its messages say: which scopes, why, and up to where.
import type { Down, Up } from '@headwater/protocol'

/** `granted`: it is held for as long as the person has the grant. `on demand`: something on this device uses, keeps or writes it. */
export interface HeldScope {
  readonly scope: string
  readonly why: 'granted' | 'on demand'
}

export function createHeld() {
  let cursor: string | null = null
  const granted = new Set<string>()
  const held = new Set<string>()
  const set = (of: Set<string>, scopes: readonly string[]) => {
    of.clear()
    for (const scope of scopes) of.add(scope)
  }
  return {
    up: (message: Up) => {
      if (message.type === 'release') for (const scope of message.scopes) held.delete(scope)
      if (message.type !== 'hello') return
      cursor = message.cursor
      set(granted, message.granted)
      // Without a cursor they are only wanted.
      set(held, message.cursor === null ? [] : message.held)
    },
    down: (message: Down) => {
      if (message.type !== 'checkpoint') return
      cursor = message.cursor
      if (message.replace) for (const of of [granted, held]) of.clear()
      for (const scope of message.left.granted) granted.delete(scope)
      for (const scope of message.left.held) held.delete(scope)
      for (const scope of message.joined.granted) granted.add(scope)
      for (const scope of message.joined.held) held.add(scope)
    },
    cursor: () => cursor,
    scopes: (): readonly HeldScope[] => [
      ...[...granted].map((scope) => ({ scope, why: 'granted' as const })),
      ...[...held].map((scope) => ({ scope, why: 'on demand' as const })),
    ],
  }
}
