// A device that is nothing but its connection: it says what it is told to, remembers what it hears, and applies it in the plainest way.
// For what the real client would never do (garbage, old cursors, other people's numbers), and to see every byte that was sent.
import {
  type Checkpoint,
  type Cursor,
  type DeviceId,
  type Down,
  decodeAside,
  decodeDown,
  deviceId,
  encode,
  type Gathered,
  type Json,
  type MutationId,
  mutationId,
  type Outcome,
  protocolVersion,
  type ScopeKey,
  type Up,
  userId,
} from '@headwater/protocol'
import WebSocket from 'ws'

export interface WireDevice {
  readonly id: DeviceId
  /** Every frame that was received, as text. */
  readonly frames: readonly string[]
  readonly messages: readonly Down[]
  /** What was told of presence. */
  readonly gathered: readonly Gathered[]
  readonly outcomes: ReadonlyMap<number, Outcome>
  /** Rows by table and key, as the checkpoints made them. */
  rows(table: string): readonly Readonly<Record<string, Json>>[]
  cursor(): Cursor | null
  send(message: Up): void
  sendText(frame: string | Buffer): void
  hello(over?: Partial<Extract<Up, { type: 'hello' }>>): void
  push(name: string, args: Json, over?: { readonly number?: number; readonly id?: MutationId }): number
  /** Resolves when the condition holds; it is looked at after every message and on close. */
  until(condition: () => boolean, what: string): Promise<void>
  isClosed(): boolean
  close(): void
}

export interface WireOptions {
  readonly url: string
  readonly user: string
  readonly id?: DeviceId
  readonly headers?: Readonly<Record<string, string>>
  /** Key columns by table: how a row is told from another. */
  readonly keys: Readonly<Record<string, readonly string[]>>
  /** Told how many bytes came over the network, with every message. */
  readonly onBytes?: (count: number) => void
  /** Continues what another connection of the same device has. */
  readonly from?: WireDevice
}

const untilMs = 15_000

/** Opens the socket and says hello. */
export async function connectWire(options: WireOptions): Promise<WireDevice> {
  const device = openWire(options)
  await device.until(
    () => device.messages.some((message) => message.type === 'checkpoint' && message.more === false) || device.isClosed(),
    'all that the person holds',
  )
  return device
}

export function openWire({ url, user, id = deviceId(crypto.randomUUID()), headers = {}, keys, from, onBytes }: WireOptions): WireDevice {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/headwater/socket`, { headers: { 'x-user': user, ...headers } })
  const frames: string[] = []
  const messages: Down[] = []
  const gathered: Gathered[] = []
  const outcomes = new Map<number, Outcome>(from?.outcomes)
  const tables = new Map<string, Map<string, Readonly<Record<string, Json>>>>()
  const staged: Extract<Down, { type: 'load' }>[] = []
  const watchers = new Set<() => void>()
  let columns: ReadonlyMap<string, readonly string[]> = new Map()
  let cursor: Cursor | null = from?.cursor() ?? null
  let isClosed = false
  let numbers = Math.max(0, ...outcomes.keys())

  const keyOf = (table: string, row: Readonly<Record<string, Json>>) => JSON.stringify((keys[table] ?? ['id']).map((column) => row[column]))
  const rowOf = (table: string, values: readonly Json[]) => Object.fromEntries((columns.get(table) ?? []).map((column, i) => [column, values[i] ?? null]))
  const tableOf = (name: string) => tables.get(name) ?? tables.set(name, new Map()).get(name) ?? new Map()

  function put(table: string, values: readonly Json[]): void {
    const row = rowOf(table, values)
    tableOf(table).set(keyOf(table, row), row)
  }

  function hear(frame: string): void {
    const message = decodeAside(frame)
    if (message.type === 'presence') gathered.push(message)
    for (const watch of watchers) watch()
  }

  function apply(checkpoint: Checkpoint): void {
    if (checkpoint.replace) tables.clear()
    for (const load of staged) if (checkpoint.loads.includes(load.load)) for (const values of load.rows) put(load.table, values)
    for (const [name, { cleared, gone, put: rows }] of checkpoint.tables) {
      if (cleared) tables.delete(name)
      for (const key of gone) tableOf(name).delete(JSON.stringify(key))
      for (const values of rows) put(name, values)
    }
    for (const outcome of checkpoint.outcomes) outcomes.set(outcome.number, outcome)
    cursor = checkpoint.cursor
  }

  socket.on('open', () => device.hello())
  socket.on('upgrade', ({ socket: network }) => {
    let bytes = network.bytesRead
    socket.on('message', () => {
      onBytes?.(network.bytesRead - bytes)
      bytes = network.bytesRead
    })
  })
  socket.on('message', (data) => {
    frames.push(data.toString())
    if (data.toString().startsWith('{"type":"presence"')) return hear(data.toString())
    const message = decodeDown(data.toString())
    messages.push(message)
    if (message.type === 'welcome') columns = message.columns
    if (message.type === 'load') staged.push(message)
    if (message.type === 'checkpoint') apply(message)
    for (const watch of watchers) watch()
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    isClosed = true
    for (const watch of watchers) watch()
  })

  const nonceOf = () =>
    [...messages, ...(from?.messages ?? [])].reduce<string | null>((nonce, message) => (message.type === 'welcome' ? message.nonce : nonce), null)

  const device: WireDevice = {
    id,
    frames,
    messages,
    gathered,
    outcomes,
    rows: (table) => [...tableOf(table).values()],
    cursor: () => cursor,
    send: (message) => socket.send(encode(message)),
    sendText: (frame) => socket.send(frame),
    hello: (over = {}) => {
      const granted: readonly ScopeKey[] = []
      socket.send(
        encode({
          type: 'hello',
          version: protocolVersion,
          user: userId(user),
          device: id,
          nonce: nonceOf(),
          cursor,
          confirmed: Math.max(0, ...outcomes.keys()),
          granted,
          held: [],
          grants: null,
          mark: null,
          ...over,
        }),
      )
    },
    push: (name, args, over = {}) => {
      const number = over.number ?? ++numbers
      device.send({ type: 'push', mutations: [{ number, id: over.id ?? mutationId(crypto.randomUUID()), name, args, at: '2026-11-21T03:43:43.000000Z' }] })
      return number
    },
    until: (condition, what) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => settle(new Error(`${what} did not come; the last message was ${frames.at(-1)?.slice(0, 300)}`)), untilMs)
        const settle = (error?: Error) => {
          clearTimeout(timer)
          watchers.delete(watch)
          if (error) reject(error)
          else resolve()
        }
        const watch = () => {
          if (condition()) settle()
        }
        watchers.add(watch)
        watch()
      }),
    isClosed: () => isClosed,
    close: () => socket.terminate(),
  }
  return device
}
