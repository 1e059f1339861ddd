import type { Ask, Asking, Client, LiveQuery, Result } from '@headwater/client'
import type { Mutators, Schema } from '@headwater/schema'
import { useSyncExternalStore } from 'react'
import { useProvidedClient } from './provider.ts'

/** See `Hooks.useQuery`. Suspends while nothing is known yet, so that what it answers is `partial` or `complete`. */
export type UseSuspenseQuery<S extends Schema> = <R>(ask: (query: Ask<S>) => Pick<Asking<R>, 'live'>) => Result<R>

/**
 * A `useQuery` for apps that wait by `<Suspense>`: while nothing is known of what is asked, the nearest boundary shows its fallback. On a
 * device with rows on its disk that is a moment, offline as well; a new one waits for its first rows, for as long as it is offline. It is apart
 * from `createHooks`, because most apps need one of the two.
 *
 *     const useSuspenseQuery = createSuspenseQuery<typeof schema>()
 *     const { rows } = useSuspenseQuery((q) => q.messages.where({ projectId }))
 */
export function createSuspenseQuery<S extends Schema>(): UseSuspenseQuery<S> {
  return (ask) => {
    // The provider above was given the client of this schema: an app has one.
    const { query } = useProvidedClient() as Client<S, Mutators<S>>
    const live = ask(query).live()
    const { subscribe, result, first = result } = live
    const shown = useSyncExternalStore(subscribe, result, first)
    // React waits for what is thrown here, and renders again.
    if (shown.state === 'loading') throw knownOf(live)
    return shown
  }
}

const known = new WeakMap<LiveQuery<unknown>, Promise<void>>()

/** Resolves when something is known. One for all who wait for the same: a component that suspends is forgotten, and asks again. */
function knownOf(live: LiveQuery<unknown>): Promise<void> {
  const waiting = known.get(live)
  if (waiting) return waiting
  const promise = new Promise<void>((resolve) => {
    const look = () => {
      if (live.result().state === 'loading') return
      unsubscribe()
      known.delete(live)
      resolve()
    }
    const unsubscribe = live.subscribe(look)
  })
  known.set(live, promise)
  return promise
}
