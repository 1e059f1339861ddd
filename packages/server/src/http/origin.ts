// Invariant: nothing is changed for a page that the person did not mean to use (CSRF). A browser says where a request comes from, and
// sends a cookie along by itself; whoever is not a browser has another credential.
import { isAllowedOrigin } from '../transport/upgrade.ts'
import { problem } from './problem.ts'

/** Throws `forbidden` for requests of foreign pages, whatever they ask for. */
export function checkOrigin(request: Pick<Request, 'method' | 'headers'>, origins: readonly string[]): void {
  const { headers } = request
  const origin = headers.get('origin')
  if (origin !== null && !isAllowedOrigin(origin, headers.get('host'), origins)) throw foreign()
  const site = headers.get('sec-fetch-site')
  // Without an Origin there is nothing to look up among the allowed ones.
  if (origin === null && site !== null && site !== 'same-origin' && site !== 'none') throw foreign()
  if (request.method === 'POST' && origin === null && site !== 'same-origin' && !hasOwnCredential(headers))
    throw problem(403, 'forbidden', 'A cookie alone does not say which page it comes from.', 'Send an Origin of this server, or an Authorization header.')
}

/** One that no browser adds by itself, as it does with cookies and Basic. */
function hasOwnCredential(headers: Headers): boolean {
  const authorization = headers.get('authorization')
  return authorization === null ? !headers.has('cookie') : !/^\s*(basic|digest|negotiate|ntlm)\b/i.test(authorization)
}

/** What a page of an allowed other origin needs to read the answer. */
export function corsHeaders(request: Pick<Request, 'headers'>, origins: readonly string[]): Readonly<Record<string, string>> {
  const origin = request.headers.get('origin')
  if (origin === null || !origins.includes(origin)) return {}
  return { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true', vary: 'origin' }
}

export const preflightHeaders = {
  'access-control-allow-methods': 'GET, POST',
  'access-control-allow-headers': 'content-type, authorization, idempotency-key',
  'access-control-max-age': '600',
}

const foreign = () => problem(403, 'forbidden', 'This origin may not ask here.', 'Name it in origins of createServer.')
