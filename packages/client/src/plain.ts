// Frames over plain HTTP, for a network that refuses upgrades: one request whose answer does not end brings them down, short ones take them
// up. What is said first goes along with the request that opens it.
//
// Invariant: requests up are numbered and go one at a time. So frames arrive in their order, and once, though a request may be repeated.
import type { Clock, OpenSocket, Socket, SocketEvents } from './ports.ts'

/** A request up is tried so often: one that a server beside ours got may find ours the next time. */
const triesMax = 6
const pauseMs = 100
/** About what goes up in one request, in characters: a message of the largest size at least. */
const charactersMax = 1_048_576
/** The largest message that comes down. */
const eventCharactersMax = 16_777_216
/** The server's first word is here by then. */
const openMsMax = 10_000

/** After so many sockets in a row of which nothing was heard, or one that took this long to fail, the next connection is a plain one. */
const silentMax = 2
const silentMs = 5_000
/** While a plain connection lives, sockets are asked after once it is settled, and again after so long. */
const settledMs = 5_000
const askAgainMs = 600_000

/**
 * Of either kind, as the network lets them through. It begins where sockets have just failed, and what is learnt is remembered while the page is
 * open. Sockets may have failed because the server was away: so a plain connection that works asks for one, and gives way where it is answered.
 */
export function createRoads(openUpgraded: OpenSocket, fetch: typeof globalThis.fetch, clock: Clock): OpenSocket {
  const openPlain = openPlainWith(fetch, clock)
  let silent = silentMax

  function upgraded(url: string, events: SocketEvents): Socket {
    const openedAt = clock.now()
    let isHeard = false
    return openUpgraded(url, {
      ...events,
      onMessage: (frame) => {
        isHeard = true
        events.onMessage(frame)
      },
      onClose: () => {
        // One that is cut off later says nothing of the way there.
        silent = isHeard ? 0 : silent + (clock.now() - openedAt < silentMs ? 1 : silentMax)
        events.onClose()
      },
    })
  }

  function plain(url: string, events: SocketEvents): Socket {
    let isHeard = false
    let probe: Socket | null = null
    let cancel = () => {}
    const askAfter = (ms: number) => {
      cancel = clock.timer(ms, () => {
        probe?.close()
        askAfter(askAgainMs)
        const asked = openUpgraded(url, {
          // A server answers it before any greeting.
          onOpen: () => asked.send('{"type":"ping"}'),
          onMessage: () => {
            silent = 0
            socket.close()
          },
          onClose: () => {},
        })
        probe = asked
      })
    }
    const socket = openPlain(url, {
      ...events,
      onMessage: (frame) => {
        if (!isHeard) askAfter(settledMs)
        isHeard = true
        events.onMessage(frame)
      },
      onClose: () => {
        cancel()
        probe?.close()
        // Where neither is heard of, they take turns.
        if (!isHeard) silent = silentMax - 1
        events.onClose()
      },
    })
    return socket
  }

  return (url, events) => (silent >= silentMax ? plain : upgraded)(url, events)
}

export function openPlainWith(fetch: typeof globalThis.fetch, clock: Clock): OpenSocket {
  return (url, events) => {
    const address = url.replace(/^ws/, 'http').replace(/socket$/, 'plain')
    const ending = new AbortController()
    const waiting: string[] = []
    let connection: string | null = null
    let sequence = 0
    let isOpening = false
    let isSending = false

    function end(): void {
      if (ending.signal.aborted) return
      ending.abort()
      queueMicrotask(events.onClose)
    }

    const post = (path: string, body: string) =>
      fetch(address + path, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/x-ndjson' },
        credentials: 'include',
        cache: 'no-store',
        redirect: 'error',
        signal: ending.signal,
      })

    /** What answers may be anybody: a page that asks to sign in to a network has no event in it, and one that is held back on the way has none for long. */
    async function down(said: string): Promise<void> {
      const cancel = clock.timer(openMsMax, end)
      const { ok, headers, body } = await post('', said)
      if (!ok || !body || !headers.get('content-type')?.startsWith('text/event-stream')) return
      await eachEvent(body.getReader(), (event) => {
        if (ending.signal.aborted) return
        if (connection !== null) return events.onMessage(event)
        cancel()
        connection = String(JSON.parse(event).connection)
        void up()
      })
    }

    async function up(): Promise<void> {
      if (isSending || connection === null) return
      isSending = true
      while (waiting.length > 0) if (!(await sent([JSON.stringify({ connection, sequence: ++sequence }), ...next()].join('\n')))) return end()
      isSending = false
    }

    function next(): readonly string[] {
      let count = 0
      for (let characters = 0; count < waiting.length && characters < charactersMax; count++) characters += waiting[count]?.length ?? 0
      return waiting.splice(0, count)
    }

    async function sent(body: string): Promise<boolean> {
      for (let tries = 1; tries <= triesMax && !ending.signal.aborted; tries++) {
        const isTaken = await post('/up', body).then(
          ({ status }) => status === 204,
          () => false,
        )
        if (isTaken) return true
        await new Promise<void>((resolve) => clock.timer(pauseMs * tries, resolve))
      }
      return false
    }

    queueMicrotask(() => {
      if (!ending.signal.aborted) events.onOpen()
    })
    return {
      send: (frame) => {
        if (ending.signal.aborted) return
        waiting.push(frame)
        // What is said in one turn goes up together.
        if (isOpening) return queueMicrotask(up)
        isOpening = true
        down(waiting.splice(0).join('\n')).then(end, end)
      },
      close: end,
    }
  }
}

/** The events of an event stream, each of one line, until it ends. */
async function eachEvent(reader: ReadableStreamDefaultReader<Uint8Array>, run: (event: string) => void): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done || rest.length > eventCharactersMax) return reader.cancel()
    const text = decoder.decode(value, { stream: true })
    rest += text
    // No line breaks are in a frame: where none came, none is whole.
    if (!text.includes('\n')) continue
    const parts = rest.split('\n\n')
    rest = parts.pop() ?? ''
    for (const part of parts) if (part.startsWith('data: ')) run(part.slice(6))
  }
}
