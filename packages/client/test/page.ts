// A tab for tests: what runs in it from outside comes in tasks, which a test can hold back (the tab is frozen) or drop (it is dead).
import type { Disk, Note, Ports, SocketEvents } from '../src/ports.ts'
import type { MemoryTabs } from '../src/tabs/memory.ts'
import { breathe } from './world.ts'

export interface Page {
  readonly ports: Ports
  /** Its timers, frames, messages and answers of the disk wait. */
  freeze(): void
  /** What waited comes now, in its order, a task at a time. */
  wake(): void
  /** It dies: nothing runs in it any more, its sockets close and its locks are free. */
  kill(): void
  /** It is hidden or goes away. */
  leave(): void
}

export interface PageDeps {
  readonly ports: Ports
  readonly tabs: MemoryTabs
  readonly texts: Map<string, string>
}

export function createPage({ ports, tabs, texts }: PageDeps): Page {
  let isFrozen = false
  let isAsleep = false
  let isDead = false
  const waiting: (() => void)[] = []
  const leaving = new Set<() => void>()
  const sockets = new Set<() => void>()

  function task(run: () => void): void {
    if (isDead) return
    if (isFrozen) waiting.push(run)
    else run()
  }
  const tab = tabs.open((run) => queueMicrotask(() => task(run)))

  /** What waited comes first, each in a task of its own. */
  async function wake(): Promise<void> {
    isAsleep = false
    while (waiting.length > 0 && !isAsleep) {
      waiting.shift()?.()
      await breathe()
    }
    isFrozen = isAsleep
  }

  /** What the disk answers is a task, too. */
  const answered = <T>(answer: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      answer.then(
        (value) => task(() => resolve(value)),
        (error) => task(() => reject(error)),
      )
    })

  const note: Note = {
    read: (start) => [...texts].filter(([of]) => of.startsWith(start)),
    write: (of, text) => void (isDead || (text ? texts.set(of, text) : texts.delete(of))),
    onLeave: (run) => {
      leaving.add(run)
      return () => void leaving.delete(run)
    },
  }

  const wrapped = (disk: Disk): Disk => ({
    read: () => answered(disk.read()),
    news: () => answered(disk.news()),
    append: (...asked) => answered(disk.append(...asked)),
    replace: (...asked) => answered(disk.replace(...asked)),
    wipe: () => answered(disk.wipe()),
    close: () => answered(disk.close()),
  })

  const later = (events: SocketEvents): SocketEvents => ({
    onOpen: () => task(() => events.onOpen()),
    onMessage: (frame) => task(() => events.onMessage(frame)),
    onClose: () => task(() => events.onClose()),
  })

  return {
    ports: {
      ...ports,
      note,
      tabs: tab,
      clock: { now: ports.clock.now, timer: (afterMs, run) => ports.clock.timer(afterMs, () => task(run)) },
      network: { isOnline: ports.network.isOnline, onChange: (run) => ports.network.onChange(() => task(run)) },
      openDisk: async (name) => wrapped(await answered(ports.openDisk(name))),
      openSocket: (url, events) => {
        const socket = ports.openSocket(url, later(events))
        sockets.add(socket.close)
        return { send: (frame) => isDead || socket.send(frame), close: socket.close }
      },
    },
    freeze: () => {
      isAsleep = true
      isFrozen = true
    },
    wake: () => void wake(),
    kill: () => {
      isDead = true
      waiting.length = 0
      tab.kill()
      for (const close of sockets) close()
    },
    leave: () => {
      for (const run of [...leaving]) run()
    },
  }
}
