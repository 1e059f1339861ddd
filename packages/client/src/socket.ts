// Connections as browsers make them: a WebSocket, and where nothing comes through those, whatever plain.ts finds.
import type { Clock, OpenSocket } from './ports.ts'

export function createOpenSocket(WebSocket: (new (url: string) => WebSocket) | undefined, fetch: typeof globalThis.fetch, clock: Clock): OpenSocket {
  // How many sockets in a row nothing was heard of.
  let silent = 0
  let open = openUpgraded

  function openUpgraded(url: string, events: Parameters<OpenSocket>[1]): ReturnType<OpenSocket> {
    let isHeard = false
    let isClosed = false
    let socket: WebSocket | undefined
    const end = () => {
      if (isClosed) return
      isClosed = true
      silent = isHeard ? 0 : silent + 1
      // After two in a row there is another way to try. A chunk of its own: most networks let sockets through. Without it, they are tried on.
      if (silent > 1 && open === openUpgraded)
        import('./plain.ts').then(
          (chunk) => {
            open = chunk.createRoads(openUpgraded, fetch, clock)
          },
          () => {},
        )
      events.onClose()
    }
    try {
      // Where there is none, this throws as well.
      socket = new (WebSocket as typeof globalThis.WebSocket)(url)
      socket.onopen = events.onOpen
      socket.onmessage = ({ data }) => {
        isHeard = true
        if (!isClosed) events.onMessage(String(data))
      }
      socket.onclose = end
      // A close always follows an error.
      socket.onerror = () => {}
    } catch {
      queueMicrotask(end)
    }
    return {
      send: (frame) => {
        // 1: open.
        if (socket?.readyState === 1) socket.send(frame)
      },
      close: () => {
        socket?.close()
        // A dead connection would let the close wait for a minute; nothing more is heard of it from here on.
        queueMicrotask(end)
      },
    }
  }

  return (url, events) => open(url, events)
}
