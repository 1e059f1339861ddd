// The ports of a service or a test in Node.
import { chance, clock } from './browser.ts'
import { createFileDisks } from './disk/file.ts'
import type { Ports } from './ports.ts'
import { createOpenSocket } from './socket.ts'

export { createMemoryDisks, type MemoryDisks } from './disk/memory.ts'
export { createMemoryTabs, type MemoryTab, type MemoryTabs } from './tabs/memory.ts'
export { breathe, createTestClock, type TestClock } from './testClock.ts'

export interface NodeOptions {
  /** Where stores lie, one file each. It is made if it is not there. */
  readonly directory: string
  /** A WebSocket as browsers have it. Node 20 has none: pass the one of the package `ws`. */
  readonly WebSocket?: unknown
  /** For networks that let no sockets through: what sends the credential that the sockets send. Default: the global one. */
  readonly fetch?: typeof globalThis.fetch
}

export function nodePorts({ directory, WebSocket = globalThis.WebSocket, fetch = globalThis.fetch }: NodeOptions): Ports {
  return {
    clock,
    chance: { ...chance, bytes: createBytes() },
    // `ws` and Node's own have the members of a browser's WebSocket that createOpenSocket uses.
    openSocket: createOpenSocket(WebSocket as typeof globalThis.WebSocket | undefined, fetch, clock),
    network: { isOnline: () => true, onChange: () => () => {} },
    note: undefined,
    tabs: undefined,
    openDisk: createFileDisks(directory),
  }
}

/** The ports of a client that only renders a page on a server: it reaches no disk and no network, and nothing of it stays when the page is made. */
export function pagePorts(): Ports {
  return {
    clock,
    chance,
    openSocket: () => ({ send: () => {}, close: () => {} }),
    network: { isOnline: () => false, onChange: () => () => {} },
    note: undefined,
    tabs: undefined,
    // It never starts.
    openDisk: () => new Promise(() => {}),
  }
}

const poolBytes = 4_096

/** Random bytes from a pool: asking the system each time would be a third of what a mutation costs a device. None is handed out twice. */
function createBytes(): (length: number) => Uint8Array {
  let pool: Uint8Array = new Uint8Array()
  return (length) => {
    if (length > pool.length) pool = chance.bytes(Math.max(length, poolBytes))
    const bytes = pool.slice(0, length)
    pool = pool.subarray(length)
    return bytes
  }
}
