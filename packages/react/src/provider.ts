import type { Client } from '@headwater/client'
import { HeadwaterError } from '@headwater/protocol'
import { development } from '@headwater/protocol/development'
import { createContext, createElement, type ReactNode, useContext } from 'react'

// biome-ignore lint/suspicious/noExplicitAny: the context carries whichever client; createHooks gives it its type back
export type AnyClient = Client<any, any>

const ClientContext = createContext<AnyClient | null>(null)

/** Gives the client to the hooks below. The app makes it, once per person, and closes it. */
export function HeadwaterProvider({ client, children }: { readonly client: AnyClient; readonly children?: ReactNode }) {
  return createElement(ClientContext.Provider, { value: client }, children)
}

export function useProvidedClient(): AnyClient {
  const client = useContext(ClientContext)
  development(() => {
    if (client === null) throw new HeadwaterError('no-client', 'There is no HeadwaterProvider around this component.')
  })
  // Where there was one while the app was written, there is one.
  return client as AnyClient
}
