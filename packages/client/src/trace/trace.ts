// The trace of a device: what its sync said and heard, and when, in lines that a person reads. It stands between the engine and its ports, so
// that one without a trace has nothing of it.
import { asError, type Down, decodeAside, decodeDown, decodeUp, type Gathered } from '@headwater/protocol'
import type { Client, SetAside, Status } from '../api.ts'
import { browserPorts } from '../browser.ts'
import type { Disk, OpenSocket, Ports } from '../ports.ts'
import { createHeld, type HeldScope } from './held.ts'
import { type TraceKind, type Words, wordsOfDown, wordsOfUp } from './words.ts'

export interface TraceEntry extends Words {
  /** Milliseconds since 1970, by this device's clock. */
  readonly at: number
  /** Of the message or the records, in characters: at most that many bytes fewer than in UTF-8. 0: none. */
  readonly characters: number
  /** What it took: the device to take it in, the disk to write it, the connection to be made, the answer to come. null: it is a moment. */
  readonly ms: number | null
}

export interface TraceOptions {
  /** Only these. Default: all but `ping` and `presence`. */
  readonly kinds?: readonly TraceKind[]
  /** So many of the latest are kept. Default: 1,000. */
  readonly entriesMax?: number
  /** Gets each line as it is written: `console.debug`, for example. */
  readonly print?: (line: string) => void
}

/** What a device holds and does, as plain data. Nothing of it is a value of a row or an argument of a mutation; scopes are named with their keys. */
export interface Inspected {
  readonly status: Status
  readonly cursor: string | null
  readonly scopes: readonly HeldScope[]
  /** How many rows are shown, by table. */
  readonly rows: Readonly<Record<string, number>>
  readonly pending: readonly { readonly id: string; readonly name: string; readonly state: string; readonly at: string }[]
  readonly setAside: readonly Pick<SetAside, 'id' | 'name' | 'code' | 'at'>[]
  /** Since the start, in characters. */
  readonly characters: { readonly sent: number; readonly heard: number; readonly read: number; readonly written: number }
  /** How many connections were made, and how many of them opened. */
  readonly connections: { readonly made: number; readonly opened: number }
}

export interface Trace {
  /** The ports to give to `createClient`: a browser's, or those that are given. One trace is for one client. */
  ports(ports?: Partial<Ports>): Ports
  /** The latest, oldest first. */
  entries(): readonly TraceEntry[]
  /** The same, a line for each. */
  text(): string
  // biome-ignore lint/suspicious/noExplicitAny: whichever app's client it is
  inspect(client: Client<any, any>): Inspected
}

/**
 * A trace, which is passed in with the ports. Without one nothing is kept, and nothing of it is loaded.
 *
 *     const trace = createTrace({ print: console.debug })
 *     const client = createClient({ schema, mutators, url: '/', user, ports: trace.ports() })
 */
export function createTrace({ kinds, entriesMax = 1_000, print }: TraceOptions = {}): Trace {
  const entries: TraceEntry[] = []
  const held = createHeld()
  const characters = { sent: 0, heard: 0, read: 0, written: 0 }
  const connections = { made: 0, opened: 0 }
  let now = () => 0

  function write({ kind, text }: Words, size = 0, ms: number | null = null): void {
    if (kinds ? !kinds.includes(kind) : kind === 'ping' || kind === 'presence') return
    const entry = { at: now(), kind, text, characters: size, ms }
    entries.push(entry)
    if (entries.length > entriesMax) entries.shift()
    print?.(lineOf(entry))
  }

  const traced =
    (open: OpenSocket): OpenSocket =>
    (url, events) => {
      const openedAt = now()
      let askedAt = openedAt
      connections.made++
      write({ kind: 'connection', text: `connects to ${new URL(url).host}` })
      const socket = open(url, {
        onOpen: () => {
          connections.opened++
          write({ kind: 'connection', text: 'is connected' }, 0, now() - openedAt)
          events.onOpen()
        },
        onMessage: (frame) => {
          characters.heard += frame.length
          const beganAt = now()
          events.onMessage(frame)
          const words = described(frame, decodeAny, wordsOfDown, (message) => message.type === 'presence' || held.down(message))
          write(words, frame.length, words.kind === 'ping' ? beganAt - askedAt : now() - beganAt)
        },
        onClose: () => {
          write({ kind: 'connection', text: 'the connection is over' }, 0, now() - openedAt)
          events.onClose()
        },
      })
      return {
        ...socket,
        send: (frame) => {
          characters.sent += frame.length
          const words = described(frame, decodeUp, wordsOfUp, held.up)
          if (words.kind === 'ping') askedAt = now()
          write(words, frame.length)
          socket.send(frame)
        },
      }
    }

  function tracedDisk(disk: Disk): Disk {
    async function timed<T>(text: string, work: () => Promise<T>, sizeOf: (done: T) => number): Promise<T> {
      const beganAt = now()
      try {
        const done = await work()
        write({ kind: 'disk', text }, sizeOf(done), now() - beganAt)
        return done
      } catch (error) {
        write({ kind: 'disk', text: `${text}: ${asError(error, 'disk').code}` }, 0, now() - beganAt)
        throw error
      }
    }
    const written = (records: readonly string[]) => {
      const size = sizeOf(records)
      characters.written += size
      return size
    }
    return {
      ...disk,
      read: () =>
        timed('reads all records', disk.read, (records) => {
          characters.read += sizeOf(records)
          return sizeOf(records)
        }),
      append: (records, options) =>
        timed(
          `writes ${records.length} records${options.strict ? ' for good' : ''}`,
          () => disk.append(records, options),
          () => written(records),
        ),
      replace: (records) =>
        timed(
          'writes all anew',
          () => disk.replace(records),
          () => written(records),
        ),
    }
  }

  return {
    ports: (given = {}) => {
      const ports = { ...browserPorts(), ...given }
      now = ports.clock.now
      return { ...ports, openSocket: traced(ports.openSocket), openDisk: async (name) => tracedDisk(await ports.openDisk(name)) }
    },
    entries: () => [...entries],
    text: () => entries.map(lineOf).join('\n'),
    inspect: (client) => ({
      status: client.status.get(),
      cursor: held.cursor(),
      scopes: held.scopes(),
      rows: Object.fromEntries(Object.entries(client.query).map(([table, query]) => [table, query.all().length])),
      pending: client.pending.get().map((one) => ({ id: one.id, name: one.name, state: one.state(), at: one.at })),
      setAside: client.setAside.list().map(({ id, name, code, at }) => ({ id, name, code, at })),
      characters: { ...characters },
      connections: { ...connections },
    }),
  }
}

/** Frames of presence are heard where it stands between this and the network. */
const decodeAny = (frame: string): Down | Gathered => {
  const aside = frame.startsWith('{"type":"presence"') ? decodeAside(frame) : null
  return aside?.type === 'presence' ? aside : decodeDown(frame)
}

/** What cannot be read is said to be that: the engine finds out by itself. */
function described<M>(frame: string, decode: (frame: string) => M, wordsOf: (message: M) => Words, follow: (message: M) => unknown): Words {
  try {
    const message = decode(frame)
    follow(message)
    return wordsOf(message)
  } catch {
    return { kind: 'connection', text: 'a message that cannot be understood' }
  }
}

const lineOf = ({ at, kind, text, characters, ms }: TraceEntry) =>
  [
    new Date(at).toISOString().slice(11, 23),
    kind.padEnd(10),
    text,
    ...(characters > 0 ? [`${characters} characters`] : []),
    ...(ms === null ? [] : [`${ms} ms`]),
  ].join('  ')

const sizeOf = (records: readonly string[]) => records.reduce((sum, { length }) => sum + length, 0)
