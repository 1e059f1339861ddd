// The part of PostgreSQL's wire protocol (version 3) that the embedded database and its gateway speak.
import { assert, type HeadwaterError } from '@headwater/protocol'
import { type ErrorFields, sqlFailure } from './failure.ts'
import type { BoundText } from './statement.ts'

/** One connection to a PostgreSQL, wherever that is. */
export interface Wire {
  /**
   * Sends messages and answers with everything that came back for them, up to the last ReadyForQuery. May be called again before
   * that, and is carried out in order. Rejects with `connection` when the connection is lost, then and from then on.
   */
  send(messages: readonly Buffer[]): Promise<Buffer>
  /** Runs once, when it is lost by itself; at once if it is lost already. */
  onLost(run: (error: HeadwaterError) => void): void
  close(): Promise<void>
}

/** One message: the byte that names it, its body, and all of it as it came. */
export interface WireMessage {
  readonly type: string
  readonly body: Buffer
  readonly whole: Buffer
}

/** What one statement answered. `tag` is null for a portal that has more rows, and for an empty statement. */
export interface StatementAnswer {
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly tag: string | null
}

export interface Answer {
  readonly statements: readonly StatementAnswer[]
  /** The first failure. */
  readonly error: ErrorFields | null
  /** How many Parse messages were carried out, in order. */
  readonly parsed: number
  /** I: idle, T: in a transaction, E: in a failed one; null when nothing asked for it. */
  readonly status: string | null
}

export const message = (type: string, ...parts: readonly Buffer[]): Buffer => {
  const length = parts.reduce((sum, part) => sum + part.length, 4)
  const head = Buffer.allocUnsafe(5)
  head.write(type, 0, 'latin1')
  head.writeInt32BE(length, 1)
  return Buffer.concat([head, ...parts], length + 1)
}

export const simpleQuery = (text: string) => message('Q', cstring(text))
export const parse = (name: string, text: string) => message('P', cstring(name), cstring(text), int16(0))
export const describePortal = (portal: string) => message('D', Buffer.from('P'), cstring(portal))
export const execute = (portal: string, rowsMax: number) => message('E', cstring(portal), int32(rowsMax))
export const closePortal = (portal: string) => message('C', Buffer.from('P'), cstring(portal))
export const closeStatement = (name: string) => message('C', Buffer.from('S'), cstring(name))
export const sync = message('S')
export const flush = message('H')
/**
 * Ends a COPY FROM STDIN that nobody has data for; ignored otherwise. PGlite ends the process's database when it has to wait for
 * data, so this follows everything that might be a COPY.
 */
export const copyFail = message('f', cstring('there is no data for COPY FROM STDIN here'))

/** Tells a client to send the data of a COPY: in text form, of columns that it knows and we do not. */
export const copyInResponse = message('G', Buffer.from([0]), int16(0))
/** Ready for the next query, outside of a transaction. */
export const ready = message('Z', Buffer.from('I'))

/** All values in text form, all answers in text form. */
export function bind(portal: string, name: string, values: readonly BoundText[]): Buffer {
  const parts = [cstring(portal), cstring(name), int16(0), int16(values.length)]
  for (const value of values) {
    if (value === null) {
      parts.push(int32(-1))
      continue
    }
    const bytes = Buffer.from(value)
    parts.push(int32(bytes.length), bytes)
  }
  return message('B', ...parts, int16(0))
}

/** The whole messages at the start of the bytes, in order. */
export function* messagesOf(bytes: Buffer): Generator<WireMessage> {
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 1 + bytes.readInt32BE(at + 1)
    assert(end >= at + 5, 'a message has a length')
    if (end > bytes.length) return
    yield { type: String.fromCharCode(bytes[at] ?? 0), body: bytes.subarray(at + 5, end), whole: bytes.subarray(at, end) }
    at = end
  }
}

/** Reads what the server answered to a run of messages. */
export function readAnswer(bytes: Buffer): Answer {
  const statements: StatementAnswer[] = []
  let columns: readonly ColumnShape[] = []
  let rows: Record<string, unknown>[] = []
  let error: ErrorFields | null = null
  let status: string | null = null
  let parsed = 0
  const done = (tag: string | null) => {
    statements.push({ rows, tag })
    rows = []
  }
  for (const { type, body } of messagesOf(bytes)) {
    if (type === 'D') rows.push(readRow(body, columns))
    else if (type === 'T') columns = readColumns(body)
    else if (type === 'C') done(body.toString('utf8', 0, body.length - 1))
    else if (type === 'I' || type === 's') done(null)
    else if (type === 'E') error ??= readError(body)
    else if (type === 'Z') status = String.fromCharCode(body[0] ?? 0)
    else if (type === '1') parsed++
  }
  return { statements, error, parsed, status }
}

/** The texts of the first column of what one Execute answered. A null has no text, and is a mistake of the statement's author. */
export function readPiece(bytes: Buffer): { readonly texts: readonly string[]; readonly hasMore: boolean; readonly error: ErrorFields | null } {
  const texts: string[] = []
  let hasMore = false
  let error: ErrorFields | null = null
  for (const { type, body } of messagesOf(bytes)) {
    if (type === 'D') texts.push(readFirst(body))
    else if (type === 's') hasMore = true
    else if (type === 'E') error ??= readError(body)
  }
  return { texts, hasMore, error }
}

function readFirst(body: Buffer): string {
  const length = body.readInt32BE(2)
  assert(length >= 0, 'the first column of a stream is never null')
  return body.toString('utf8', 6, 6 + length)
}

interface ColumnShape {
  readonly name: string
  readonly read: (text: string) => unknown
}

function readColumns(body: Buffer): readonly ColumnShape[] {
  const columns: ColumnShape[] = []
  for (let at = 2; at < body.length; ) {
    const end = body.indexOf(0, at)
    columns.push({ name: body.toString('utf8', at, end), read: readers.get(body.readInt32BE(end + 7)) ?? asText })
    at = end + 19
  }
  return columns
}

function readRow(body: Buffer, columns: readonly ColumnShape[]): Record<string, unknown> {
  const row: Record<string, unknown> = {}
  let at = 2
  for (const { name, read } of columns) {
    const length = body.readInt32BE(at)
    at += 4
    row[name] = length < 0 ? null : read(body.toString('utf8', at, at + length))
    if (length > 0) at += length
  }
  return row
}

const asText = (text: string) => text
const asBoolean = (text: string) => text === 't'

/** What a value is read as, by the oid of its type: what JavaScript holds exactly, and text for everything else. */
export const readers: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [16, asBoolean],
  [21, Number],
  [23, Number],
  [26, Number],
  [700, Number],
  [701, Number],
])

export function readError(body: Buffer): ErrorFields {
  const fields = new Map<string, string>()
  for (let at = 0; at < body.length && body[at] !== 0; ) {
    const end = body.indexOf(0, at)
    fields.set(String.fromCharCode(body[at] ?? 0), body.toString('utf8', at + 1, end))
    at = end + 1
  }
  return {
    sqlstate: fields.get('C') ?? 'XX000',
    message: fields.get('M') ?? 'no message',
    severity: fields.get('V') ?? fields.get('S'),
    hint: fields.get('H'),
    constraint: fields.get('n'),
    table: fields.get('t'),
    column: fields.get('c'),
  }
}

/** An error as a server says it. */
export const errorResponse = (severity: 'ERROR' | 'FATAL', sqlstate: string, text: string) =>
  message('E', ...[`S${severity}`, `V${severity}`, `C${sqlstate}`, `M${text}`].map(cstring), Buffer.from([0]))

export function cstring(text: string): Buffer {
  return Buffer.from(`${text}\0`)
}

export function int16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2)
  bytes.writeUInt16BE(value)
  return bytes
}

export function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** A client that does not keep to the protocol loses its session. */
export const protocolFailure = (what: string) => sqlFailure({ sqlstate: '08P01', message: what, severity: 'FATAL' })
