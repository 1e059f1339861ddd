import { randomInt } from 'node:crypto'
import type { Reader } from './reader.ts'
import { cstring, errorResponse, int32, message, protocolFailure, ready } from './wire.ts'

export interface Greeting {
  readonly answer: Buffer
  /** What the client wants of its session; null until it has said so. */
  readonly settings: Settings | null
  readonly isOver: boolean
}
/** Names and values as `set_config` takes them. */
export type Settings = ReadonlyMap<string, string>

const codes = { cancel: 80_877_102, ssl: 80_877_103, gss: 80_877_104, version3: 196_608 }
const nothing = Buffer.alloc(0)

/** Answers what comes before a session: offers of encryption are declined, a cancel request ends the connection, everyone is let in. */
export function greet(reader: Reader, serverVersion: string): Greeting {
  const answers: Buffer[] = []
  for (let bytes = reader.nextStartup(); bytes !== null; bytes = reader.nextStartup()) {
    const code = bytes.length < 8 ? 0 : bytes.readInt32BE(4)
    if (code === codes.cancel) return { answer: nothing, settings: null, isOver: true }
    if (code === codes.ssl || code === codes.gss) {
      answers.push(Buffer.from('N'))
      continue
    }
    if (code >>> 16 !== 3) throw protocolFailure(`protocol ${code} is not spoken here`)
    const asked = parametersOf(bytes.subarray(8))
    const database = asked.get('database') ?? asked.get('user')
    if (asked.has('database') && database !== 'postgres') {
      return { answer: errorResponse('FATAL', '3D000', `there is no database ${database}: the embedded one is named postgres`), settings: null, isOver: true }
    }
    return { answer: Buffer.concat([...answers, ...negotiate(code, asked), welcome(serverVersion, asked)]), settings: settingsOf(asked), isOver: false }
  }
  return { answer: Buffer.concat(answers), settings: null, isOver: false }
}

function parametersOf(bytes: Buffer): ReadonlyMap<string, string> {
  const texts = bytes.toString('utf8').split('\0')
  const parameters = new Map<string, string>()
  for (let i = 0; i + 1 < texts.length && texts[i] !== ''; i += 2) parameters.set(texts[i] ?? '', texts[i + 1] ?? '')
  return parameters
}

/** A newer minor version, and its options, are declined; the client goes on with 3.0. */
function negotiate(code: number, asked: ReadonlyMap<string, string>): Buffer[] {
  const declined = [...asked.keys()].filter((name) => name.startsWith('_pq_.'))
  if (code === codes.version3 && declined.length === 0) return []
  return [message('v', int32(codes.version3), int32(declined.length), ...declined.map(cstring))]
}

function welcome(serverVersion: string, asked: ReadonlyMap<string, string>): Buffer {
  const statuses = {
    server_version: serverVersion,
    server_encoding: 'UTF8',
    client_encoding: asked.get('client_encoding') ?? 'UTF8',
    DateStyle: 'ISO, MDY',
    IntervalStyle: 'postgres',
    TimeZone: asked.get('TimeZone') ?? 'UTC',
    integer_datetimes: 'on',
    standard_conforming_strings: 'on',
    default_transaction_read_only: 'off',
    in_hot_standby: 'off',
    is_superuser: 'on',
    session_authorization: 'postgres',
    application_name: asked.get('application_name') ?? '',
  }
  const status = Object.entries(statuses).map(([name, value]) => message('S', cstring(name), cstring(value)))
  // A key for cancel requests is part of the protocol, although none is followed.
  const key = message('K', int32(process.pid), int32(randomInt(2 ** 31)))
  return Buffer.concat([message('R', int32(0)), ...status, key, ready])
}

/** Everything but who and where is a setting of the session; `options` holds more of them, as `-c name=value`. */
function settingsOf(asked: ReadonlyMap<string, string>): Settings {
  const settings = new Map<string, string>()
  for (const [name, value] of asked) {
    if (name === 'options')
      for (const [, key, given] of value.matchAll(/(?:-c\s*|--)([\w.]+)=((?:\\.|[^\s\\])*)/g)) settings.set(key ?? '', (given ?? '').replace(/\\(.)/g, '$1'))
    else if (!['user', 'database', 'replication'].includes(name) && !name.startsWith('_pq_.')) settings.set(name, value)
  }
  return settings
}
