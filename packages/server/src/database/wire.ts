// The part of PostgreSQL's wire protocol (version 3) that our sessions, the embedded database and its gateway speak.
import { assert } from '@headwater/protocol'
import { type ErrorFields, sqlFailure } from './failure.ts'
import type { BoundText } from './statement.ts'

/** What a session speaks to, wherever that is. */
export interface Wire {
  /**
   * Sends messages, of which the last one wants an answer, and answers with everything that came back for them. May be called again before
   * that, and is carried out in order. Rejects with `connection` when the connection is lost, then and from then on.
   */
  send(messages: readonly Buffer[]): Promise<Answer>
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
  /** The first value of each row that came without a description: of a portal that was not described. */
  readonly texts: readonly (string | null)[]
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
  const answer = createAnswer()
  for (const { type, body } of messagesOf(bytes)) {
    if (type === 'D') answer.row(readValues(body))
    else if (type === 'T') answer.columns(readColumns(body))
    else if (type === 'C') answer.done(body.toString('utf8', 0, body.length - 1))
    else if (type === 'I' || type === 's') answer.done(null)
    else if (type === 'E') answer.failed(readError(body))
    else if (type === 'Z') answer.ready(String.fromCharCode(body[0] ?? 0))
    else if (type === '1') answer.parsed()
  }
  return answer.read()
}

/** An answer, put together from what comes, in the order in which it comes. */
export interface AnswerBuilder {
  columns(columns: readonly Column[]): void
  row(values: readonly (string | null)[]): void
  /** The end of a statement's answer; null for a portal that has more rows, and for an empty statement. */
  done(tag: string | null): void
  failed(fields: ErrorFields): void
  parsed(): void
  ready(status: string): void
  read(): Answer
}

export interface Column {
  readonly name: string
  /** The oid of its type. */
  readonly type: number
}

export function createAnswer(): AnswerBuilder {
  const statements: StatementAnswer[] = []
  const texts: (string | null)[] = []
  let shape: readonly ColumnShape[] | null = null
  let rows: Record<string, unknown>[] = []
  let error: ErrorFields | null = null
  let status: string | null = null
  let parsed = 0

  return {
    columns: (columns) => {
      shape = columns.map(({ name, type }) => ({ name, read: readers.get(type) ?? asText }))
    },
    row: (values) => void (shape ? rows.push(rowOf(values, shape)) : texts.push(values[0] ?? null)),
    done: (tag) => {
      statements.push({ rows, tag })
      rows = []
    },
    failed: (fields) => {
      error ??= fields
    },
    parsed: () => void parsed++,
    ready: (given) => {
      status = given
    },
    read: () => ({ statements, texts, error, parsed, status }),
  }
}

interface ColumnShape {
  readonly name: string
  readonly read: (text: string) => unknown
}

function rowOf(values: readonly (string | null)[], shape: readonly ColumnShape[]): Record<string, unknown> {
  const row: Record<string, unknown> = {}
  for (let i = 0; i < shape.length; i++) {
    const column = shape[i]
    const value = values[i] ?? null
    if (column) row[column.name] = value === null ? null : column.read(value)
  }
  return row
}

function readColumns(body: Buffer): readonly Column[] {
  const columns: Column[] = []
  for (let at = 2; at < body.length; ) {
    const end = body.indexOf(0, at)
    columns.push({ name: body.toString('utf8', at, end), type: body.readInt32BE(end + 7) })
    at = end + 19
  }
  return columns
}

function readValues(body: Buffer): readonly (string | null)[] {
  const values: (string | null)[] = []
  for (let at = 2; at < body.length; ) {
    const length = body.readInt32BE(at)
    at += 4
    values.push(length < 0 ? null : body.toString('utf8', at, at + length))
    if (length > 0) at += length
  }
  return values
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
