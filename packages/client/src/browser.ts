// The real ports of a browser. Nothing here is touched before it is used, so that a server may load the module too.
import { HeadwaterError } from '@headwater/protocol'
import { openIndexedDbDisk } from './disk/indexeddb.ts'
import type { Chance, Clock, Network, Note, OpenDisk, Ports } from './ports.ts'
import { createOpenSocket } from './socket.ts'

export function browserPorts(): Ports {
  return { clock, chance, openSocket: createOpenSocket(globalThis.WebSocket, globalThis.fetch, clock), network, note, openDisk }
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
  read: (name) => globalThis.localStorage?.getItem(name),
  write: (name, text) => {
    globalThis.localStorage?.[text ? 'setItem' : 'removeItem'](name, text)
  },
  onLeave: listen('pagehide', 'visibilitychange'),
}

/** One tab at a time writes a store: another works in memory, and says so. A page that is being reloaded gives way within the wait. */
const openDisk: OpenDisk = async (name) => {
  const release = await takeLock(name)
  try {
    const disk = await openIndexedDbDisk(name)
    return { ...disk, close: () => disk.close().finally(release) }
  } catch (error) {
    release()
    throw error
  }
}

const lockMsMax = 1_000

function takeLock(name: string): Promise<() => void> {
  const { locks } = globalThis.navigator ?? {}
  // Absent on pages without https, which are for development.
  if (!locks) return Promise.resolve(() => {})
  return new Promise((resolve, reject) => {
    const held = () => new Promise<void>((release) => resolve(() => release()))
    locks.request(name, { signal: AbortSignal.timeout(lockMsMax) }, held).catch(() => {
      reject(new HeadwaterError('disk-blocked', 'It is open in another tab.', 'Reload the page.'))
    })
  })
}
