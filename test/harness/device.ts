// The real client in this process, as a service would use it.
import { type Client, createClient, type Presence } from '@headwater/client'
import { createMemoryDisks } from '@headwater/client/node'
import type WebSocket from 'ws'
import { mutators, schema } from './app.ts'
import { personPorts } from './person.ts'

export type Device = Client<typeof schema, typeof mutators>

export interface DeviceOptions {
  readonly url: string
  readonly user: string
  /** The same disks again are the same device, restarted. */
  readonly disks?: ReturnType<typeof createMemoryDisks>
  /** Sees every socket that is opened: to cut it, or to read what arrives. */
  readonly onSocket?: (socket: WebSocket) => void
  readonly presence?: Presence
}

export function openDevice({ url, user, disks = createMemoryDisks(), onSocket, presence }: DeviceOptions): Device {
  const ports = { ...personPorts(user, onSocket), openDisk: disks.open }
  return createClient({ schema, mutators, url, user, ports: presence?.ports(ports) ?? ports })
}

/** Resolves when the device is level and nothing is pending. */
export function untilLevel(device: Pick<Device, 'status'>): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      const { phase, pending } = device.status.get()
      if (phase !== 'live' || pending > 0) return
      unsubscribe()
      resolve()
    }
    const unsubscribe = device.status.subscribe(look)
    look()
  })
}
