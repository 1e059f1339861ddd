// Headwater over HTTP, for those who are no device. Every request takes the same way: how often, from where, who, and only then what.
import { HeadwaterError, type UserId } from '@headwater/protocol'
import { limits } from '../limits.ts'
import type { MutateDeps } from '../mutate/run.ts'
import { mutate } from './mutate.ts'
import { checkOrigin, corsHeaders, preflightHeaders } from './origin.ts'
import { isProblem, problem, problemResponse, unavailable } from './problem.ts'
import { query } from './query.ts'
import { createRates } from './rates.ts'

export interface HttpRequest {
  readonly request: Request
  /** Path and query exactly as they were sent. */
  readonly target: string
  /** Of the other end of the connection. */
  readonly address: string
}

export interface HttpDeps extends MutateDeps {
  readonly origins: readonly string[]
  readonly authenticate: (request: HttpRequest) => Promise<UserId | null>
  /** Why tables cannot be served now, by name. */
  readonly troubles: () => ReadonlyMap<string, string>
  /** As JSON. */
  readonly openapi: string
  readonly onCommitted: () => void
}

export interface Http {
  /** null: the path is not Headwater's. */
  answer(request: HttpRequest): Promise<Response> | null
  /** Takes no more requests, and resolves when none is under way. */
  close(): Promise<void>
}

export function createHttp(deps: HttpDeps): Http {
  const people = createRates(deps.clock, limits.personRate)
  const addresses = createRates(deps.clock, limits.addressRate)
  const running = new Set<Promise<unknown>>()
  let isOpen = true

  async function answer(route: Route, asked: HttpRequest): Promise<Response> {
    let isThere = true
    const work = carryOut(route, asked, () => isThere && isOpen)
    running.add(work)
    work.catch(() => {}).finally(() => running.delete(work))
    let cancel = () => {}
    const late = new Promise<never>((_, reject) => {
      cancel = deps.clock.timer(limits.requestMsMax, () => reject(unavailable()))
    })
    const response = await Promise.race([work, late]).catch(failure)
    isThere = false
    cancel()
    const headers = { ...always, ...corsHeaders(asked.request, deps.origins) }
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
    return response
  }

  async function carryOut({ method, run }: Route, asked: HttpRequest, isThere: () => boolean): Promise<Response> {
    const { request, address } = asked
    limit(addresses.take(address))
    checkOrigin(request, deps.origins)
    if (request.method === 'OPTIONS') return new Response(null, { status: 204, headers: preflightHeaders })
    if (request.method !== method) throw problem(405, 'method', `This takes ${method} alone.`, '', { allow: method })
    if (!isOpen) throw unavailable()
    const user = await deps.authenticate(asked)
    if (user === null) throw problem(401, 'unauthenticated', 'Nobody is signed in.', 'Send the credential that authenticate of createServer asks for.')
    limit(people.take(user))
    return run(user, asked, isThere)
  }

  function failure(error: unknown): Response {
    if (isProblem(error)) return problemResponse(error)
    deps.onTrouble(error)
    // What the database or a bug said is for the server's own log.
    const isDatabase = error instanceof HeadwaterError && (error.code === 'connection' || error.code === 'sql')
    return problemResponse(isDatabase ? unavailable() : problem(500, 'internal', 'The server failed.', 'It may be sent again.'))
  }

  interface Route {
    readonly method: 'GET' | 'POST'
    readonly run: (user: UserId, asked: HttpRequest, isThere: () => boolean) => Response | Promise<Response>
  }

  /** By the path as it was sent: nothing is decoded, so no other spelling of a name is that name. */
  function routeOf(target: string): Route | null {
    const [path = '', ...text] = target.split('?')
    if (path === '/headwater/openapi.json') return { method: 'GET', run: () => new Response(deps.openapi, { headers: { 'content-type': 'application/json' } }) }
    const [, verb, name = ''] = /^\/headwater\/(mutate|query)\/(.*)$/.exec(path) ?? []
    if (verb === 'query') return { method: 'GET', run: (user) => query(deps, user, name, text.join('?')) }
    if (verb !== 'mutate') return null
    return {
      method: 'POST',
      run: async (user, { request }, isThere) => {
        const response = await mutate(deps, { user, name, request, isThere })
        deps.onCommitted()
        return response
      },
    }
  }

  return {
    answer: (asked) => {
      const route = routeOf(asked.target)
      return route && answer(route, asked)
    },
    close: async () => {
      isOpen = false
      await Promise.allSettled(running)
    },
  }
}

function limit(retryMs: number): void {
  if (retryMs > 0) throw problem(429, 'too-many', 'That is too often.', 'Wait as long as Retry-After says.', { retryMs })
}

const always = { 'cache-control': 'private, no-store', 'x-content-type-options': 'nosniff', 'cross-origin-resource-policy': 'same-origin' }
