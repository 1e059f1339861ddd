// A TCP proxy between a browser and a server, which can keep what the server answers to itself: the connection that is lost between
// a commit and its answer.
import { connect, createServer, type Socket } from 'node:net'

export interface SilentProxy {
  readonly url: string
  /** From now on nothing of what the server says arrives; what is said to it still does. */
  swallowAnswers(): void
  /** Ends every connection and takes no new one. */
  cut(): void
  /** Ends every connection and starts anew, forwarding in both directions. */
  heal(): void
  /** Where new connections go. */
  target(port: number): void
  close(): Promise<void>
}

export async function startSilentProxy(port: number): Promise<SilentProxy> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let to = port
  let isSwallowing = false
  let isCut = false
  const server = createServer((inner) => {
    if (isCut) return inner.destroy()
    const outer = connect(to, '127.0.0.1')
    const pair = [inner, outer] as const
    pairs.add(pair)
    inner.on('data', (data) => outer.write(data))
    outer.on('data', (data) => {
      if (!isSwallowing) inner.write(data)
    })
    for (const [one, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      one.on('error', () => one.destroy())
      one.on('close', () => {
        // A swallowed answer includes the goodbye: the browser is to believe that the connection lives.
        if (one === outer && isSwallowing) return
        pairs.delete(pair)
        other.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  const end = () => {
    for (const [inner, outer] of pairs) {
      inner.destroy()
      outer.destroy()
    }
  }
  return {
    url: `http://127.0.0.1:${address.port}`,
    swallowAnswers: () => {
      isSwallowing = true
    },
    cut: () => {
      isCut = true
      end()
    },
    heal: () => {
      isSwallowing = false
      isCut = false
      end()
    },
    target: (next) => {
      to = next
    },
    close: () => {
      end()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
