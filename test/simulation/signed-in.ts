// Who is signed in, as the app knows it. Invariant (S8): a second after a session has ended no server sends anything of the app on a connection that was begun with it.
import type { Authenticated } from '@headwater/server'

export interface SignedIn {
  authenticate(person: string | null): Authenticated
  /** `atMs`: when it ends. Who asks from now on is told so, if it ends by its time. */
  end(person: string, atMs: number, isKnown: boolean): void
  begin(person: string): void
  /** A server sends a frame to somebody who may not be signed in any more. Answers what is wrong with that. */
  judge(person: string, frame: string): string | null
}

/** What says how a connection stands says nothing of the app. */
const isOfApp = (frame: string) => /^\{"type":"(load|checkpoint|presence)"/.test(frame)
const graceMs = 1_000

/** `isPrompt`: nothing is in the way of those who are told. */
export function createSignedIn(now: () => number, isPrompt: boolean): SignedIn {
  const ends = new Map<string, { readonly atMs: number; readonly isKnown: boolean }>()
  return {
    authenticate: (person) => {
      const end = person === null ? undefined : ends.get(person)
      if (person === null || !end) return person
      if (end.atMs <= now()) return null
      return end.isKnown ? { user: person, expiresAt: new Date(end.atMs) } : person
    },
    end: (person, atMs, isKnown) => {
      if (!ends.has(person)) ends.set(person, { atMs, isKnown })
    },
    begin: (person) => void ends.delete(person),
    judge: (person, frame) => {
      const end = ends.get(person)
      if (!end || !(end.isKnown || isPrompt) || now() <= end.atMs + graceMs || !isOfApp(frame)) return null
      return `${person} was sent something ${now() - end.atMs} ms after the session had ended: ${frame.slice(0, 120)}`
    },
  }
}
