// A connection to a PostgreSQL server. node-postgres makes it and reads it; what is sent on it, and which answer belongs to what, is ours:
// node-postgres waits for each answer before it sends what is next, and a transaction of ours travels as one.
import { assert, type HeadwaterError } from '@headwater/protocol'
import { Client, type ClientConfig, DatabaseError, type FieldDef, type Submittable } from 'pg'
import type { Host } from './address.ts'
import { connectionFailure, isOver, sqlFailure } from './failure.ts'
import { type Answer, type AnswerBuilder, createAnswer, simpleQuery, type Wire } from './wire.ts'

export interface Connection extends Wire {
  /** Runs once, when it is lost by itself; at once if it is lost already. */
  onLost(run: (error: HeadwaterError) => void): void
  isLost(): boolean
  close(): Promise<void>
}

export interface ConnectionOptions {
  readonly hosts: readonly Host[]
  /** Statements that the session begins with, besides those that make its texts mean the same everywhere. */
  readonly prelude?: string
  readonly onNotify?: (channel: string) => void
}

/** Rejects with `connection` if none of the hosts answers, or the one that does refuses us. */
export async function openConnection({ hosts, prelude = '', onNotify = () => {} }: ConnectionOptions): Promise<Connection> {
  const client = await connectToFirst(hosts)
  client.on('notification', ({ channel }) => onNotify(channel))
  const connection = createConnection(client)
  const { error } = await connection.send([simpleQuery(`${sameEverywhere}; ${prelude}`)])
  if (!error) return connection
  await connection.close()
  throw connectionFailure(error.message)
}

/** A role, a database or a server may have other defaults, and texts of values would then mean something else. */
const sameEverywhere = `set timezone = 'UTC'; set datestyle = 'ISO, MDY'; set intervalstyle = 'postgres'; set extra_float_digits = 1; set bytea_output = 'hex'`

async function connectToFirst(hosts: readonly Host[]): Promise<Client> {
  let failure: unknown
  for (const host of hosts) {
    try {
      return await connectTo(host)
    } catch (error) {
      if (error instanceof DatabaseError) throw sqlFailure({ ...fieldsOf(error), severity: 'FATAL' })
      failure = connectionFailure(`${nameOf(host)} does not answer (${reasonOf(error)})`)
    }
  }
  throw failure
}

const nameOf = ({ config: { host, port } }: Host) => `${host || 'localhost'}:${port ?? 5432}`

async function connectTo({ config, mayBePlain }: Host): Promise<Client> {
  try {
    return await connect(config)
  } catch (error) {
    // node-postgres has no code for it.
    if (!mayBePlain || reasonOf(error) !== 'The server does not support SSL connections') throw error
    return connect({ ...config, ssl: false })
  }
}

async function connect(config: ClientConfig): Promise<Client> {
  const client = new Client(config)
  // Without a listener an error would end the process. The one of connect() is thrown by it.
  client.on('error', () => undefined)
  try {
    return await client.connect()
  } catch (error) {
    client.connection.stream.destroy()
    throw error
  }
}

interface Expected {
  readonly answer: AnswerBuilder
  /** How many ReadyForQuery are still to come. */
  left: number
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: HeadwaterError) => void
}

/**
 * Invariant: while an answer is expected, `reading` is the client's query. Bytes are written at once, whatever is expected already, and the
 * client is given `reading` anew after every ReadyForQuery, which it tells by `drain`: after a failure it does not tell the query itself.
 */
function createConnection(client: Client): Connection {
  const { stream } = client.connection
  const expected: Expected[] = []
  const listeners: ((error: HeadwaterError) => void)[] = []
  let lost: HeadwaterError | null = null

  function send(messages: readonly Buffer[]): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (lost) return reject(lost)
      stream.write(Buffer.concat(messages))
      if (expected.push({ answer: createAnswer(), left: readiesOf(messages), resolve, reject }) === 1) client.query(reading)
    })
  }

  const reading: Reading = {
    // It is written already.
    submit: () => undefined,
    handleRowDescription: ({ fields }) => expected[0]?.answer.columns(fields.map(({ name, dataTypeID }) => ({ name, type: dataTypeID }))),
    handleDataRow: ({ fields }) => expected[0]?.answer.row(fields),
    handleCommandComplete: ({ text }) => expected[0]?.answer.done(text),
    handleEmptyQuery: () => expected[0]?.answer.done(null),
    handlePortalSuspended: () => expected[0]?.answer.done(null),
    // Whatever might be a COPY FROM STDIN is followed by the message that ends it.
    handleCopyInResponse: () => undefined,
    // The data of a COPY TO STDOUT in a script: nobody asked for it.
    handleCopyData: () => undefined,
    handleReadyForQuery: () => undefined,
    handleError: (error) => (error instanceof DatabaseError ? expected[0]?.answer.failed(fieldsOf(error)) : lose(error)),
  }

  function endOfAnswer(): void {
    const [first] = expected
    if (first && --first.left === 0) {
      expected.shift()
      first.resolve(first.answer.read())
    }
    if (expected.length > 0) client.query(reading)
  }

  /** What the server said last is why it ended the session. */
  function lose(error: unknown): void {
    if (lost) return
    const failure = expected[0]?.answer.read().error
    const said = error instanceof DatabaseError ? fieldsOf(error) : failure && isOver(failure) ? failure : null
    lost = said ? sqlFailure({ ...said, severity: 'FATAL' }) : connectionFailure(reasonOf(error))
    stream.destroy()
    for (const { reject } of expected.splice(0)) reject(lost)
    for (const run of listeners.splice(0)) run(lost)
  }

  client.connection.on('parseComplete', () => expected[0]?.answer.parsed())
  client.on('drain', endOfAnswer)
  client.on('error', lose)

  async function close(): Promise<void> {
    if (lost) return
    lost = connectionFailure('it was closed here')
    for (const { reject } of expected.splice(0)) reject(lost)
    const ended = client.end()
    // Once all of it is said. A server that has fallen silent would keep us waiting for its goodbye.
    stream.end(() => stream.destroy())
    await ended
  }

  return { send, onLost: (run) => (lost ? run(lost) : void listeners.push(run)), isLost: () => lost !== null, close }
}

/** What node-postgres tells the query that it carries out. Its types name no more than `submit`. */
interface Reading extends Submittable {
  handleRowDescription(message: { readonly fields: readonly FieldDef[] }): void
  handleDataRow(message: { readonly fields: readonly (string | null)[] }): void
  handleCommandComplete(message: { readonly text: string }): void
  handleEmptyQuery(): void
  handlePortalSuspended(): void
  handleCopyInResponse(): void
  handleCopyData(): void
  handleReadyForQuery(): void
  handleError(error: unknown): void
}

/** Query and Sync are each followed by a ReadyForQuery, whatever becomes of the others. */
function readiesOf(messages: readonly Buffer[]): number {
  const count = messages.filter(([type]) => type === 0x51 || type === 0x53).length
  assert(count > 0, 'what is sent wants an answer')
  return count
}

const fieldsOf = ({ code = 'XX000', message, severity, hint, constraint, table, column }: DatabaseError) => ({
  sqlstate: code,
  message,
  severity,
  hint,
  constraint,
  table,
  column,
})

const reasonOf = (error: unknown) => (error instanceof Error ? ('code' in error && String(error.code)) || error.message : String(error))
