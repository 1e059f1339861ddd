// A TCP proxy in front of a server: for delays, and for connections that break at the worst moment.
import { connect, createServer, type Socket } from 'node:net'

export interface TcpProxy {
  readonly port: number
  /** Bytes on their way to the server, as they come. True: cut the connection, instead of handing these over. */
  onUp: (bytes: Buffer) => boolean
  /** The same, after having handed them over; what the server answers is lost. */
  onSent: (bytes: Buffer) => boolean
  /** How often something was sent after something had come back. */
  roundTrips: number
  /** All connections that there are, at once. */
  cut(): void
  close(): Promise<void>
}

/** `delayMs` is added in each direction. */
export async function openProxy(port: number, delayMs = 0): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (down) => {
    const up = connect({ port, host: '127.0.0.1', noDelay: true })
    const cut = () => {
      down.destroy()
      up.destroy()
    }
    sockets.add(down).add(up)
    for (const socket of [down, up]) socket.on('error', () => undefined)
    // The server still reads, and carries out, what it was sent.
    down.on('close', () => up.end())
    up.on('close', () => down.destroySoon())
    const later = (run: () => void) => (delayMs === 0 ? run() : setTimeout(run, delayMs))
    let hasAnswered = true
    down.on('data', (bytes) => {
      if (hasAnswered) proxy.roundTrips++
      hasAnswered = false
      if (proxy.onUp(bytes)) return cut()
      later(() => up.destroyed || up.write(bytes))
      // The server carries it out; nobody hears of it.
      if (proxy.onSent(bytes)) down.destroySoon()
    })
    up.on('data', (bytes) => {
      hasAnswered = true
      later(() => down.destroyed || down.write(bytes))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port.')
  const proxy: TcpProxy = {
    port: address.port,
    onUp: () => false,
    onSent: () => false,
    roundTrips: 0,
    cut: () => {
      for (const socket of sockets) socket.destroy()
      sockets.clear()
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
  return proxy
}
