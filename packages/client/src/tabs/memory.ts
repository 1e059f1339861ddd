// Tabs for tests and the simulation: what a browser's tabs have in common, in one process.
import type { Tabs } from '../ports.ts'

export interface MemoryTabs {
  /** A tab of its own. `onTask` gets what runs in it from outside, one task at a time: it may run it later, in order, or never. */
  open(onTask?: (run: () => void) => void): MemoryTab
}

export interface MemoryTab extends Tabs {
  /** It dies now: its locks are free, and it hears and says nothing more. */
  kill(): void
}

interface Request {
  readonly tab: MemoryTab
  readonly granted: () => void
  readonly lost: () => void
}

export function createMemoryTabs(): MemoryTabs {
  // Who has a lock, and who waits for it.
  const holders = new Map<string, Request>()
  const queues = new Map<string, Request[]>()
  const channels = new Set<{ readonly tab: MemoryTab; readonly name: string; readonly hear: (message: string) => void }>()

  function grant(name: string, request: Request): void {
    holders.set(name, request)
    request.granted()
  }

  function free(name: string, request: Request): void {
    if (holders.get(name) !== request) return
    holders.delete(name)
    const next = queues.get(name)?.shift()
    if (next) grant(name, next)
  }

  return {
    open: (onTask = (run) => queueMicrotask(run)) => {
      let isDead = false
      const task = (run: () => void) => onTask(() => isDead || run())
      const tab: MemoryTab = {
        lock: (name, how, onLost) =>
          new Promise((resolve) => {
            if (isDead) return
            const request: Request = { tab, granted: () => task(() => resolve(() => free(name, request))), lost: () => task(onLost) }
            const holder = holders.get(name)
            if (holder && how.ifAvailable) return task(() => resolve(null))
            if (holder && !how.steal) return void queues.set(name, [...(queues.get(name) ?? []), request])
            holder?.lost()
            grant(name, request)
          }),
        open: (name, onMessage) => {
          const channel = { tab, name, hear: (message: string) => task(() => channels.has(channel) && onMessage(message)) }
          channels.add(channel)
          return {
            postMessage: (message) => {
              if (isDead) return
              for (const other of channels) if (other !== channel && other.name === name) other.hear(message)
            },
            close: () => void channels.delete(channel),
          }
        },
        kill: () => {
          isDead = true
          for (const channel of channels) if (channel.tab === tab) channels.delete(channel)
          for (const [name, queue] of queues)
            queues.set(
              name,
              queue.filter((request) => request.tab !== tab),
            )
          for (const [name, request] of holders) if (request.tab === tab) free(name, request)
        },
      }
      return tab
    },
  }
}
