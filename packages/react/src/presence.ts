import type { Gathering, Presence } from '@headwater/client'
import type { Json } from '@headwater/protocol'
import { HeadwaterError } from '@headwater/protocol'
import { createContext, createElement, type ReactNode, useCallback, useContext, useEffect, useRef, useSyncExternalStore } from 'react'

const PresenceContext = createContext<Presence | null>(null)

/** Gives the presence to `usePresence` below. The app makes it together with the client. */
export function PresenceProvider({ presence, children }: { readonly presence: Presence; readonly children?: ReactNode }) {
  return createElement(PresenceContext.Provider, { value: presence }, children)
}

const nobody: Gathering = { state: 'connecting', others: [], count: 0 }

/**
 * Who is in a scope, while mounted. With a value, the others hear of this device as well, and of every new value: at most 20 times a second, the last
 * one counts. Without, it only looks on. key null: nobody, nowhere. The component renders again when somebody comes, goes or says something else.
 *
 *     const { others } = usePresence('project', id, { typing })
 */
export function usePresence(kind: string, key: string | null, value?: Json): Gathering {
  const presence = useContext(PresenceContext)
  if (presence === null) throw new HeadwaterError('no-presence', 'There is no PresenceProvider around this component.', 'Give it createPresence().')
  const handle = useRef<ReturnType<Presence['scope']> | null>(null)
  const said = useRef<Json | undefined>(undefined)
  // Values may be made anew on each render: those that say the same are the same.
  const text = value === undefined ? undefined : JSON.stringify(value)
  const subscribe = useCallback(
    (run: () => void) => {
      if (key === null) return () => {}
      const used = presence.scope(kind, key)
      handle.current = used
      if (said.current !== undefined) used.say(said.current)
      const unsubscribe = used.subscribe(run)
      return () => {
        unsubscribe()
        handle.current = null
        used.release()
      }
    },
    [presence, kind, key],
  )
  const get = () => (key === null ? nobody : presence.gathering(kind, key))
  const shown = useSyncExternalStore(subscribe, get, () => nobody)
  useEffect(() => {
    said.current = text === undefined ? undefined : JSON.parse(text)
    if (said.current === undefined) handle.current?.hide()
    else handle.current?.say(said.current)
  }, [text])
  return shown
}
