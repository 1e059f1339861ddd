// A connection to a PostgreSQL server: its socket, the greeting, and which answer belongs to what was sent.
import type { Socket } from 'node:net'
import { assert, type HeadwaterError } from '@headwater/protocol'
import type { Address } from './address.ts'
import { createAuthentication } from './authenticate.ts'
import { connectionFailure, sqlFailure } from './failure.ts'
import { limits } from './limits.ts'
import { createReader, type Reader } from './reader.ts'
import { nextPiece, openSocket } from './socket.ts'
import { cstring, int16, int32, message, readAnswer, readError, simpleQuery, type Wire, type WireMessage } from './wire.ts'

export interface Connection extends Wire {
  isLost(): boolean
}

export interface ConnectionOptions {
  readonly address: Address
  /** Statements that the session begins with, besides those that make its texts mean the same everywhere. */
  readonly prelude?: string
  readonly onNotify?: (channel: string) => void
}

/** Rejects with `connection` if the server does not answer, or does not let us in. */
export async function openConnection({ address, prelude = '', onNotify = () => {} }: ConnectionOptions): Promise<Connection> {
  const socket = await openSocket(address)
  const reader = createReader(limits.serverMessageBytesMax)
  try {
    await introduce(socket, reader, address)
  } catch (error) {
    socket.destroy()
    throw error
  }
  const connection = createConnection(socket, reader, onNotify)
  const { error } = readAnswer(await connection.send([simpleQuery(`${sameEverywhere}; ${prelude}`)]))
  if (!error) return connection
  await connection.close()
  throw connectionFailure(error.message)
}

/** A role, a database or a server may have other defaults, and texts of values would then mean something else. */
const sameEverywhere = `set timezone = 'UTC'; set datestyle = 'ISO, MDY'; set intervalstyle = 'postgres'; set extra_float_digits = 1; set bytea_output = 'hex'`

interface Expected {
  readonly pieces: Buffer[]
  /** How many ReadyForQuery are still to come. */
  left: number
  readonly resolve: (answer: Buffer) => void
  readonly reject: (error: HeadwaterError) => void
}

function createConnection(socket: Socket, reader: Reader, onNotify: (channel: string) => void): Connection {
  const expected: Expected[] = []
  const listeners: ((error: HeadwaterError) => void)[] = []
  let lost: HeadwaterError | null = null

  function send(messages: readonly Buffer[]): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (lost) return reject(lost)
      expected.push({ pieces: [], left: readiesOf(messages), resolve, reject })
      socket.write(Buffer.concat(messages))
    })
  }

  function receive(message: WireMessage): void {
    if (message.type === 'A') return onNotify(channelOf(message.body))
    if (message.type === 'N' || message.type === 'S') return
    if (message.type === 'E') refuseFatal(message.body)
    const [first] = expected
    if (!first) return
    first.pieces.push(message.whole)
    if (message.type !== 'Z' || --first.left > 0) return
    expected.shift()
    first.resolve(Buffer.concat(first.pieces))
  }

  /** The end of the session says why in its last message. */
  function refuseFatal(body: Buffer): void {
    const fields = readError(body)
    if (fields.severity === 'FATAL' || fields.severity === 'PANIC') lose(sqlFailure(fields))
  }

  function lose(error: HeadwaterError): void {
    if (lost) return
    lost = error
    socket.destroy()
    for (const { reject } of expected.splice(0)) reject(error)
    for (const run of listeners.splice(0)) run(error)
  }

  function read(): void {
    try {
      for (let message = reader.next(); message !== null; message = reader.next()) receive(message)
    } catch (error) {
      lose(connectionFailure(error instanceof Error ? error.message : String(error)))
    }
  }

  socket.on('data', (piece: Buffer) => {
    reader.push(piece)
    read()
  })
  socket.on('error', (error: NodeJS.ErrnoException) => lose(connectionFailure(error.code ?? error.message)))
  socket.on('close', () => lose(connectionFailure('the server closed it')))
  socket.resume()

  async function close(): Promise<void> {
    if (lost) return
    lost = connectionFailure('it was closed here')
    for (const { reject } of expected.splice(0)) reject(lost)
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve())
      socket.end(message('X'))
      socket.destroySoon()
    })
  }

  return { send, onLost: (run) => (lost ? run(lost) : void listeners.push(run)), isLost: () => lost !== null, close }
}

/** Query and Sync are each followed by a ReadyForQuery, whatever becomes of the others. */
function readiesOf(messages: readonly Buffer[]): number {
  const count = messages.filter(([type]) => type === 0x51 || type === 0x53).length
  assert(count > 0, 'what is sent wants an answer')
  return count
}

function channelOf(body: Buffer): string {
  return body.toString('utf8', 4, body.indexOf(0, 4))
}

/** Says who we are, until the server is ready. What it says of itself meanwhile is of no interest. */
async function introduce(socket: Socket, reader: Reader, address: Address): Promise<void> {
  const authentication = createAuthentication(address.user, address.password)
  socket.write(startup(address))
  for (;;) {
    const { type, body } = await nextMessage(socket, reader)
    if (type === 'Z') return
    if (type === 'E') throw sqlFailure({ ...readError(body), severity: 'FATAL' })
    const answer = type === 'R' ? await authentication.answer(body) : null
    if (answer) socket.write(answer)
  }
}

async function nextMessage(socket: Socket, reader: Reader): Promise<WireMessage> {
  for (;;) {
    const next = reader.next()
    if (next) return next
    reader.push(await nextPiece(socket))
  }
}

function startup({ user, database, settings }: Address): Buffer {
  const parameters = Object.entries({ application_name: 'headwater', ...settings, user, database, client_encoding: 'UTF8' })
  const body = Buffer.concat([int16(3), int16(0), ...parameters.flatMap(([name, value]) => [cstring(name), cstring(value)]), Buffer.from([0])])
  return Buffer.concat([int32(body.length + 4), body])
}
