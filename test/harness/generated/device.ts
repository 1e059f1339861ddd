// A real device of which everything is kept: what it was sent, and what it held after each checkpoint.
import { createClient, type SocketEvents } from '@headwater/client'
import { type Checkpoint, type Cursor, decodeDown, decodeUp } from '@headwater/protocol'
import type { Schema } from '@headwater/schema'
import type WebSocket from 'ws'
import { createMemoryDisks } from '../../../packages/client/src/disk/memory.ts'
import { personPorts } from '../person.ts'
import type { Row } from './past.ts'

/** What was held when a checkpoint had been applied. */
export interface Moment {
  readonly cursor: Cursor
  readonly granted: ReadonlySet<string>
  readonly held: ReadonlySet<string>
  /** null: mutations were pending, so that more was shown than the database has. */
  readonly rows: ReadonlyMap<string, readonly Row[]> | null
}

export interface WatchedDevice {
  readonly person: string
  readonly moments: readonly Moment[]
  readonly frames: readonly string[]
  client(): ReturnType<typeof createClient<Schema>>
  /** Uses a scope, until `restart` or as long as the answer is not called. */
  use(kind: string, key: string): () => void
  inUse(): ReadonlySet<string>
  /** The network goes away under it. */
  cut(): void
  /** Closes and opens again on the same disk. */
  restart(): Promise<void>
  close(): Promise<void>
}

/** By table, what is shown. */
export const rowsOf = (schema: Schema, client: ReturnType<typeof createClient<Schema>>): ReadonlyMap<string, readonly Row[]> =>
  new Map(Object.keys(schema.definitions).map((name) => [name, client.query[name]?.all() ?? []]))

export function watchDevice(options: { readonly schema: Schema; readonly url: string; readonly person: string }): WatchedDevice {
  const { schema, person } = options
  const disks = createMemoryDisks()
  const moments: Moment[] = []
  const frames: string[] = []
  const sockets = new Set<WebSocket>()
  const uses = new Set<{ readonly scope: string }>()
  let granted: Set<string> = new Set()
  let held: Set<string> = new Set()

  const onSocket = (socket: WebSocket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  }

  function follow(checkpoint: Checkpoint): void {
    if (checkpoint.replace) [granted, held] = [new Set(), new Set()]
    for (const scope of checkpoint.left.granted) granted.delete(scope)
    for (const scope of checkpoint.left.held) held.delete(scope)
    for (const scope of checkpoint.joined.granted) granted.add(scope)
    for (const scope of checkpoint.joined.held) held.add(scope)
    moments.push({
      cursor: checkpoint.cursor,
      granted: new Set(granted),
      held: new Set(held),
      rows: client.status.get().pending > 0 ? null : rowsOf(schema, client),
    })
  }

  function open() {
    const inner = personPorts(person, onSocket)
    const ports = {
      ...inner,
      openDisk: disks.open,
      openSocket: (url: string, events: SocketEvents) => {
        // One frame at a time, so that what is held after each can be looked at: a checkpoint is applied within microtasks.
        let before: Promise<void> = Promise.resolve()
        const then = (run: () => void) => {
          before = before.then(async () => {
            run()
            await new Promise((resolve) => setImmediate(resolve))
          })
        }
        const socket = inner.openSocket(url, {
          ...events,
          onMessage: (frame) => {
            frames.push(frame)
            const message = decodeDown(frame)
            then(() => events.onMessage(frame))
            if (message.type === 'checkpoint') then(() => opened === client && follow(message))
          },
          onClose: () => then(events.onClose),
        })
        return {
          ...socket,
          send: (frame: string) => {
            const message = decodeUp(frame)
            // What a device says that it holds is where it goes on from: a checkpoint that came while it closed is not in it.
            if (message.type === 'hello') [granted, held] = [new Set(message.granted), new Set(message.cursor === null ? [] : message.held)]
            if (message.type === 'release') for (const scope of message.scopes) held.delete(scope)
            socket.send(frame)
          },
        }
      },
    }
    const opened = createClient({ schema, url: options.url, user: person, ports })
    return opened
  }

  let client = open()
  return {
    person,
    moments,
    frames,
    client: () => client,
    use: (kind, key) => {
      const handle = client.scope(kind, key)
      const use = { scope: `${kind}:${key}` }
      uses.add(use)
      return () => {
        uses.delete(use)
        handle.release()
      }
    },
    inUse: () => new Set([...uses].map(({ scope }) => scope)),
    cut: () => {
      for (const socket of sockets) socket.terminate()
    },
    restart: async () => {
      await client.close()
      uses.clear()
      client = open()
    },
    close: () => client.close(),
  }
}
