// What only a road of plain HTTP has to bear: requests that come twice, late or at another server, pages that answer for the network, and
// other people's pages. And how a device comes to take it.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { limits } from '@headwater/protocol'
import { afterEach, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { openPlainWith } from '../../packages/client/src/plain.ts'
import { createOpenSocket } from '../../packages/client/src/socket.ts'
import { createTestClock } from '../../packages/client/src/testClock.ts'
import { type Accepted, clock, eventually, type Opened, openAt, openGround, type SocketGround } from './socket.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

async function ground(running = clock): Promise<SocketGround> {
  const opened = await openGround(running)
  closing.push(opened.close)
  return opened
}

const pathOf = ({ proxy }: SocketGround) => `${proxy.url}/headwater/plain`
const lines = { 'content-type': 'application/x-ndjson', 'x-user': 'ada' }
const post = (url: string, body: string, headers: Readonly<Record<string, string>> = lines) => fetch(url, { method: 'POST', body, headers })

/** Opens a connection by hand. Answers its id. */
async function openByHand(at: SocketGround): Promise<string> {
  const { body } = await post(pathOf(at), 'hello')
  const reader = body?.getReader()
  closing.push(() => reader?.cancel())
  const { value } = (await reader?.read()) ?? {}
  return JSON.parse(new TextDecoder().decode(value).slice('data: '.length)).connection
}

describe('F5: requests up', () => {
  const up = (at: SocketGround, connection: string, sequence: number, frames: string, headers = lines) =>
    post(`${pathOf(at)}/up`, `${JSON.stringify({ connection, sequence })}\n${frames}`, headers).then(({ status }) => status)

  test('one that comes twice is taken once', async () => {
    const at = await ground()
    const connection = await openByHand(at)
    expect([await up(at, connection, 1, 'a\nb'), await up(at, connection, 1, 'a\nb'), await up(at, connection, 2, 'c')]).toEqual([204, 204, 204])
    expect(await Promise.all([up(at, connection, 3, 'd'), up(at, connection, 3, 'd')])).toEqual([204, 204])
    expect(at.accepted[0]?.heard).toEqual(['hello', 'a', 'b', 'c', 'd'])
  })

  test("one that overtakes another, is of no connection, or of somebody else's is not taken", async () => {
    const at = await ground()
    const connection = await openByHand(at)
    expect(await up(at, connection, 2, 'b')).toBe(409)
    expect(await up(at, 'guessed', 1, 'a')).toBe(409)
    expect(await up(at, connection, 1, 'a', { ...lines, 'x-user': 'eve' })).toBe(409)
    for (const sequence of [0, -1, 1.5, Number.NaN]) expect(await up(at, connection, sequence, 'a')).toBe(400)
    for (const head of ['', '%$#', '[]', 'null', '{}']) expect((await post(`${pathOf(at)}/up`, `${head}\na`)).status).toBe(400)
    expect(at.accepted[0]?.heard).toEqual(['hello'])
  })

  test('one whose answer is lost is repeated, and nothing is heard twice', async () => {
    const at = await ground()
    let lost = 0
    const losing: typeof fetch = async (url, options) => {
      const answer = await fetch(url, options)
      if (String(url).endsWith('/up') && lost++ < 3) throw new TypeError('lost')
      return answer
    }
    const device = openAt(at.url, openPlainWith(losing, clock))
    closing.push(device.close)
    for (const frame of ['1', '2', '3', '4']) device.send(frame)
    await eventually(() => at.accepted[0]?.heard, ['1', '2', '3', '4'])
    await eventually(() => lost > 3, true)
    device.send('5')
    await eventually(() => at.accepted[0]?.heard.at(-1), '5')
    expect([device.closes, at.accepted[0]?.heard.length]).toEqual([0, 5])
  })

  test('two servers behind a balancer that sends each request to the next one', async () => {
    const [one, other] = [await ground(), await ground()]
    let turns = 0
    const balanced: typeof fetch = (url, options) => fetch(String(url).replace(one.proxy.url, (turns++ % 2 === 0 ? one : other).proxy.url), options)
    const device = openAt(one.url, openPlainWith(balanced, clock))
    closing.push(device.close)
    const frames = [...Array(20).keys()].map(String)
    for (const frame of frames) {
      device.send(frame)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    await eventually(() => one.accepted[0]?.heard, frames)
    expect([device.closes, other.accepted.length]).toEqual([0, 0])
  })

  test('where the server of the connection is never found, it closes', async () => {
    const [one, other] = [await ground(), await ground()]
    const misled: typeof fetch = (url, options) => fetch(String(url).endsWith('/up') ? `${pathOf(other)}/up` : url, options)
    const device = openAt(one.url, openPlainWith(misled, clock))
    device.send('hello')
    device.send('lost')
    await eventually(() => [device.closes, one.accepted[0]?.closes], [1, 1])
    expect(other.accepted).toEqual([])
  })
})

describe('who may ask', () => {
  test('no page of another origin, by any kind of request, and nobody but by POST', async () => {
    const at = await ground()
    for (const path of [pathOf(at), `${pathOf(at)}/up`]) {
      for (const headers of [
        { ...lines, origin: 'https://evil.example' },
        { ...lines, origin: 'null' },
        { ...lines, 'sec-fetch-site': 'cross-site' },
        { 'content-type': 'application/x-ndjson', cookie: 'session=ada' },
      ])
        expect((await post(path, 'hello', headers)).status).toBe(403)
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])
        expect((await post(path, 'hello', { ...lines, 'content-type': type })).status).toBe(415)
      expect((await fetch(path, { headers: lines })).status).toBe(405)
      const preflight = (origin: string) => fetch(path, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } })
      expect((await preflight('https://evil.example')).status).toBe(403)
      const allowed = await preflight('https://app.example.org')
      expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([204, 'https://app.example.org'])
      expect(allowed.headers.get('access-control-allow-headers')).toContain('content-type')
    }
    expect(at.accepted).toEqual([])
  })

  test('paths that only look alike are not of a connection', async () => {
    const at = await ground()
    const base = at.proxy.url
    for (const path of ['//headwater/plain', '/headwater/plain/', '/headwater/%70lain', '/headwater/plain/up/', '/headwater/PLAIN'])
      expect((await post(`${base}${path}`, 'hello')).status).toBe(404)
  })

  test('a body that is too large is refused, and one that does not come is not waited for', async () => {
    const running = createTestClock()
    const at = await ground(running)
    expect((await post(pathOf(at), 'x'.repeat(limits.upBytesMax * 4 + 1)).catch(() => ({ status: 413 }))).status).toBe(413)
    const endless = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('hel')) })
    const slow = fetch(pathOf(at), { method: 'POST', headers: lines, body: endless, duplex: 'half' } as RequestInit).then(
      ({ status }) => status,
      () => 'cut off',
    )
    let answer: number | string | undefined
    void slow.then((status) => {
      answer = status
    })
    // When the request has come the time for it begins, and that is over sixteen seconds later.
    const later = async () => {
      await running.advance(16_000)
      return answer
    }
    await expect.poll(later).toBeDefined()
    expect(answer).not.toBe(200)
    expect(at.accepted).toEqual([])
  })
})

describe("answers that are nobody's", () => {
  async function answering(status: number, headers: Readonly<Record<string, string>>, body: string, isEnding = true): Promise<string> {
    const server = createServer((_, response) => {
      response.writeHead(status, headers).write(body)
      if (isEnding) response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    })
    // A listening TCP server has an address of this form.
    return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/headwater/socket`
  }

  const event = { 'content-type': 'text/event-stream' }
  test.each<[string, number, Readonly<Record<string, string>>, string]>([
    ['a page to sign in at', 200, { 'content-type': 'text/html' }, '<html>Welcome to our network</html>'],
    ['the way to one', 302, { location: 'http://127.0.0.1:9/' }, ''],
    ['an error', 502, event, 'data: {"connection":"x"}\n\n'],
    ['an event that is none', 200, event, 'data: <html>\n\n'],
    ['half an event', 200, event, 'data: {"connection":"x"}\n\ndata: {"type":"wel'],
    ['nothing', 200, event, ''],
  ])('%s closes the connection, and nothing of it is heard', async (_, status, headers, body) => {
    const device = openAt(await answering(status, headers, body), openPlainWith(fetch, clock))
    await eventually(() => device.opens, 1)
    device.send('hello')
    await eventually(() => device.closes, 1)
    expect(device.heard).toEqual([])
  })

  test('one that is held back on the way is not waited for', async () => {
    const running = createTestClock()
    const device = openAt(await answering(200, event, ':', false), openPlainWith(fetch, running))
    await eventually(() => device.opens, 1)
    device.send('hello')
    await new Promise((resolve) => setTimeout(resolve, 50))
    await running.advance(9_000)
    expect(device.closes).toBe(0)
    await running.advance(2_000)
    await eventually(() => device.closes, 1)
  })
})

async function welcomed(device: Opened, accepted: readonly Accepted[]): Promise<void> {
  const before = accepted.length
  await eventually(() => device.opens, 1)
  device.send('hello')
  await eventually(() => accepted.length, before + 1)
  accepted.at(-1)?.connection.send('welcome')
  await eventually(() => device.heard, ['welcome'])
}

/** The socket that it asked for is answered, and it ends; of the answer it hears nothing. */
async function givesWay(device: Opened, accepted: readonly Accepted[]): Promise<void> {
  await eventually(() => accepted.at(-1)?.heard, ['{"type":"ping"}'])
  accepted.at(-1)?.connection.send('{"type":"pong"}')
  await eventually(() => [device.closes, ...accepted.map(({ closes }) => closes)].every((closes) => closes === 1), true)
  expect(device.heard).toEqual(['welcome'])
}

describe('a device', () => {
  /** Counts what it opens. */
  async function roads() {
    const at = await ground()
    const running = createTestClock()
    const asked: string[] = []
    class CountedSocket extends WebSocket {
      constructor(url: string) {
        super(url, { headers: { 'x-user': 'ada' } })
        asked.push('socket')
      }
    }
    const counted: typeof fetch = (url, options) => {
      if (!String(url).endsWith('/up')) asked.push('plain')
      return fetch(url, { ...options, headers: { ...options?.headers, 'x-user': 'ada' } })
    }
    // Of the browser's WebSocket, `ws` has what is used.
    const open = createOpenSocket(CountedSocket as unknown as typeof globalThis.WebSocket, counted, running)
    /** Opens, says hello, is welcomed if anybody is there, and ends. True: it was welcomed. */
    async function tryOnce(): Promise<boolean> {
      const before = at.accepted.length
      const device = openAt(at.url, open)
      await eventually(() => device.opens + device.closes > 0, true)
      device.send('hello')
      await eventually(() => at.accepted.length > before || device.closes > 0, true)
      if (device.closes === 0) {
        at.accepted.at(-1)?.connection.send('welcome')
        await eventually(() => device.heard, ['welcome'])
      }
      device.close()
      await eventually(() => device.closes, 1)
      return device.heard.length > 0
    }
    return { ...at, open, running, asked, tryOnce }
  }

  test.each([200, 400, 426, 502])('whose upgrades are answered with %d goes on without after two tries, and asks again while it lasts', async (status) => {
    const { accepted, proxy, url, open, running, asked, tryOnce } = await roads()
    proxy.refuseUpgrades(status)
    expect([await tryOnce(), await tryOnce(), await tryOnce(), await tryOnce()]).toEqual([false, false, true, true])
    expect(asked).toEqual(['socket', 'socket', 'plain', 'plain'])
    const device = openAt(url, open)
    await welcomed(device, accepted)
    await running.advance(5_001)
    await eventually(() => asked.slice(4), ['plain', 'socket'])
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(device.closes).toBe(0)
    proxy.refuseUpgrades(null)
    await running.advance(600_001)
    await givesWay(device, accepted)
    expect(await tryOnce()).toBe(true)
    expect(asked.slice(6)).toEqual(['socket', 'socket'])
  })

  test('whose upgrades are accepted by what then says nothing goes on without', async () => {
    const { accepted, proxy, url, open, running, asked, tryOnce } = await roads()
    proxy.swallowAnswers()
    const device = openAt(url, open)
    await eventually(() => accepted.length, 1)
    // The engine gives up after ten seconds.
    await running.advance(10_000)
    device.close()
    await eventually(() => device.closes, 1)
    proxy.heal()
    proxy.refuseUpgrades(502)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect([await tryOnce(), await tryOnce()]).toEqual([false, true])
    expect(asked).toEqual(['socket', 'socket', 'plain'])
  })

  test('whose server is away tries both in turn, and takes the socket when it is back', async () => {
    const { accepted, proxy, url, open, running, asked, tryOnce } = await roads()
    proxy.cut()
    for (let i = 0; i < 6; i++) expect(await tryOnce()).toBe(false)
    expect(asked).toEqual(['socket', 'socket', 'plain', 'socket', 'plain', 'socket'])
    proxy.heal()
    await new Promise((resolve) => setTimeout(resolve, 100))
    // It is the turn of plain HTTP: then a socket is asked for, and taken.
    const device = openAt(url, open)
    await welcomed(device, accepted)
    expect(asked.at(-1)).toBe('plain')
    await running.advance(5_001)
    await givesWay(device, accepted)
    expect(await tryOnce()).toBe(true)
    expect(asked.slice(-2)).toEqual(['socket', 'socket'])
  })

  test('without a WebSocket, or one that the page may not open, has the other road', async () => {
    const at = await ground()
    class ForbiddenSocket {
      constructor() {
        throw new DOMException('Not from this page.', 'SecurityError')
      }
    }
    for (const Socket of [undefined, ForbiddenSocket as unknown as typeof globalThis.WebSocket]) {
      const open = createOpenSocket(Socket, fetch, clock)
      for (const _ of [1, 2]) {
        const never = openAt(at.url, open)
        await eventually(() => never.closes, 1)
        expect(never.opens).toBe(0)
      }
      // The other road is fetched meanwhile.
      await new Promise((resolve) => setTimeout(resolve, 200))
      const device = openAt(at.url, open)
      await eventually(() => device.opens, 1)
      device.send('hello')
      await eventually(() => at.accepted.at(-1)?.heard, ['hello'])
      device.close()
      await eventually(() => [device.closes, at.accepted.at(-1)?.closes], [1, 1])
    }
  })
})

test("an app's own HTTP server answers what is its own, and connections are taken from it", async () => {
  const at = await ground()
  const server = createServer((request, response) => response.end(`the app's ${request.url}`))
  at.transport.attach(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  // A listening TCP server has an address of this form.
  const { port } = server.address() as AddressInfo
  expect(await (await fetch(`http://127.0.0.1:${port}/page`)).text()).toBe("the app's /page")
  expect(await (await fetch(`http://127.0.0.1:${port}/headwater/other`)).text()).toBe("the app's /headwater/other")
  for (const open of [openPlainWith(fetch, clock), createOpenSocket(WebSocket as unknown as typeof globalThis.WebSocket, fetch, clock)]) {
    const device = openAt(`ws://127.0.0.1:${port}/headwater/socket`, open)
    closing.push(device.close)
    await eventually(() => device.opens, 1)
    device.send('hello')
    await eventually(() => at.accepted.at(-1)?.heard, ['hello'])
  }
  expect(at.accepted).toHaveLength(2)
})
