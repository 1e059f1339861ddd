// Frames over plain HTTP, for devices whose network refuses upgrades: an answer that does not end takes them down, as an event stream, and
// short requests take them up, each a line. Nothing here knows what they mean.
//
// Invariant: requests up are numbered. One that comes twice is taken once, and one whose connection is not of this server is not taken.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type UserId, limits as wire } from '@headwater/protocol'
import type { AuthenticateRequest } from '../api.ts'
import { checkOrigin, corsHeaders, preflightHeaders } from '../http/origin.ts'
import { isProblem, problem, problemResponse, unavailable } from '../http/problem.ts'
import { limits } from '../limits.ts'
import type { Caller, Chance, Clock, Connection, ConnectionEvents } from '../ports.ts'
import { authenticateRequest, pathOf } from './upgrade.ts'

export interface Plain {
  /** Whether the request is for one of the paths here. */
  isFor(request: IncomingMessage): boolean
  answer(request: IncomingMessage, response: ServerResponse): Promise<void>
  count(): number
  close(): void
}

export interface PlainDeps {
  readonly origins: readonly string[]
  readonly clock: Clock
  readonly chance: Chance
  readonly authenticated: (request: AuthenticateRequest) => Promise<Caller>
  readonly onConnection: (connection: Connection, caller: Caller) => ConnectionEvents
  /** False: no more connections are taken. */
  readonly hasRoom: () => boolean
  readonly onTrouble: (error: unknown) => void
}

interface Line {
  readonly user: UserId | null
  readonly events: ConnectionEvents
  readonly end: () => void
  /** The number of the last request up. */
  taken: number
}

const path = '/headwater/plain'
const upPath = `${path}/up`
const headers = { 'cache-control': 'no-store, no-transform', 'x-content-type-options': 'nosniff' }

export function createPlain(deps: PlainDeps): Plain {
  const lines = new Map<string, Line>()

  async function answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url, headers: given } = authenticateRequest(incoming)
    const request = { method: incoming.method ?? '', headers: given }
    response.on('error', () => response.destroy())
    for (const [name, value] of Object.entries({ ...headers, ...corsHeaders(request, deps.origins) })) response.setHeader(name, value)
    try {
      checkOrigin(request, deps.origins)
      if (request.method === 'OPTIONS') return void response.writeHead(204, preflightHeaders).end()
      if (request.method !== 'POST') throw problem(405, 'method', 'This takes POST alone.', '', { allow: 'POST' })
      // A form of a foreign page cannot send this type without asking first.
      if (given.get('content-type') !== 'application/x-ndjson') throw problem(415, 'media-type', 'The body is not application/x-ndjson.')
      const body = await readLines(deps.clock, incoming)
      const caller = await deps.authenticated({ url, headers: given })
      if (pathOf(incoming) === path) open(response, caller, body)
      else up(response, caller.user, body)
    } catch (error) {
      await refuse(response, error)
    }
  }

  function open(response: ServerResponse, caller: Caller, frames: readonly string[]): void {
    if (!deps.hasRoom()) throw unavailable()
    const id = Buffer.from(deps.chance.bytes(16)).toString('base64url')
    // What is held back on the way until there is enough of it would come too late.
    response.writeHead(200, { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' })
    writeEvent(response, JSON.stringify({ connection: id }))
    const events = deps.onConnection(
      {
        send: (frame) => writeEvent(response, frame),
        bufferedBytes: () => response.writableLength,
        close: () => {
          response.end()
          const cancel = deps.clock.timer(limits.requestMsMax, () => response.destroy())
          response.on('close', cancel)
        },
        destroy: () => response.destroy(),
      },
      caller,
    )
    lines.set(id, { user: caller.user, events, taken: 0, end: () => response.destroy() })
    response.on('close', () => {
      lines.delete(id)
      events.onClose()
    })
    for (const frame of frames) events.onMessage(frame)
  }

  function up(response: ServerResponse, user: UserId | null, [head = '', ...frames]: readonly string[]): void {
    const { connection, sequence } = parseHead(head)
    const line = lines.get(connection)
    if (line === undefined || line.user !== user || sequence > line.taken + 1)
      throw problem(409, 'unknown-connection', 'This connection is not of this server.', 'Try again to reach the server that it is of, or open another.')
    if (sequence > line.taken) {
      line.taken = sequence
      for (const frame of frames) line.events.onMessage(frame)
    }
    response.writeHead(204).end()
  }

  async function refuse(response: ServerResponse, error: unknown): Promise<void> {
    if (!isProblem(error)) deps.onTrouble(error)
    const answer = problemResponse(isProblem(error) ? error : unavailable())
    response.writeHead(answer.status, { ...Object.fromEntries(answer.headers), connection: 'close' }).end(await answer.text())
  }

  return {
    isFor: (request) => [path, upPath].includes(pathOf(request) ?? ''),
    answer,
    count: () => lines.size,
    close: () => {
      for (const line of lines.values()) line.end()
    },
  }
}

/** A line break in JSON is between its parts, and stands for nothing. */
function writeEvent(response: ServerResponse, frame: string | Buffer): void {
  if (response.writableEnded || response.destroyed) return
  const data = frame.includes('\n') ? String(frame).replaceAll('\n', ' ') : frame
  response.cork()
  response.write('data: ')
  response.write(data)
  response.write('\n\n')
  response.uncork()
}

/** As much as a socket takes at once; see websocket.ts. */
const bodyBytesMax = wire.upBytesMax * 4

async function readLines(clock: Clock, incoming: IncomingMessage): Promise<readonly string[]> {
  const cancel = clock.timer(limits.requestMsMax, () => incoming.destroy())
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of incoming) {
      bytes += chunk.length
      if (bytes > bodyBytesMax) throw problem(413, 'too-large', `The body has more than ${bodyBytesMax} bytes.`)
      chunks.push(chunk)
    }
  } catch (error) {
    // What broke off is nobody's trouble.
    throw isProblem(error) ? error : problem(400, 'malformed', 'The body broke off.')
  } finally {
    cancel()
  }
  return Buffer.concat(chunks).toString().split('\n')
}

function parseHead(text: string): { readonly connection: string; readonly sequence: number } {
  try {
    const { connection, sequence } = JSON.parse(text)
    if (typeof connection === 'string' && Number.isSafeInteger(sequence) && sequence > 0) return { connection, sequence }
  } catch {
    // It is said below.
  }
  throw problem(400, 'malformed', 'The first line does not name a connection and a number.')
}
