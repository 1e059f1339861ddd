// A TCP proxy that does what networks do to a connection that has bad luck, by chance: it hands bytes on in splinters, late and now and then not at all, cuts in the middle of a
// frame, and leaves one end believing that the other is still there. What it hands on is in order: TCP keeps that.
import { connect, createServer, type Socket } from 'node:net'

export interface RoughProxy {
  readonly url: string
  /** So often each of them happened. */
  readonly counts: { splinters: number; cuts: number; abandoned: number }
  /** From now on it hands on everything as it comes, and lets connections live. */
  calm(): void
  close(): Promise<void>
}

/** A connection lives for so many splinters. */
const [lifeMin, lifeMax] = [12, 60]
const delayMsMax = 8
/** After so many cuts it is calm: devices that are cut again and again wait longer and longer. */
const cutsMax = 8

export async function startRoughProxy(port: number, chance: () => number): Promise<RoughProxy> {
  const sockets = new Set<Socket>()
  const counts = { splinters: 0, cuts: 0, abandoned: 0 }
  let isCalm = false

  function handOn(from: Socket, to: Socket, onSplinter: () => void): void {
    let line: Promise<void> = Promise.resolve()
    const send = async (bytes: Buffer) => {
      for (let at = 0; at < bytes.length && !to.destroyed; ) {
        const length = isCalm ? bytes.length : 1 + Math.floor(chance() ** 3 * 4_000)
        to.write(bytes.subarray(at, at + length))
        at += length
        if (isCalm) continue
        counts.splinters++
        await new Promise((resolve) => setTimeout(resolve, chance() * delayMsMax))
        onSplinter()
      }
    }
    // The next is not read before this one is handed on: who writes notices that nobody reads.
    from.on('data', (bytes: Buffer) => {
      from.pause()
      line = line.then(() => send(bytes)).then(() => void from.resume())
    })
  }

  const server = createServer({ noDelay: true }, (down) => {
    const up = connect({ port, host: '127.0.0.1', noDelay: true })
    let life = isCalm ? Number.POSITIVE_INFINITY : lifeMin + Math.floor(chance() * (lifeMax - lifeMin))
    const isAbandoned = chance() < 0.4
    const onSplinter = () => {
      if (isCalm || --life > 0) return
      down.destroy()
      // The server hears nothing of it.
      if (isAbandoned) counts.abandoned++
      else up.destroy()
      isCalm = ++counts.cuts >= cutsMax
      life = Number.POSITIVE_INFINITY
    }
    for (const socket of [down, up]) socket.on('error', () => undefined)
    for (const socket of [down, up]) sockets.add(socket)
    up.on('close', () => down.destroy())
    down.on('close', () => (isAbandoned && !isCalm ? undefined : up.destroy()))
    handOn(down, up, onSplinter)
    handOn(up, down, onSplinter)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port.')
  return {
    url: `http://127.0.0.1:${address.port}`,
    counts,
    calm: () => {
      isCalm = true
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
