import { useEffect } from 'react'
import { useProvidedClient } from './provider.ts'

/**
 * Loads the rows of on-demand scopes ahead, when mounted and when the keys are others: they may be built anew on each render. Nothing is
 * rendered again because of it; what is here by then needs no waiting in `useScope`.
 *
 *     usePreload('campaign', campaigns.slice(0, 10).map(({ id }) => id))
 */
export function usePreload(kind: string, keys: readonly string[]): void {
  const client = useProvidedClient()
  const asked = JSON.stringify(keys)
  useEffect(() => {
    client.preload(kind, JSON.parse(asked))
  }, [client, kind, asked])
}
