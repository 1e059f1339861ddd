// Frames in, frames out. Nothing here knows what they mean.
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { limits } from '@headwater/protocol'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
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
  // No permessage-deflate: a small frame could unfold into a very large one.
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: limits.upBytesMax * payloadMargin, clientTracking: true })
  return {
    accept: (request, socket, head, onConnection) => server.handleUpgrade(request, socket, head, (opened) => serve(opened, onConnection)),
    count: () => server.clients.size,
    close: () => {
      for (const client of server.clients) client.terminate()
      server.close()
    },
  }
}

function serve(socket: WebSocket, onConnection: (connection: Connection) => ConnectionEvents): void {
  const events = onConnection({
    send: (frame) => {
      if (socket.readyState === socket.OPEN) socket.send(frame, { binary: false })
    },
    bufferedBytes: () => socket.bufferedAmount,
    close: () => socket.close(),
  })
  socket.on('message', (data: RawData, isBinary: boolean) => {
    // A binary frame is no message of ours; as text it is malformed, and said to be.
    events.onMessage(isBinary ? '' : data.toString())
  })
  // The close follows an error by itself.
  socket.on('error', () => {})
  socket.on('close', () => events.onClose())
}
