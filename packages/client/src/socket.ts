// Connections as browsers make them: a WebSocket, or plain HTTP where something on the way lets none through.
import type { Clock, OpenSocket, Socket, SocketEvents } from './ports.ts'

/** After so many sockets in a row of which nothing was heard, or one that took this long to fail, a plain connection is tried. */
const silentMax = 2
const silentMs = 5_000
/** After a plain connection that worked, so long no other is tried. */
const plainMs = 600_000

/** What is learnt of the network is remembered for as long as the answer is used. */
export function createOpenSocket(WebSocket: (new (url: string) => WebSocket) | undefined, fetch: typeof globalThis.fetch, clock: Clock): OpenSocket {
  let silent = 0
  let workedAt = Number.NEGATIVE_INFINITY
  return (url, events) => {
    const openedAt = clock.now()
    let isPlain = silent >= silentMax || Math.abs(openedAt - workedAt) < plainMs
    let isHeard = false
    const heard: SocketEvents = {
      ...events,
      onMessage: (frame) => {
        isHeard = true
        events.onMessage(frame)
      },
      onClose: () => {
        if (isPlain) workedAt = isHeard ? clock.now() : Number.NEGATIVE_INFINITY
        // One that is cut off later says nothing of the way there.
        silent = isPlain || isHeard ? 0 : silent + (clock.now() - openedAt < silentMs ? 1 : silentMax)
        events.onClose()
      },
    }
    try {
      if (!isPlain) return openUpgraded(url, heard)
    } catch {
      // There is no WebSocket here, or the page may not open one.
      isPlain = true
    }
    return openPlain(url, heard)
  }

  /** A chunk of its own: most networks let sockets through. */
  function openPlain(url: string, events: SocketEvents): Socket {
    let socket: Socket | null = null
    let isClosed = false
    const end = () => {
      if (!isClosed) events.onClose()
      isClosed = true
    }
    import('./plain.ts').then(({ openPlainWith }) => {
      if (!isClosed) socket = openPlainWith(fetch, clock)(url, events)
    }, end)
    return {
      send: (frame) => socket?.send(frame),
      close: () => (socket ? socket.close() : queueMicrotask(end)),
    }
  }

  function openUpgraded(url: string, events: SocketEvents): Socket {
    // Where there is none, this throws as well.
    const socket = new (WebSocket as typeof globalThis.WebSocket)(url)
    let isClosed = false
    const end = () => {
      if (!isClosed) events.onClose()
      isClosed = true
    }
    socket.onopen = events.onOpen
    socket.onmessage = ({ data }) => {
      if (!isClosed) events.onMessage(String(data))
    }
    socket.onclose = end
    // A close always follows an error.
    socket.onerror = () => {}
    return {
      send: (frame) => {
        if (socket.readyState === openState) socket.send(frame)
      },
      close: () => {
        socket.close()
        // A dead connection would let the close wait for a minute; nothing more is heard of it from here on.
        queueMicrotask(end)
      },
    }
  }
}

/** As the standard numbers it. */
const openState = 1
