// Invariant: a device shows the rows of the person it believes signed in, and of nobody else. What the server says about the
// session corrects that belief; that the server cannot be reached changes nothing.
import type { Client, Presence } from '@headwater/client'
import type { mutators } from '../../mutators.ts'
import type { Person } from '../../people.ts'
import type { schema } from '../../schema.ts'
import type { Remembered } from './remembered.ts'
import type { Requests } from './requests.ts'

export type CodecraftClient = Client<typeof schema, typeof mutators>

/** What is opened for a person: their data, and who else is there. */
export interface Opened {
  readonly client: CodecraftClient
  readonly presence: Presence
}

/** `ended`: the server no longer knows the session; what was not synced waits on the device. */
export type SignedOutReason = 'ended' | 'unreachable' | null

export type SessionState =
  | { readonly type: 'checking' }
  | { readonly type: 'signedOut'; readonly reason: SignedOutReason }
  | ({ readonly type: 'signedIn'; readonly person: Person } & Opened)

export interface Session {
  get(): SessionState
  subscribe(run: () => void): () => void
  /** Shows the remembered person at once, then asks the server whether that is right. */
  start(): Promise<void>
  /** Asks again, as when the engine was told that the session is not this person's. */
  check(): Promise<void>
  /** False: the server could not be reached. */
  signIn(personId: string): Promise<boolean>
  /** Removes everything of the person from this device, unsent work included: ask before. */
  signOut(): Promise<void>
  /** Another tab signed in or out. */
  follow(): Promise<void>
}

export interface SessionPorts {
  readonly requests: Requests
  readonly remembered: Remembered
  readonly open: (userId: string) => Opened
}

export function createSession({ requests, remembered, open }: SessionPorts): Session {
  let state: SessionState = { type: 'checking' }
  const listeners = new Set<() => void>()
  const set = (next: SessionState) => {
    state = next
    for (const run of listeners) run()
  }

  const leave = async (reason: SignedOutReason) => {
    const left = state
    set({ type: 'signedOut', reason })
    if (left.type === 'signedIn') await left.client.close()
  }
  const enter = async (person: Person) => {
    if (state.type === 'signedIn' && state.person.id === person.id) return
    if (state.type === 'signedIn') await leave(null)
    remembered.setPerson(person)
    set({ type: 'signedIn', person, ...open(person.id) })
  }
  const tellSignOut = async () => {
    remembered.setSignOutOwed(true)
    if ((await requests.signOut()).type === 'answer') remembered.setSignOutOwed(false)
  }
  // An answer to a question asked before the person signed in or out is not an answer any more.
  let turn = 0
  const check = async () => {
    const asked = ++turn
    const answer = await requests.session()
    if (asked !== turn) return
    if (answer.type === 'answer' && answer.value) return enter(answer.value)
    if (answer.type === 'unreachable') return state.type === 'signedIn' ? undefined : leave('unreachable')
    const wasRemembered = remembered.person() !== null
    remembered.setPerson(null)
    await leave(wasRemembered ? 'ended' : null)
  }

  return {
    get: () => state,
    subscribe: (run) => {
      listeners.add(run)
      return () => listeners.delete(run)
    },
    start: async () => {
      const person = remembered.person()
      if (person) await enter(person)
      if (remembered.isSignOutOwed()) await tellSignOut()
      if (remembered.isSignOutOwed()) await leave('unreachable')
      else await check()
    },
    check,
    signIn: async (personId) => {
      const answer = await requests.signIn(personId)
      if (answer.type === 'unreachable') return false
      turn++
      remembered.setSignOutOwed(false)
      if (answer.value) await enter(answer.value)
      return true
    },
    signOut: async () => {
      const left = state
      turn++
      remembered.setPerson(null)
      set({ type: 'signedOut', reason: null })
      await Promise.all([tellSignOut(), left.type === 'signedIn' ? left.client.wipe() : undefined])
    },
    follow: async () => {
      const person = remembered.person()
      turn++
      await (person ? enter(person) : leave(null))
    },
  }
}
