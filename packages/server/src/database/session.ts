// One connection to a PostgreSQL server. postgres.js reconnects by itself, which would carry out the second half of a
// transaction outside of it; here a session has one socket, and when that is lost the session is over.

import type { Socket } from 'node:net'
import { HeadwaterError } from '@headwater/protocol'
import postgres from 'postgres'
import type { SqlRow } from '../ports.ts'
import { connectTo, type SocketOptions, withoutClientSettings } from './address.ts'
import { connectionFailure, sqlFailure } from './failure.ts'
import { limits } from './limits.ts'
import type { BoundText } from './statement.ts'

/** Texts and values have been checked: see statement.ts. */
export interface ServerSession {
  /** A statement, prepared. Several may be sent without waiting in between; they are carried out in order. */
  query(text: string, values: readonly BoundText[]): Promise<readonly SqlRow[]>
  /** Text without parameters, of one or several statements. Answers what kind the last one was, such as COMMIT. */
  command(text: string): Promise<string>
  /** The texts of the first column, piece by piece. What `onRows` throws ends it, and is thrown. */
  stream(text: string, values: readonly BoundText[], onRows: (texts: readonly string[]) => void | Promise<void>): Promise<void>
  /** Runs once, when the session is lost by itself; at once if it is lost already. */
  onLost(run: (error: HeadwaterError) => void): void
  isLost(): boolean
  /** Waits for what was sent. */
  close(): Promise<void>
}

export interface SessionOptions {
  /** A command that the session begins with. The session is lost if it fails. */
  readonly prelude: string
  readonly onNotify?: (channel: string) => void
}

/** Does not connect until something is asked of it. */
export function createServerSession(url: string, { prelude, onNotify = () => {} }: SessionOptions): ServerSession {
  const listeners: ((error: HeadwaterError) => void)[] = []
  const pending = new Set<(error: HeadwaterError) => void>()
  const prepared = new Set<string>()
  let lost: HeadwaterError | null = null
  let hasConnected = false
  let hasBegun = false

  const options = { ...settings, onclose: () => lose(connectionFailure('it was closed')), onnotify: onNotify, socket: openSocket }
  const sql = postgres(withoutClientSettings(url), options)

  async function openSocket(given: SocketOptions): Promise<Socket> {
    try {
      if (hasConnected) throw connectionFailure('a session connects once')
      hasConnected = true
      return await connectTo(given)
    } catch (error) {
      // postgres.js waits for further hosts, which have been tried already.
      lose(failureOf(error))
      throw error
    }
  }

  function lose(error: HeadwaterError): void {
    if (lost) return
    lost = error
    for (const reject of pending) reject(error)
    pending.clear()
    for (const run of listeners.splice(0)) run(error)
  }

  /** Some of what postgres.js has queued when its connection is lost is never answered; it is answered here. */
  function answered<T>(start: () => PromiseLike<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (lost) return reject(lost)
      if (!hasBegun) beginSession()
      pending.add(reject)
      start().then(
        (value) => {
          pending.delete(reject)
          resolve(value)
        },
        (error: unknown) => {
          pending.delete(reject)
          const failure = failureOf(error)
          if (failure.code === 'connection') lose(failure)
          reject(failure)
        },
      )
    })
  }

  /** Not awaited: what follows travels with it. */
  function beginSession(): void {
    hasBegun = true
    sql.unsafe(prelude).catch((error: unknown) => lose(asConnectionFailure(failureOf(error))))
  }

  /** postgres.js keeps every statement it has prepared for as long as the connection lives. */
  function isPrepared(text: string): boolean {
    if (prepared.size < limits.preparedMax) prepared.add(text)
    return prepared.has(text)
  }

  // `simple` is not in the types of postgres.js: without it, a statement without parameters goes another way, which allows several.
  const extended = (text: string) => ({ prepare: isPrepared(text), simple: false })

  async function query(text: string, values: readonly BoundText[]): Promise<readonly SqlRow[]> {
    // A plain array, without what postgres.js adds to it.
    return (await answered(() => sql.unsafe<SqlRow[]>(text, [...values], extended(text)))).slice()
  }

  async function command(text: string): Promise<string> {
    const result: unknown = await answered(() => sql.unsafe(text))
    if (!Array.isArray(result)) throw copyFailure(lose)
    // Several statements answer an array of results; one answers its own, which is an array of rows.
    const last: unknown = Array.isArray(result[0]) ? result.at(-1) : result
    return typeof last === 'object' && last !== null && 'command' in last ? String(last.command) : ''
  }

  async function stream(text: string, values: readonly BoundText[], onRows: (texts: readonly string[]) => void | Promise<void>): Promise<void> {
    const pieces = createPieces(onRows, sql.CLOSE)
    await answered(() =>
      sql
        .unsafe(text, [...values], extended(text))
        .raw()
        .cursor(limits.streamRows, pieces.take),
    )
    await pieces.settled()
  }

  async function close(): Promise<void> {
    if (lost) return
    await sql.end()
    lost = connectionFailure('it was closed')
  }

  return { query, command, stream, onLost: (run) => (lost ? run(lost) : void listeners.push(run)), isLost: () => lost !== null, close }
}

const asIs = (text: string) => text

/** Everything travels as text, and is read as text where JavaScript would lose something. Floats, small integers and booleans are read. */
const types = {
  exact: { to: 25, from: [17, 114, 3802, 1082, 1114, 1184], serialize: asIs, parse: asIs },
  boolean: { to: 16, from: [16], serialize: asIs, parse: (text: string) => text === 't' },
}

const settings = {
  types,
  max: 1,
  connect_timeout: limits.connectMs / 1000,
  idle_timeout: 0,
  max_lifetime: 0,
  max_pipeline: limits.pipelineMax,
  // Asking for the types of arrays would cost a round trip per connection, and parse them.
  fetch_types: false,
  connection: { application_name: 'headwater' },
  onnotice: () => undefined,
} as const

/** A piece is handed over when the one before it has settled. postgres.js awaits all but the last, and loses what the last one throws. */
function createPieces(onRows: (texts: readonly string[]) => void | Promise<void>, end: unknown) {
  let failure: { readonly error: unknown } | null = null
  let last: Promise<void> = Promise.resolve()

  async function hand(rows: readonly (readonly (Buffer | null)[])[]): Promise<void> {
    try {
      await onRows(rows.map(firstText))
    } catch (error) {
      failure = { error }
    }
  }

  return {
    take: async (rows: readonly (readonly (Buffer | null)[])[]): Promise<unknown> => {
      if (failure) return end
      last = hand(rows)
      await last
      return failure ? end : undefined
    },
    settled: async () => {
      await last
      if (failure) throw failure.error
    },
  }
}

function firstText(row: readonly (Buffer | null)[]): string {
  const [first] = row
  if (!first) throw new HeadwaterError('bug', 'The first column of a stream was null.', 'Let the statement answer a text for every row.')
  return first.toString('utf8')
}

/** Nobody here has data for a COPY, or takes it: the session is given up, in the middle of it. */
function copyFailure(lose: (error: HeadwaterError) => void): HeadwaterError {
  lose(connectionFailure('a script began a COPY over the connection'))
  return sqlFailure({ sqlstate: '0A000', message: 'COPY FROM STDIN and COPY TO STDOUT have no place in a script', severity: 'ERROR' })
}

const asConnectionFailure = (failure: HeadwaterError) => (failure.code === 'connection' ? failure : connectionFailure(failure.message))

function failureOf(error: unknown): HeadwaterError {
  if (error instanceof HeadwaterError) return error
  if (error instanceof postgres.PostgresError) {
    const { code, message, severity, hint, constraint_name, table_name, column_name } = error
    return sqlFailure({ sqlstate: code, message, severity, hint, constraint: constraint_name, table: table_name, column: column_name })
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const message = error instanceof Error ? error.message : String(error)
  // Names of the operating system (ECONNREFUSED), of TLS (ERR_TLS_...), and of postgres.js (CONNECTION_CLOSED).
  return /^(E[A-Z_]+|CONNECT\w*|SELF_SIGNED\w*|DEPTH_\w*|UNABLE_\w*|CERT_\w*)$/.test(code)
    ? connectionFailure(message || code)
    : sqlFailure({ sqlstate: 'XX000', message, severity: 'ERROR' })
}
