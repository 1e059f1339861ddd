import type { Ask, Asking, Client, LiveValue, Mutate, PendingMutation, Result, ScopeHandle, SetAside, Status } from '@headwater/client'
import type { Mutators, Schema } from '@headwater/schema'
import { useCallback, useSyncExternalStore } from 'react'
import { type AnyClient, useProvidedClient } from './provider.ts'

export interface Hooks<S extends Schema, M extends Mutators<S>> {
  useClient(): Client<S, M>
  /**
   * The rows of a query, and how much is known of them. The component renders again when they change, and only then; rows
   * that did not change keep their identity. The query may be built anew on each render.
   *
   *     const { rows, state } = useQuery((q) => q.messages.where({ projectId }).orderBy('sequence'))
   */
  useQuery<R>(ask: (query: Ask<S>) => Pick<Asking<R>, 'live'>): Result<R>
  useMutate(): Mutate<S, M>
  useStatus(): Status
  /** Holds the on-demand rows of a scope while mounted, and with `keep` from then on, until `client.drop`. null: nothing to hold, which is `ready`. */
  useScope(kind: string, key: string | null, options?: { readonly keep?: boolean }): ReturnType<ScopeHandle['state']>
  useSetAside(): readonly SetAside[]
  /** What waits for the database, in the order it was made: to be shown, or discarded. */
  usePending(): readonly PendingMutation[]
}

/** The hooks of an app, typed by its schema and mutators. They read the client from the `HeadwaterProvider` above. */
export function createHooks<S extends Schema, M extends Mutators<S> = Record<never, never>>(): Hooks<S, M> {
  // The provider above was given the client of this schema: an app has one.
  const useClient = () => useProvidedClient() as Client<S, M>
  return {
    useClient,
    useQuery: (ask) => useLive(ask(useClient().query)),
    useMutate: () => useClient().mutate,
    useStatus: () => useLiveValue(useClient().status),
    useScope: (kind, key, options) => useHeldScope(useClient(), kind, key, options?.keep),
    useSetAside: () => useLiveValue(useClient().setAside),
    usePending: () => useLiveValue(useClient().pending),
  }
}

/** Equal questions share one live query, so that a query built anew on each render is the same store to React. */
function useLive<R>(query: Pick<Asking<R>, 'live'>): Result<R> {
  const { subscribe, result, first = result } = query.live()
  return useSyncExternalStore(subscribe, result, first)
}

const useLiveValue = <T>({ subscribe, get }: LiveValue<T>): T => useSyncExternalStore(subscribe, get, get)

function useHeldScope(client: AnyClient, kind: string, key: string | null, keep?: boolean): ReturnType<ScopeHandle['state']> {
  // React subscribes when the component is mounted, and again only when this function is another: that is how long the scope is held.
  const subscribe = useCallback(
    (run: () => void) => {
      if (key === null) return () => {}
      const handle = client.scope(kind, key)
      if (keep) client.keep(kind, key)
      const unsubscribe = handle.subscribe(run)
      return () => {
        unsubscribe()
        handle.release()
      }
    },
    [client, kind, key, keep],
  )
  const state = () => (key === null ? 'ready' : client.scopeState(kind, key))
  return useSyncExternalStore(subscribe, state, state)
}
