// A world for tests: a clock that is moved by hand, chance from a seed, a network that delivers frames by that clock, and disks in memory.
// What is fetched on need is fetched before a test begins: its clock does not wait for it.
import '../src/later.ts'
import '../src/tabs/tabs.ts'
import type { HeadwaterError } from '@headwater/protocol'
import { createMemoryDisks } from '../src/disk/memory.ts'
import type { Ports, SocketEvents } from '../src/ports.ts'
import { breathe, createTestClock, type TestClock } from '../src/testClock.ts'

export { breathe }

export const createClock = (startMs = 1_700_000_000_000): TestClock => createTestClock(startMs)

/** mulberry32: small, and good enough to find what a test looks for. */
export function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** The other end of a device's socket. */
export interface Accepted {
  send(frame: string): void
  close(): void
}
export interface AcceptedEvents {
  onMessage(frame: string): void
  onClose(): void
}

export interface TestNetwork {
  /** False: no socket opens, and open ones break. */
  setOnline(isOnline: boolean): void
  /** Breaks the open sockets; the next ones open. */
  cut(): void
  /** What reached devices and servers, in order. */
  readonly frames: { readonly to: 'server' | 'device'; readonly frame: string }[]
  /** Replaces what a device gets; null drops it. */
  tamper: (frame: string) => readonly string[]
  readonly opened: { count: number }
}

export interface World {
  readonly clock: TestClock
  readonly network: TestNetwork
  readonly disks: ReturnType<typeof createMemoryDisks>
  readonly errors: HeadwaterError[]
  ports(seed?: number): Ports
}

export const latencyMs = 5

export function createWorld(
  accept: (device: Accepted) => AcceptedEvents,
  clock = createClock(),
  { isShared = false }: { readonly isShared?: boolean } = {},
): World {
  const disks = createMemoryDisks({ isShared })
  const links = new Set<{ cut: () => void }>()
  const listeners = new Set<() => void>()
  let isOnline = true
  const network: TestNetwork = {
    setOnline: (next) => {
      isOnline = next
      if (!next) network.cut()
      for (const run of [...listeners]) run()
    },
    cut: () => {
      for (const link of [...links]) link.cut()
    },
    frames: [],
    tamper: (frame) => [frame],
    opened: { count: 0 },
  }

  function open(events: SocketEvents) {
    let isOpen = true
    let server: AcceptedEvents | null = null
    network.opened.count++
    const later = (run: () => void) => clock.timer(latencyMs, run)
    const end = () => {
      if (!isOpen) return
      isOpen = false
      links.delete(link)
      server?.onClose()
      clock.timer(0, () => events.onClose())
    }
    const link = { cut: end }
    links.add(link)
    const accepted: Accepted = {
      send: (frame) => {
        for (const sent of network.tamper(frame)) {
          later(() => {
            if (!isOpen) return
            network.frames.push({ to: 'device', frame: sent })
            events.onMessage(sent)
          })
        }
      },
      close: () => later(end),
    }
    later(() => {
      if (!isOpen) return
      if (!isOnline) return end()
      server = accept(accepted)
      events.onOpen()
    })
    return {
      send: (frame: string) => {
        later(() => {
          if (!isOpen) return
          network.frames.push({ to: 'server', frame })
          server?.onMessage(frame)
        })
      },
      close: end,
    }
  }

  return {
    clock,
    network,
    disks,
    errors: [],
    ports: (seed = 1) => {
      const random = createRandom(seed)
      return {
        clock,
        chance: { bytes: (length) => Uint8Array.from({ length }, () => Math.floor(random() * 256)), fraction: random },
        openSocket: (_, events) => open(events),
        network: {
          isOnline: () => isOnline,
          onChange: (run) => {
            listeners.add(run)
            return () => void listeners.delete(run)
          },
        },
        openDisk: disks.open,
        tabs: undefined,
      }
    },
  }
}
