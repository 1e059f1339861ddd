import { type Client, type ClientOptions, createClient, type Eviction, type Ports, type Presence } from '@headwater/client'
import { createMemoryDisks } from '@headwater/client/node'
import type { Can, Mutators, Schema } from '@headwater/schema'
import type { Connection, ConnectionEvents } from '@headwater/server'
import { createLink } from './link.ts'

/** A client of the app, and what can be done to the device that it runs on. */
export type TestDevice<S extends Schema, M extends Mutators<S>> = Client<S, M> & { readonly can: Can<S> } & DeviceControls

export interface DeviceControls {
  /** Takes the network away. What is made from now on waits in the outbox. */
  offline(): void
  /** Gives it back; the device connects by itself. */
  online(): void
  /**
   * Closes the app on this device and opens it again, on the same disk. Resolves as `app.device` does. Queries and mutations of this
   * object go to the client that runs now; live queries, handles and subscriptions of before have ended.
   */
  restart(): Promise<void>
}

export interface DeviceOptions {
  /** Starts without a network. */
  readonly offline?: boolean
  /** What the app's own `authenticate` is to see of this device's requests. */
  readonly headers?: Readonly<Record<string, string>>
  /** As `createClient` takes it. */
  readonly eviction?: Eviction
  /** Who is here, as `createPresence` makes it: one for each device. */
  readonly presence?: Presence
}

/** A device as the app of a test sees it. */
export interface Device<S extends Schema, M extends Mutators<S>> {
  readonly name: string
  /** What the test gets. */
  readonly shown: TestDevice<S, M>
  readonly client: () => Client<S, M>
  readonly isOnline: () => boolean
  readonly frames: () => number
  close(): Promise<void>
}

interface DeviceDeps<S extends Schema, M extends Mutators<S>> {
  readonly name: string
  readonly client: Omit<ClientOptions<S, M>, 'url' | 'ports'>
  readonly ports: Partial<Ports>
  readonly presence: Presence | undefined
  readonly isOnline: boolean
  readonly accept: (connection: Connection) => Promise<ConnectionEvents>
  /** Resolves when the device has started: it has read its disk and, with a network, is level. */
  readonly started: (device: Device<S, M>) => Promise<void>
  readonly onTrouble: (error: unknown) => void
}

export function createDevice<S extends Schema, M extends Mutators<S>>(deps: DeviceDeps<S, M>): Device<S, M> {
  const disks = createMemoryDisks()
  const link = createLink((connection) => (isOnline ? deps.accept(connection) : Promise.reject(new Error('offline'))))
  const listeners = new Set<() => void>()
  let { isOnline } = deps
  let client = open()

  function open(): Client<S, M> {
    const network: Ports['network'] = {
      isOnline: () => isOnline,
      onChange: (run) => {
        listeners.add(run)
        return () => void listeners.delete(run)
      },
    }
    const given = { ...deps.ports, tabs: undefined, openSocket: link.openSocket, network, openDisk: disks.open }
    const opened = createClient({ ...deps.client, url: 'http://test', ports: deps.presence?.ports(given) ?? given })
    opened.onError(deps.onTrouble)
    return opened
  }

  function setOnline(next: boolean): void {
    isOnline = next
    if (!next) link.cut()
    for (const run of [...listeners]) run()
  }

  const controls: DeviceControls = {
    offline: () => setOnline(false),
    online: () => setOnline(true),
    restart: async () => {
      await client.close()
      client = open()
      await deps.started(device)
    },
  }
  // Every member of a client, of the one that runs when it is read.
  const members = Object.keys(client).map((name) => [name, { enumerable: true, get: () => Reflect.get(client, name) }])
  const device: Device<S, M> = {
    name: deps.name,
    // The members of Client, as just defined, beside the controls.
    shown: Object.defineProperties({ ...controls }, Object.fromEntries(members)) as TestDevice<S, M>,
    client: () => client,
    isOnline: () => isOnline,
    frames: link.frames,
    close: () => client.close(),
  }
  return device
}
