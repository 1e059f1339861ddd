import { HeadwaterError } from '@headwater/protocol'
import type { Can, Schema } from '@headwater/schema'
import { useSyncExternalStore } from 'react'
import { useProvidedClient } from './provider.ts'

/**
 * What the rules allow, of a client that was given `access`. The component renders again when the scopes or roles of the person are
 * others; for a rule on rows it renders with the queries that it asks.
 *
 *     const can = useCan<typeof schema>()
 *     <button disabled={!can.update.projects(project, ['title'])}>
 */
export function useCan<S extends Schema>(): Can<S> {
  const { can, pending } = useProvidedClient()
  if (!can) throw new HeadwaterError('no-access', 'The client was not given access.', 'createClient({ schema, access, ... })')
  // Who follows what is pending hears of every checkpoint.
  useSyncExternalStore(pending.subscribe, can.scopes, can.scopes)
  return can
}
