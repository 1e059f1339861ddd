import { createContext, useContext, useSyncExternalStore } from 'react'
import type { Person } from '../../people.ts'
import type { TraceStore } from '../trace/store.ts'
import type { People, PeopleStore } from './people.ts'
import type { Remembered } from './remembered.ts'
import type { Session, SessionState } from './session.ts'

export interface SessionContextValue {
  readonly session: Session
  readonly people: PeopleStore
  readonly remembered: Remembered
  /** null: sync is not traced. */
  readonly trace: TraceStore | null
}

export const SessionContext = createContext<SessionContextValue | null>(null)

export function useSession(): SessionContextValue {
  const value = useContext(SessionContext)
  if (!value) throw new Error('useSession is called outside of SessionContext.')
  return value
}

export function useSessionState(): SessionState {
  const { session } = useSession()
  return useSyncExternalStore(session.subscribe, session.get)
}

export function usePeople(): People {
  const { people } = useSession()
  return useSyncExternalStore(people.subscribe, people.get)
}

/** The person signed in. Only below the parts of the app that are shown to a person. */
export function usePerson(): Person {
  const state = useSessionState()
  const { remembered } = useSession()
  // While a sign-out is being drawn, the parts below still render once for the person who leaves.
  return state.type === 'signedIn' ? state.person : (remembered.person() ?? nobody)
}

const nobody: Person = { id: '', name: '', email: '', work: '' }
