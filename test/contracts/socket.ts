// What every road between a device and a server must do, whatever it is made of: the client's port `OpenSocket` at one end, the server's
// `Connection` at the other.
import { randomBytes } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import type { OpenSocket, Socket } from '../../packages/client/src/ports.ts'
import type { Clock, Connection } from '../../packages/server/src/ports.ts'
import { callerOf } from '../../packages/server/src/session/caller.ts'
import { createTold } from '../../packages/server/src/session/told.ts'
import { createTransport, type Transport } from '../../packages/server/src/transport/transport.ts'
import { type SilentProxy, startSilentProxy } from '../harness/silent-proxy.ts'

export const clock: Clock = {
  now: () => Date.now(),
  timer: (afterMs, run) => {
    const timer = setTimeout(run, afterMs)
    return () => clearTimeout(timer)
  },
}

/** The server's end of a connection. */
export interface Accepted {
  readonly user: string | null
  readonly connection: Connection
  readonly heard: string[]
  closes: number
}

export interface SocketGround {
  readonly transport: Transport
  readonly proxy: SilentProxy
  /** As a device has it: `ws:`, through the proxy. */
  readonly url: string
  readonly accepted: readonly Accepted[]
  close(): Promise<void>
}

/** `running`: the server's clock. */
export async function openGround(running: Clock = clock): Promise<SocketGround> {
  const accepted: Accepted[] = []
  const transport = createTransport({
    clock: running,
    chance: { bytes: (length) => randomBytes(length) },
    origins: ['https://app.example.org'],
    authenticated: (request) => callerOf({ authenticate: ({ headers }) => headers.get('x-user'), clock: running, told: createTold() }, request),
    onConnection: (connection, { user }) => {
      const one: Accepted = { user, connection, heard: [], closes: 0 }
      accepted.push(one)
      return { onMessage: (frame) => one.heard.push(frame), onClose: () => one.closes++ }
    },
    answer: () => null,
    onTrouble: (error) => {
      throw error
    },
  })
  const { port } = await transport.listen({ port: 0 })
  const proxy = await startSilentProxy(port)
  return {
    transport,
    proxy,
    url: proxy.url.replace('http', 'ws').concat('/headwater/socket'),
    accepted,
    close: async () => {
      transport.stop()
      await transport.close()
      await proxy.close()
    },
  }
}

/** The device's end of a connection. */
export interface Opened extends Socket {
  readonly heard: string[]
  opens: number
  closes: number
}

export function openAt(url: string, open: OpenSocket): Opened {
  const events = {
    onOpen: () => opened.opens++,
    onMessage: (frame: string) => opened.heard.push(frame),
    onClose: () => opened.closes++,
  }
  const socket = open(url, events)
  const opened: Opened = { heard: [], opens: 0, closes: 0, ...socket }
  return opened
}

export const eventually = (read: () => unknown, wanted: unknown) => expect.poll(read, { timeout: 10_000, interval: 5 }).toEqual(wanted)

/** `open`: sends the header `x-user: ada` along. */
export function socketContract(open: () => OpenSocket): void {
  const closing: (() => unknown)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close()
  })

  /** A connection both of whose ends have heard of the other. */
  async function connected() {
    const ground = await openGround()
    closing.push(ground.close)
    const device = openAt(ground.url, open())
    closing.push(device.close)
    await eventually(() => device.opens, 1)
    device.send('hello')
    await eventually(() => ground.accepted[0]?.heard, ['hello'])
    const server = ground.accepted[0]
    if (server === undefined) throw new Error('Nobody was accepted.')
    server.connection.send('welcome')
    await eventually(() => device.heard, ['welcome'])
    return { ground, device, server }
  }

  test('frames arrive whole, once and in order, both ways: many, large ones, and any text', async () => {
    const { device, server } = await connected()
    const frames = [...Array(500).keys()].map((i) => JSON.stringify({ i, text: 'äöü 中文 🙂 \u2028 \\n "quoted" data: \n\n' }))
    const large = [600_000, 1, 900_000].map((length) => JSON.stringify('ß🙂'.repeat(length / 6)))
    for (const frame of [...frames, ...large, 'last']) device.send(frame)
    for (const frame of [...frames, ...large, 'last']) server.connection.send(frame)
    await eventually(() => [device.heard.at(-1), server.heard.at(-1)], ['last', 'last'])
    expect(server.heard.slice(1)).toEqual([...frames, ...large, 'last'])
    expect(device.heard.slice(1)).toEqual([...frames, ...large, 'last'])
  })

  test('a frame in UTF-8 is the frame as text, and one with line breaks between its parts stands for the same JSON', async () => {
    const { device, server } = await connected()
    server.connection.send(Buffer.from('{"text":"中文"}'))
    server.connection.send(Buffer.from('{\n\n"text":\n1}'))
    await eventually(() => device.heard.slice(1).map((frame) => JSON.parse(frame)), [{ text: '中文' }, { text: 1 }])
  })

  test('frames that are sent while others are on their way do not overtake them', async () => {
    const { device, server } = await connected()
    for (let i = 0; i < 50; i++) {
      device.send(String(i))
      if (i % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await eventually(() => server.heard.length, 51)
    expect(server.heard.slice(1)).toEqual([...Array(50).keys()].map(String))
  })

  test('who it is comes with the connection', async () => {
    const { server } = await connected()
    expect(server.user).toBe('ada')
  })

  test('what the server closes is closed at both ends once, after all that was sent', async () => {
    const { device, server } = await connected()
    server.connection.send('x'.repeat(1_000_000))
    server.connection.send('goodbye')
    server.connection.close()
    await eventually(() => [device.closes, server.closes], [1, 1])
    expect(device.heard.at(-1)).toBe('goodbye')
    device.send('late')
    device.close()
    server.connection.send('late')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect([device.closes, server.closes, server.heard, device.heard.length]).toEqual([1, 1, ['hello'], 3])
  })

  test('what the device closes is closed at both ends once, and nothing is heard any more', async () => {
    const { device, server } = await connected()
    server.connection.send('on its way')
    device.close()
    device.send('late')
    device.close()
    await eventually(() => [device.closes, server.closes], [1, 1])
    expect([device.heard, server.heard]).toEqual([['welcome'], ['hello']])
  })

  test('what breaks on the way is closed at both ends once', async () => {
    const { ground, device, server } = await connected()
    ground.proxy.cut()
    await eventually(() => [device.closes, server.closes], [1, 1])
  })

  test('a server that is away closes the connection that was never open, once', async () => {
    const ground = await openGround()
    closing.push(ground.close)
    ground.proxy.cut()
    const device = openAt(ground.url, open())
    device.send('dropped')
    await new Promise((resolve) => setTimeout(resolve, 20))
    device.send('hello')
    await eventually(() => device.closes, 1)
    device.close()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect([device.closes, device.heard, ground.accepted.length]).toEqual([1, [], 0])
  })

  test('a device that is closed before anything has come never reaches the server, or leaves it again', async () => {
    const ground = await openGround()
    closing.push(ground.close)
    const device = openAt(ground.url, open())
    device.close()
    await eventually(() => device.closes, 1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect([device.opens, device.heard, ground.accepted.filter(({ closes }) => closes === 0)]).toEqual([0, [], []])
  })

  test('F6 the server knows what has not been read, and a connection that is not read can be closed', async () => {
    const { ground, device, server } = await connected()
    ground.proxy.hold()
    const frame = 'x'.repeat(1_000_000)
    for (let i = 0; i < 20; i++) server.connection.send(frame)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(server.connection.bufferedBytes()).toBeGreaterThan(4_000_000)
    ground.proxy.release()
    await eventually(() => device.heard.length, 21)
    await eventually(() => server.connection.bufferedBytes(), 0)
  })

  test('S8 F6 a connection that is not read can be closed at once: what has not been read is not sent any more', async () => {
    const { ground, device, server } = await connected()
    ground.proxy.hold()
    const frame = 'x'.repeat(1_000_000)
    for (let i = 0; i < 20; i++) server.connection.send(frame)
    server.connection.close()
    server.connection.destroy()
    await eventually(() => server.closes, 1)
    ground.proxy.release()
    await eventually(() => device.closes, 1)
    expect(device.heard.length).toBeLessThan(20)
    server.connection.destroy()
  })

  test('a server that stops takes no more, and one that closes ends all', async () => {
    const { ground, device, server } = await connected()
    ground.transport.stop()
    const other = openAt(ground.url, open())
    await eventually(() => other.opens + other.closes > 0, true)
    other.send('hello')
    await eventually(() => other.closes, 1)
    expect(ground.accepted).toHaveLength(1)
    await ground.transport.close()
    await eventually(() => [device.closes, server.closes], [1, 1])
  })
}
