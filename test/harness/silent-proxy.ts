// A TCP proxy between a browser and a server, which can keep what the server answers to itself: the connection that is lost between
// a commit and its answer.
import { connect, createServer, type Socket } from 'node:net'

export interface SilentProxy {
  readonly url: string
  /** From now on nothing of what the server says arrives; what is said to it still does. */
  swallowAnswers(): void
  /** All that the server said so far, as bytes. */
  said(): string
  /** Reads nothing more of what the server says, until `release`. */
  hold(): void
  release(): void
  /** From now on it answers what asks for an upgrade with this status; null: it lets upgrades through, as at first. */
  refuseUpgrades(status: number | null): void
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
  const said: Buffer[] = []
  let isSwallowing = false
  let isCut = false
  let refusal: number | null = null
  const server = createServer((inner) => {
    if (isCut) return inner.destroy()
    const outer = connect(to, '127.0.0.1')
    const pair = [inner, outer] as const
    pairs.add(pair)
    inner.on('data', (data) => {
      if (refusal !== null && /^upgrade: websocket\r$/im.test(data.toString('latin1'))) {
        inner.end(`HTTP/1.1 ${refusal} As a proxy says it\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`)
        return outer.destroy()
      }
      outer.write(data)
    })
    outer.on('data', (data) => {
      said.push(data)
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
    said: () => Buffer.concat(said).toString('latin1'),
    hold: () => {
      for (const [, outer] of pairs) outer.pause()
    },
    release: () => {
      for (const [, outer] of pairs) outer.resume()
    },
    refuseUpgrades: (status) => {
      refusal = status
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
