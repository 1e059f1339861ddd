// A thousand devices whose server goes away and comes back, on the virtual clock.
import { expect, test } from 'vitest'
import type { OpenSocket } from '../src/ports.ts'
import { createFixture, project, titles } from './fixture.ts'

const devices = 1_000

test('a server that restarts is not overrun by those that come back, and all are level soon', { timeout: 60_000 }, async () => {
  const fixture = createFixture()
  const { clock, peer, network } = fixture
  const attempts: number[] = []
  let isDown = false
  const clients = [...Array(devices).keys()].map((i) => {
    const { openSocket } = fixture.ports(i + 1)
    const counted: OpenSocket = (url, events) => {
      attempts.push(clock.now())
      if (!isDown) return openSocket(url, events)
      // Refused: there is a machine, and nobody listens.
      clock.timer(1, events.onClose)
      return { send: () => {}, close: () => {} }
    }
    return fixture.device('ada', `/${i}`, { openSocket: counted })
  })
  await clock.advance(100)
  expect(clients.every((client) => client.status.get().online)).toBe(true)

  const cutAt = clock.now()
  attempts.length = 0
  isDown = true
  network.cut()
  peer.put('projects', project('p1', 'Meanwhile'))
  await clock.advance(5_000)
  expect(clients.some((client) => client.status.get().online)).toBe(false)
  isDown = false
  let levelMs = 0
  while (!clients.every((client) => client.status.get().online) && levelMs < 60_000) {
    await clock.advance(500)
    levelMs += 500
  }
  expect(clients.every((client) => titles(client).join() === 'Meanwhile')).toBe(true)

  const perTenth = new Map<number, number>()
  for (const at of attempts) perTenth.set(Math.floor((at - cutAt) / 100), (perTenth.get(Math.floor((at - cutAt) / 100)) ?? 0) + 1)
  const peak = Math.max(...perTenth.values())
  const peakBack = Math.max(...[...perTenth].filter(([tenth]) => tenth >= 50).map(([, count]) => count))
  process.stdout.write(`${devices} devices, away for 5 s: at most ${peak} attempts in 100 ms, ${peakBack} once it is back, all level ${levelMs} ms after it\n`)
  // Spread from the first moment on, and thin by the time it is back.
  // At once would be all of them; evenly over the second of the first wait, with those that try again in it, is a fifth.
  expect(peak).toBeLessThanOrEqual(devices / 4)
  expect(peakBack).toBeLessThanOrEqual(devices / 10)
  expect(attempts.length).toBeLessThanOrEqual(devices * 8)
  // The last one had drawn most of a long wait when the server came back.
  expect(levelMs).toBeLessThanOrEqual(20_000)
  await Promise.all(clients.map((client) => client.close()))
})
