// What those who run a server ask it: whether it lives, whether it is to be sent devices, and what it counts.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { HttpRequest } from '../http/http.ts'
import { limits } from '../limits.ts'
import type { Clock } from '../ports.ts'

/** Why devices had better connect elsewhere. */
export interface Reason {
  readonly code: string
  readonly message: string
}

export interface EndpointsDeps {
  readonly clock: Clock
  readonly database: string
  /** What is known without asking the database. */
  readonly reasons: () => readonly Reason[]
  /** Resolves once the tail has read what is committed now. */
  readonly reach: () => Promise<void>
  readonly metrics: () => Promise<{ readonly text: string; readonly contentType: string }>
  /** Whoever has it may read the metrics from elsewhere than this machine. */
  readonly token: string | undefined
}

/** null: the path is somebody else's. */
export type Endpoints = (request: HttpRequest) => Response | Promise<Response> | null

export function createEndpoints(deps: EndpointsDeps): Endpoints {
  async function ready(): Promise<Response> {
    const reasons = [...deps.reasons()]
    if (reasons.length === 0 && !(await isLevel())) {
      reasons.push({ code: 'behind', message: `The log was not read within ${limits.readyMsMax} ms.` })
    }
    return Response.json({ ready: reasons.length === 0, database: deps.database, reasons }, { status: reasons.length === 0 ? 200 : 503, headers })
  }

  async function isLevel(): Promise<boolean> {
    let cancel = () => {}
    const late = new Promise<false>((resolve) => {
      cancel = deps.clock.timer(limits.readyMsMax, () => resolve(false))
    })
    const level = deps.reach().then(
      () => true,
      () => false,
    )
    return Promise.race([level, late]).finally(cancel)
  }

  async function metrics(asked: HttpRequest): Promise<Response> {
    if (!mayRead(asked)) return new Response('Not found', { status: 404, headers })
    const { text, contentType } = await deps.metrics()
    return new Response(text, { headers: { ...headers, 'content-type': contentType } })
  }

  /** A request that a proxy passed on has come from elsewhere, whatever its connection says. */
  function mayRead({ request, address }: HttpRequest): boolean {
    if (deps.token !== undefined) return isSame(request.headers.get('authorization') ?? '', `Bearer ${deps.token}`)
    const isPassedOn = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'].some((name) => request.headers.has(name))
    return !isPassedOn && /^(127\.|::1$|::ffff:127\.)/.test(address)
  }

  return (asked) => {
    const { pathname } = new URL(asked.request.url)
    switch (pathname) {
      case '/headwater/health':
        return Response.json({ ok: true, database: deps.database }, { headers })
      case '/headwater/ready':
        return ready()
      case '/headwater/metrics':
        return metrics(asked)
      default:
        return null
    }
  }
}

const headers = { 'cache-control': 'no-store' }

/** Takes as long whatever is given. */
function isSame(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}
