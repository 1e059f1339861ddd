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
  /**
   * False: behind a pooler that may hand every transaction to another server process. Nothing that a session keeps may be relied on then: no setting, no prepared
   * statement, no lock, no LISTEN.
   */
  readonly isDirect: boolean
  close(): Promise<void>
}

export interface ConnectionOptions {
  readonly hosts: readonly Host[]
  /** Settings of the session, besides those that make its texts mean the same everywhere. */
  readonly settings?: Readonly<Record<string, string>>
  readonly onNotify?: (channel: string, payload: string) => void
}

/** Rejects with `connection` if none of the hosts answers, or the one that does refuses us. */
export async function openConnection({ hosts, settings = {}, onNotify = () => {} }: ConnectionOptions): Promise<Connection> {
  const client = await connectToFirst(hosts)
  client.on('notification', ({ channel, payload }) => onNotify(channel, payload ?? ''))
  const connection = createConnection(client)
  // A pooler makes up the number of the process that it tells its clients: what it has in its place would get the settings of ours, for others to find.
  const isOurs = `pg_backend_pid() = ${processOf(client)}`
  const values = Object.entries({ ...sameEverywhere, ...settings }).map(([name, value]) => `('${name}', '${value}')`)
  const asked = `select ${isOurs} as direct, (select count(set_config(name, value, false)) from (values ${values.join()}) as s (name, value) where ${isOurs}) as set`
  const { error, statements } = await connection.send([simpleQuery(asked)])
  if (!error) return { ...connection, isDirect: statements[0]?.rows[0]?.direct === true }
  await connection.close()
  throw connectionFailure(error.message)
}

/** What the server said at the greeting. Its own type does not name it. */
function processOf(client: Client): number {
  const pid: unknown = Reflect.get(client, 'processID')
  return typeof pid === 'number' ? pid : 0
}

/** A role, a database or a server may have other defaults, and texts of values would then mean something else. */
export const sameEverywhere = { timezone: 'UTC', datestyle: 'ISO, MDY', intervalstyle: 'postgres', extra_float_digits: '1', bytea_output: 'hex' }

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
function createConnection(client: Client): Omit<Connection, 'isDirect'> {
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
