// Outside SQL clients on the embedded database. Its one connection is lent to them a transaction at a time, and handed back clean.

import { createServer, type Server, type Socket } from 'node:net'
import { HeadwaterError } from '@headwater/protocol'
import type { EmbeddedDatabase } from './embedded.ts'
import { createGuest, type GatewayGuest } from './guest.ts'
import { limits } from './limits.ts'
import { createReader, type Reader } from './reader.ts'
import { greet } from './startup.ts'
import { errorResponse } from './wire.ts'

export interface GatewayOptions {
  /** 0: any free port. */
  readonly port: number
  /** Default: 127.0.0.1. Everyone who reaches it is trusted with everything, as a superuser. */
  readonly host?: string
  /** How long a client may leave its transaction alone. Default: 10 s. */
  readonly idleMs?: number
}

export interface Gateway {
  readonly port: number
  /** Rolls back what is open, tells the clients, and closes. The database stays open. */
  close(): Promise<void>
}

/**
 * Lets `psql`, drivers and tools use an embedded database, as `postgres://127.0.0.1:PORT/postgres`.
 *
 * A client has the database to itself from a transaction's first statement to its end; everyone else waits, this process
 * included, so a transaction that is left alone is rolled back after `idleMs` and its client cut off. Settings and prepared statements of
 * the protocol stay with their client. What else a session holds (temporary tables, PREPARE, LISTEN, cursors WITH HOLD,
 * session-level advisory locks) is gone whenever somebody else had a turn. COPY FROM STDIN works as a statement of its own; cancelling
 * does not, because a statement runs to its end in this process.
 */
export async function openGateway(embedded: EmbeddedDatabase, { port, host = '127.0.0.1', idleMs = limits.gatewayIdleMs }: GatewayOptions): Promise<Gateway> {
  const version = String((await embedded.query('show server_version'))[0]?.server_version)
  const clients = new Map<Farewell, Promise<void>>()
  const server = createServer({ noDelay: true }, (socket) => {
    const farewell = createFarewell(socket)
    if (clients.size >= limits.gatewaySessionsMax) {
      return farewell(errorResponse('FATAL', '53300', `there are ${limits.gatewaySessionsMax} clients already`))
    }
    const guest = createGuest(embedded.seat, idleMs, farewell)
    const served = serve(socket, guest, version, farewell)
    clients.set(farewell, served)
    void served.finally(() => clients.delete(farewell))
  })
  await listen(server, port, host)

  async function close(): Promise<void> {
    const closed = new Promise((resolve) => server.close(resolve))
    for (const farewell of clients.keys()) farewell(errorResponse('FATAL', '57P01', 'the gateway is being closed'))
    await Promise.all(clients.values())
    await closed
  }

  return { port: portOf(server.address()), close }
}

/** Sends a last message and closes the socket, which ends the session. Only the first one counts. */
type Farewell = (message: Buffer) => void

function createFarewell(socket: Socket): Farewell {
  let isSaid = false
  // What goes wrong with a socket ends its session, which is told by the end of what it reads.
  socket.on('error', () => undefined)
  return (message) => {
    if (isSaid) return
    isSaid = true
    socket.end(message)
    socket.destroySoon()
    // Not for a client that does not read it.
    const timer = setTimeout(() => socket.destroy(), limits.gatewayFarewellMs)
    socket.once('close', () => clearTimeout(timer))
  }
}

/** A client's session, from its first byte to its last. Resolves when nothing of it is left. */
async function serve(socket: Socket, guest: GatewayGuest, version: string, farewell: Farewell): Promise<void> {
  const reader = createReader(limits.gatewayBytesMax)
  const startupTimer = setTimeout(() => farewell(errorResponse('FATAL', '57014', 'no startup message came in time')), limits.gatewayStartupMs)
  let isGreeted = false
  try {
    // What ends the session is said before the socket is closed, not instead of it.
    for await (const piece of socket.iterator({ destroyOnReturn: false })) {
      // A socket without an encoding hands out buffers.
      reader.push(piece as Buffer)
      if (!isGreeted) {
        const greeting = greet(reader, version)
        await write(socket, greeting.answer)
        if (greeting.isOver) break
        if (greeting.settings === null) continue
        guest.settle(greeting.settings)
        isGreeted = true
        clearTimeout(startupTimer)
      }
      if (await answerAll(socket, reader, guest)) break
    }
  } catch (error) {
    farewell(errorResponse('FATAL', sqlstateOf(error), error instanceof Error ? error.message : String(error)))
  }
  clearTimeout(startupTimer)
  await guest.leaveForGood()
  farewell(Buffer.alloc(0))
}

/** Answers the messages that have come. True: the client has said that it is done. */
async function answerAll(socket: Socket, reader: Reader, guest: GatewayGuest): Promise<boolean> {
  for (let message = reader.next(); message !== null; message = reader.next()) {
    if (message.type === 'X') return true
    await write(socket, await guest.receive(message))
  }
  return false
}

/** Waits until a client that reads slowly has taken what it was sent. */
async function write(socket: Socket, bytes: Buffer): Promise<void> {
  if (bytes.length === 0 || socket.destroyed || socket.writableEnded || socket.write(bytes)) return
  await new Promise<void>((resolve) => {
    socket.once('drain', resolve)
    socket.once('close', () => resolve())
  })
}

function sqlstateOf(error: unknown): string {
  if (!(error instanceof HeadwaterError)) return 'XX000'
  const sqlstate = error.details.sqlstate
  return typeof sqlstate === 'string' ? sqlstate : error.code === 'overloaded' ? '53300' : '57P01'
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function portOf(address: ReturnType<Server['address']>): number {
  if (address === null || typeof address === 'string') throw new HeadwaterError('bug', 'A TCP server has no port.')
  return address.port
}
