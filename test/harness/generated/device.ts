// A real device of which everything is kept: what it was sent, and what it held after each checkpoint.
import { createClient } from '@headwater/client'
import { nodePorts } from '@headwater/client/node'
import { type Checkpoint, type Cursor, decodeDown } from '@headwater/protocol'
import type { Schema } from '@headwater/schema'
import WebSocket from 'ws'
import { createMemoryDisks } from '../../../packages/client/src/disk/memory.ts'
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
  const onDemandKinds = new Set(
    Object.values(schema.definitions).flatMap(({ memberships }) => memberships.filter(({ load }) => load === 'onDemand').map(({ kind }) => kind)),
  )
  let granted = new Set<string>()
  let held = new Set<string>()

  class PersonSocket extends WebSocket {
    constructor(address: string) {
      super(address, { headers: { 'x-user': person } })
      sockets.add(this)
      this.on('close', () => sockets.delete(this))
    }
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
    const inner = nodePorts({ directory: '', WebSocket: PersonSocket })
    const ports = {
      ...inner,
      openDisk: disks.open,
      openSocket: (url: string, events: Parameters<typeof inner.openSocket>[1]) =>
        inner.openSocket(url, {
          ...events,
          onMessage: (frame: string) => {
            events.onMessage(frame)
            frames.push(frame)
            const message = decodeDown(frame)
            if (message.type === 'checkpoint') follow(message)
          },
        }),
    }
    return createClient({ schema, url: options.url, user: person, ports })
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
    inUse: () => new Set([...uses].map(({ scope }) => scope).filter((scope) => onDemandKinds.has(scope.slice(0, scope.indexOf(':'))))),
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
