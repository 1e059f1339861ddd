import { STATUS_CODES } from 'node:http'
import { HeadwaterError } from '@headwater/protocol'

/** Ends a request: `details.status` is its HTTP status, and `details.retryMs` when it may be sent again. */
export const problem = (status: number, code: string, message: string, hint = '', details: { readonly retryMs?: number; readonly allow?: string } = {}) =>
  new HeadwaterError(code, message, hint, { status, ...details })

/** What `problem` made, as problem details (RFC 9457). */
export function problemResponse(error: HeadwaterError): Response {
  const status = Number(error.details.status)
  const headers = new Headers({ 'content-type': 'application/problem+json' })
  if (error.details.retryMs !== undefined) headers.set('retry-after', String(Math.max(1, Math.ceil(Number(error.details.retryMs) / 1_000))))
  if (error.details.allow !== undefined) headers.set('allow', String(error.details.allow))
  const body = { type: 'about:blank', title: STATUS_CODES[status], status, code: error.code, detail: error.message, hint: error.hint }
  return new Response(JSON.stringify(body), { status, headers })
}

export const isProblem = (error: unknown): error is HeadwaterError => error instanceof HeadwaterError && typeof error.details.status === 'number'

export const unavailable = () =>
  problem(503, 'unavailable', 'The database did not answer in time.', 'Send it again; a mutation with the same Idempotency-Key.', { retryMs: 1_000 })
