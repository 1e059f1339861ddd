// A socket to a PostgreSQL, encrypted where the URL asks for it or the server offers it.

import { connect, isIP, type Socket } from 'node:net'
import { connect as encrypt } from 'node:tls'
import { HeadwaterError } from '@headwater/protocol'
import type { Address } from './address.ts'
import { connectionFailure } from './failure.ts'
import { limits } from './limits.ts'
import { int32 } from './wire.ts'

/** A socket to the first of the hosts that answers. */
export async function openSocket(address: Address): Promise<Socket> {
  let failure: unknown
  for (const { name, port } of address.hosts) {
    try {
      if (name.startsWith('/')) return await connected(connect(`${name}/.s.PGSQL.${port}`), 'connect', name)
      const socket = await connected(connect({ host: name, port, noDelay: true }), 'connect', `${name}:${port}`)
      socket.setKeepAlive(true, limits.keepAliveMs)
      return address.encryption === 'disable' ? socket : await encrypted(socket, name, address)
    } catch (error) {
      failure = error
    }
  }
  throw failure
}

const encryptionRequest = Buffer.concat([int32(8), int32(80_877_103)])

async function encrypted(socket: Socket, host: string, { encryption, authority }: Address): Promise<Socket> {
  socket.write(encryptionRequest)
  const answer = await firstBytes(socket, host)
  // More than one byte would be somebody's who wants it taken for a part of the encrypted conversation.
  const isOffered = answer.length === 1 && answer[0] === 'S'.charCodeAt(0)
  if (!isOffered && (encryption !== 'prefer' || answer[0] !== 'N'.charCodeAt(0))) {
    socket.destroy()
    throw new HeadwaterError(
      'connection',
      `The database's server at ${host} does not offer encryption.`,
      'Ask for it there, or say sslmode=disable in the URL.',
    )
  }
  if (!isOffered) return socket
  const name = isIP(host) === 0 ? { servername: host } : {}
  return connected(encrypt({ socket, host, ...name, rejectUnauthorized: encryption === 'verify', ...(authority && { ca: authority }) }), 'secureConnect', host)
}

/** The server says nothing more before the conversation goes on encrypted. */
const firstBytes = (socket: Socket, host: string): Promise<Buffer> =>
  // A socket without an encoding hands out buffers.
  settled(socket, 'data', host, (piece) => piece as Buffer)

/** What comes next, while a session is being made. The socket is paused afterwards. */
export function nextPiece(socket: Socket): Promise<Buffer> {
  const piece = settled(socket, 'data', 'the server', (bytes) => {
    socket.pause()
    // A socket without an encoding hands out buffers.
    return bytes as Buffer
  })
  socket.resume()
  return piece
}

async function connected<S extends Socket>(socket: S, event: 'connect' | 'secureConnect', host: string): Promise<S> {
  return settled(socket, event, host, () => socket)
}

/** The first event, or a failure: an error, the end of the socket, or nothing at all for too long. */
function settled<T>(socket: Socket, event: string, host: string, take: (value: unknown) => T): Promise<T> {
  return new Promise((resolve, reject) => {
    const finish = (end: () => void) => {
      clearTimeout(timer)
      socket.off(event, onEvent)
      socket.off('error', onError)
      socket.off('close', onClose)
      end()
    }
    const giveUp = (why: string) =>
      finish(() => {
        // What it has to say after this is of no interest.
        socket.on('error', () => undefined)
        socket.destroy()
        reject(connectionFailure(`${host} does not answer (${why})`))
      })
    const onEvent = (value: unknown) => finish(() => resolve(take(value)))
    const onError = (error: NodeJS.ErrnoException) => giveUp(error.code ?? error.message)
    const onClose = () => giveUp('it closed')
    const timer = setTimeout(() => giveUp(`not within ${limits.connectMs} ms`), limits.connectMs)
    socket.once(event, onEvent)
    socket.once('error', onError)
    socket.once('close', onClose)
  })
}
