// What the tests over HTTP share: who somebody is, and the two requests there are.
import type { Json } from '@headwater/protocol'

export type SentHeaders = Readonly<Record<string, string>>

/** Waits in the server are a tenth of what they are. */
export const fastClock = {
  now: () => Date.now(),
  timer: (afterMs: number, run: () => void) => {
    const timer = setTimeout(run, afterMs / 10)
    return () => clearTimeout(timer)
  },
}

/** By a token, or by a cookie as a browser would. */
export const authenticate = ({ headers }: { readonly headers: Headers }) =>
  headers.get('x-user') ?? /^Bearer (\w+)$/.exec(headers.get('authorization') ?? '')?.[1] ?? /\buser=(\w+)/.exec(headers.get('cookie') ?? '')?.[1] ?? null

export const bearer = (user: string): SentHeaders => ({ authorization: `Bearer ${user}` })

export function httpClient(url: () => string) {
  const post = (name: string, body: unknown, { user = 'ada', key = crypto.randomUUID(), headers = {} }: Asked = {}) =>
    fetch(`${url()}/headwater/mutate/${name}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key, ...bearer(user), ...headers },
      body: JSON.stringify(body),
    })
  const get = (table: string, parameters: Readonly<Record<string, string>> = {}, user = 'ada') =>
    fetch(`${url()}/headwater/query/${table}?${new URLSearchParams(parameters)}`, { headers: bearer(user) })
  return { post, get }
}

interface Asked {
  readonly user?: string
  readonly key?: string
  readonly headers?: SentHeaders
}

/** Status and members of an answer; the status is HTTP's. */
export async function answerOf(response: Promise<Response>): Promise<Readonly<Record<string, Json>>> {
  const answered = await response
  // Every answer of Headwater's own is an object.
  return { ...((await answered.json()) as Readonly<Record<string, Json>>), status: answered.status }
}
