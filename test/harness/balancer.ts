// Sends each new connection to the next server that says it is ready, as a load balancer does.
import { connect, createServer, type Socket } from 'node:net'

export interface Balancer {
  readonly url: string
  close(): Promise<void>
}

/** `ports`: those of the servers, whether or not they run. */
export async function startBalancer(ports: readonly number[]): Promise<Balancer> {
  const sockets = new Set<Socket>()
  let next = 0

  async function portReady(): Promise<number | null> {
    for (let i = 0; i < ports.length; i++) {
      const port = ports[next++ % ports.length] ?? 0
      const answer = await fetch(`http://127.0.0.1:${port}/headwater/ready`, { signal: AbortSignal.timeout(1_000) }).catch(() => null)
      if (answer?.status === 200) return port
    }
    return null
  }

  const server = createServer({ pauseOnConnect: true }, (down) => {
    sockets.add(down)
    down.on('error', () => {}).on('close', () => sockets.delete(down))
    void portReady().then((port) => {
      if (port === null) return down.destroy()
      const up = connect(port, '127.0.0.1')
      sockets.add(up)
      up.on('error', () => down.destroy()).on('close', () => sockets.delete(up))
      down.pipe(up).pipe(down)
      down.on('close', () => up.destroy())
      up.on('close', () => down.destroySoon())
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The balancer has no port.')
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
