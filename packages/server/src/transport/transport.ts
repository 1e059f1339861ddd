// HTTP and WebSocket: who may open a connection, and frames in and out.
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { HeadwaterError } from '@headwater/protocol'
import { getRequestListener } from '@hono/node-server'
import type { AuthenticateRequest, ListenOptions } from '../api.ts'
import type { HttpRequest } from '../http/http.ts'
import { limits } from '../limits.ts'
import type { Caller, Chance, Clock, Connection, ConnectionEvents } from '../ports.ts'
import { createPlain } from './plain.ts'
import { refuseUpgrade } from './refuse.ts'
import { authenticateRequest, isAllowedOrigin, pathOf, socketPath } from './upgrade.ts'
import { createSockets } from './websocket.ts'

interface TransportDeps {
  readonly clock: Clock
  readonly chance: Chance
  readonly origins: readonly string[]
  /** Who is behind a request. */
  readonly authenticated: (request: AuthenticateRequest) => Promise<Caller>
  readonly onConnection: (connection: Connection, caller: Caller) => ConnectionEvents
  /** Headwater's own answer to a request, or null: it is the app's. */
  readonly answer: (request: HttpRequest) => Response | Promise<Response> | null
  readonly onTrouble: (error: unknown) => void
}

export interface Transport {
  attach(http: HttpServer): void
  /** Takes a connection that came by no HTTP server of ours. */
  connect(request: AuthenticateRequest, connection: Connection): Promise<ConnectionEvents>
  listen(options: ListenOptions): Promise<{ readonly url: string; readonly port: number }>
  /** Takes no more connections. */
  stop(): void
  /** Ends what is open. */
  close(): Promise<void>
}

export function createTransport(deps: TransportDeps): Transport {
  const sockets = createSockets()
  const hasRoom = () => isOpen && sockets.count() + plain.count() < limits.connectionsMax
  const plain = createPlain({ ...deps, hasRoom })
  const servers: HttpServer[] = []
  let isOpen = true

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy())
    if (pathOf(request) !== socketPath) return refuseUpgrade(socket, 404, 'Not found')
    if (!isAllowedOrigin(request.headers.origin, request.headers.host, deps.origins)) return refuseUpgrade(socket, 403, 'This origin may not connect')
    const caller = await deps.authenticated(authenticateRequest(request))
    if (!hasRoom()) return refuseUpgrade(socket, 503, 'Try again')
    sockets.accept(request, socket, head, (connection) => deps.onConnection(connection, caller))
  }

  const attach = (http: HttpServer) => {
    http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => void upgrade(request, socket, head))
    // What is not for a connection is for whoever listened before.
    const others = http.listeners('request')
    http.removeAllListeners('request')
    http.on('request', (request: IncomingMessage, response: ServerResponse) => {
      if (plain.isFor(request)) void plain.answer(request, response)
      else for (const other of others) other.call(http, request, response)
    })
  }

  async function connect(request: AuthenticateRequest, connection: Connection): Promise<ConnectionEvents> {
    const caller = await deps.authenticated(request)
    if (!isOpen) throw new HeadwaterError('unavailable', 'The server is stopping.', 'Connect to another.')
    return deps.onConnection(connection, caller)
  }

  /** What is not Headwater's own is the app's. */
  async function respond(request: Request, incoming: Pick<IncomingMessage, 'url' | 'socket'>, rest: NonNullable<ListenOptions['fetch']>): Promise<Response> {
    const answer = await deps.answer({ request, target: incoming.url ?? '/', address: incoming.socket.remoteAddress ?? '' })
    return answer ?? rest(request)
  }

  return {
    attach,
    connect,
    listen: async ({ port, host = '127.0.0.1', fetch }) => {
      const rest = fetch ?? (() => new Response('Not found', { status: 404 }))
      const http = createServer(getRequestListener((request, { incoming }) => respond(request, incoming, rest)))
      attach(http)
      await new Promise<void>((resolve, reject) => http.once('error', (error) => reject(cannotListen(error, host, port))).listen(port, host, resolve))
      servers.push(http)
      const address = http.address()
      if (address === null || typeof address === 'string') throw new HeadwaterError('listen', `Listening on ${host} gave no port.`)
      return { url: `http://${host}:${address.port}`, port: address.port }
    },
    stop: () => {
      isOpen = false
    },
    close: async () => {
      sockets.close()
      plain.close()
      for (const http of servers) http.closeAllConnections()
      await Promise.all(servers.map((http) => new Promise((resolve) => http.close(resolve))))
    },
  }
}

const cannotListen = (error: Error, host: string, port: number) =>
  new HeadwaterError('listen', `Cannot listen on ${host}:${port}: ${error.message}`, 'Choose another port, or stop what uses this one.', { port })
