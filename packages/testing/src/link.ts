// A device and a server in one process: the ports of both, and nothing in between but the turns of the event loop.
import { AsyncResource } from 'node:async_hooks'
import type { OpenSocket } from '@headwater/client'
import type { Connection, ConnectionEvents } from '@headwater/server'

export interface Link {
  readonly openSocket: OpenSocket
  /** Breaks what is open. */
  cut(): void
  /** Frames that have arrived so far, both ways. */
  frames(): number
}

/** Frames arrive whole, in order and never inside the call that sends them, as from a network. `accept` takes a new connection, or rejects. */
export function createLink(accept: (connection: Connection) => Promise<ConnectionEvents>): Link {
  // What one end does on hearing a frame is not part of what the other was doing when it sent it, such as a transaction.
  const apart = new AsyncResource('HeadwaterLink')
  const later = (run: () => void) => queueMicrotask(() => apart.runInAsyncScope(run))
  const open = new Set<() => void>()
  let frames = 0

  const openSocket: OpenSocket = (_, events) => {
    let isOpen = true
    let server: ConnectionEvents | null = null
    const end = () => {
      if (!isOpen) return
      isOpen = false
      open.delete(end)
      server?.onClose()
      later(events.onClose)
    }
    const arrive = (run: () => void) =>
      later(() => {
        if (!isOpen) return
        frames++
        run()
      })
    const accepted = (answer: ConnectionEvents) => {
      if (!isOpen) return answer.onClose()
      server = answer
      events.onOpen()
    }
    open.add(end)
    accept({ send: (frame) => arrive(() => events.onMessage(String(frame))), bufferedBytes: () => 0, close: () => later(end), destroy: end }).then(
      accepted,
      end,
    )
    return { send: (frame) => arrive(() => server?.onMessage(frame)), close: end }
  }

  return {
    openSocket,
    cut: () => {
      for (const end of [...open]) end()
    },
    frames: () => frames,
  }
}
