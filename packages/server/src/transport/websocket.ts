// Frames in, frames out. Nothing here knows what they mean.
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { limits as wire } from '@headwater/protocol'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import { limits } from '../limits.ts'
import type { Connection, ConnectionEvents } from '../ports.ts'

export interface Sockets {
  /** Completes an upgrade. `onConnection` answers what to do with the frames. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, onConnection: (connection: Connection) => ConnectionEvents): void
  count(): number
  close(): void
}

/** A frame that is somewhat too large is read, so that the device can be told why it is refused; a larger one only closes the socket. */
const payloadMargin = 4

export function createSockets(): Sockets {
  const options = { noServer: true, maxPayload: wire.upBytesMax * payloadMargin, clientTracking: true }
  const near = new WebSocketServer({ ...options, perMessageDeflate: false })
  // What a device sends unfolds to `maxPayload` at most. Nothing is kept between messages: no memory of a connection's own, and no message says anything of another.
  const far = new WebSocketServer({
    ...options,
    perMessageDeflate: {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      zlibDeflateOptions: { level: 1 },
      concurrencyLimit: limits.compressionsMax,
      threshold: limits.compressedBytesMin,
    },
  })
  const servers = [near, far]
  return {
    accept: (request, socket, head, onConnection) =>
      (isNear(request) ? near : far).handleUpgrade(request, socket, head, (opened) => serve(opened, onConnection)),
    count: () => servers.reduce((sum, { clients }) => sum + clients.size, 0),
    close: () => {
      for (const server of servers) {
        for (const client of server.clients) client.terminate()
        server.close()
      }
    },
  }
}

/** On the same machine, and not behind a proxy there: between the two, compressing only costs. */
const isNear = ({ socket, headers }: IncomingMessage) =>
  /^(::1|(::ffff:)?127\.)/.test(socket.remoteAddress ?? '') && headers['x-forwarded-for'] === undefined && headers.forwarded === undefined

function serve(socket: WebSocket, onConnection: (connection: Connection) => ConnectionEvents): void {
  const events = onConnection({
    send: (frame) => {
      if (socket.readyState === socket.OPEN) socket.send(frame, { binary: false })
    },
    bufferedBytes: () => socket.bufferedAmount,
    close: () => socket.close(),
    destroy: () => socket.terminate(),
  })
  socket.on('message', (data: RawData, isBinary: boolean) => {
    // A binary frame is no message of ours; as text it is malformed, and said to be.
    events.onMessage(isBinary ? '' : data.toString())
  })
  // The close follows an error by itself.
  socket.on('error', () => {})
  socket.on('close', () => events.onClose())
}
