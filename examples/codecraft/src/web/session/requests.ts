// What the app asks its server besides data. Each answers `unreachable` where nobody did: that is never a sign-out.
import { z } from 'zod'
import type { Person } from '../../people.ts'

export type Answer<T> = { readonly type: 'answer'; readonly value: T } | { readonly type: 'unreachable' }

export interface Requests {
  /** Who the browser's session belongs to; null: nobody. */
  session(): Promise<Answer<Person | null>>
  people(): Promise<Answer<readonly Person[]>>
  signIn(person: string): Promise<Answer<Person | null>>
  signOut(): Promise<Answer<null>>
}

const person = z.object({ id: z.string(), name: z.string(), email: z.string(), work: z.string() })
const withPerson = z.object({ person: person.nullable() })
const withPeople = z.object({ people: z.array(person) })

export function createRequests(request: typeof fetch): Requests {
  const ask = async <T>(path: string, init: RequestInit, read: (body: unknown) => T): Promise<Answer<T>> => {
    try {
      const response = await request(path, { ...init, headers: { 'x-codecraft': '1', 'content-type': 'application/json' } })
      return response.ok ? { type: 'answer', value: read(await response.json()) } : { type: 'unreachable' }
    } catch {
      // No network, a server that is not there, or a portal's page in its place: all of them say nothing about the session.
      return { type: 'unreachable' }
    }
  }
  const post = (body: object): RequestInit => ({ method: 'POST', body: JSON.stringify(body) })
  const personOf = (body: unknown) => withPerson.parse(body).person

  return {
    session: () => ask('/api/session', {}, personOf),
    people: () => ask('/api/people', {}, (body) => withPeople.parse(body).people),
    signIn: (id) => ask('/api/sign-in', post({ person: id }), personOf),
    signOut: () => ask('/api/sign-out', post({}), () => null),
  }
}
