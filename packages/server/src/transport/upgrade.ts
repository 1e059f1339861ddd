import type { IncomingMessage } from 'node:http'

export const socketPath = '/headwater/socket'

/** Whether a browser page of this origin may ask here. A request without an Origin does not come from a page, and carries no ambient cookie. */
export function isAllowedOrigin(origin: string | null | undefined, host: string | null | undefined, origins: readonly string[]): boolean {
  if (origin === undefined || origin === null) return true
  if (origins.includes(origin)) return true
  // Behind a proxy that ends TLS this server sees http while the page's origin says https: the host decides.
  return Boolean(host) && (origin === `http://${host}` || origin === `https://${host}`)
}

/** The request as `authenticate` sees it. */
export function authenticateRequest(request: IncomingMessage): { readonly url: string; readonly headers: Headers } {
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers)) {
    for (const one of Array.isArray(value) ? value : [value ?? '']) headers.append(name, one)
  }
  return { url: request.url ?? '/', headers }
}

/** The path alone, exactly as sent: `//headwater/socket` is another path, and not ours. */
export const pathOf = (request: IncomingMessage) => (request.url ?? '/').split('?', 1)[0]
