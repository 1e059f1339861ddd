// A device of the benchmarks: the real client on the real ports of Node.
import { tmpdir } from 'node:os'
import { createClient, type OpenDisk, type Presence, packedRows } from '@headwater/client'
import { createMemoryDisks, nodePorts } from '@headwater/client/node'
import WebSocket from 'ws'
import { socketsAlone } from '../test/harness/person.ts'
import { type BenchClient, mutators, person, schema } from './app.ts'

export interface DeviceOptions {
  readonly url: string
  /** Default: a disk in memory of its own. */
  readonly openDisk?: OpenDisk
  readonly user?: string
  /** Rows lie packed. */
  readonly isPacked?: boolean
  readonly presence?: Presence
}

export function openDevice({ url, openDisk = createMemoryDisks().open, user = person, isPacked = false, presence }: DeviceOptions): BenchClient {
  const ports = { ...nodePorts({ directory: tmpdir(), WebSocket: socketOf(user), fetch: socketsAlone }), openDisk }
  return createClient({ schema, mutators, url, user, ports: presence?.ports(ports) ?? ports, ...(isPacked && { rows: packedRows() }) })
}

/** A WebSocket that says who it is: the header takes the place of a browser's cookie. */
export const socketOf = (user: string) =>
  function open(url: string) {
    return new WebSocket(url, { headers: { 'x-user': user } })
  }
