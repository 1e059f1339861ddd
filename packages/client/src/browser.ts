// The real ports of a browser. Nothing here is touched before it is used, so that a server may load the module too.
import { openIndexedDbDisk } from './disk/indexeddb.ts'
import type { Chance, Clock, Network, Note, Ports, Tabs } from './ports.ts'
import { createOpenSocket } from './socket.ts'

export function browserPorts(): Ports {
  const openSocket = createOpenSocket(globalThis.WebSocket, globalThis.fetch, clock)
  // Locks are absent on pages without https, which are for development: each of them takes itself for alone.
  const shared = globalThis.navigator?.locks && tabs
  return { clock, chance, openSocket, network, note, tabs: shared, openDisk: openIndexedDbDisk }
}

/** The address of the page, where there is one. */
export const pageUrl = (): string | undefined => globalThis.location?.href

export const clock: Clock = {
  now: () => Date.now(),
  timer: (afterMs, run) => {
    const timer = setTimeout(run, afterMs)
    return () => clearTimeout(timer)
  },
}

export const chance: Chance = {
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  fraction: () => Math.random(),
}

const listen =
  (...types: readonly string[]) =>
  (run: () => void) => {
    const following = new AbortController()
    for (const type of types) globalThis.addEventListener?.(type, run, { signal: following.signal })
    return () => following.abort()
  }

const network: Network = {
  isOnline: () => globalThis.navigator?.onLine ?? true,
  // A page that is looked at again was maybe frozen.
  onChange: listen('online', 'offline', 'visibilitychange'),
}

const note: Note = {
  read: (start) => Object.entries(globalThis.localStorage ?? {}).filter(([name]) => name.startsWith(start)),
  write: (name, text) => {
    globalThis.localStorage?.[text ? 'setItem' : 'removeItem'](name, text)
  },
  onLeave: listen('pagehide', 'visibilitychange'),
}

const tabs: Tabs = {
  lock: (name, how, onLost) =>
    new Promise((resolve) => {
      const held = (lock: unknown) => (lock ? new Promise<void>(resolve) : resolve(null))
      navigator.locks.request(name, how, held).catch(() => {
        resolve(null)
        onLost()
      })
    }),
  open: (name, onMessage) => {
    const channel = new BroadcastChannel(name)
    channel.onmessage = ({ data }) => onMessage(data)
    return channel
  },
}
