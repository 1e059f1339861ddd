import { scopeKey } from '@headwater/protocol'
import { describe, expect, test } from 'vitest'
import { createFixture, me, message } from './fixture.ts'

describe('on-demand scopes', () => {
  async function ready() {
    const fixture = createFixture()
    fixture.peer.grant([me, scopeKey('project', 'p1')])
    fixture.peer.put('messages', message(1, 'p1'), message(2, 'p2'))
    const client = fixture.device()
    await fixture.clock.advance(100)
    return { ...fixture, client, live: client.query.messages.live() }
  }

  test('are loaded while used, and then follow', async () => {
    const { client, live, clock, peer } = await ready()
    expect(live.result()).toEqual({ rows: [], state: 'partial' })
    let told = 0
    live.subscribe(() => told++)
    const scope = client.scope('project', 'p1')
    expect([scope.state(), live.result().state]).toEqual(['loading', 'loading'])
    await clock.advance(50)
    await scope.ready
    expect(live.result()).toMatchObject({ rows: [{ content: 'm1' }], state: 'complete' })
    expect(told).toBe(2)
    peer.put('messages', message(3, 'p1'))
    await clock.advance(50)
    expect(live.result().rows).toHaveLength(2)
  })

  test('that are not granted are denied, and asked for again after a reconnect', async () => {
    const { client, live, clock, peer, network } = await ready()
    const scope = client.scope('project', 'p2')
    await clock.advance(50)
    expect(scope.state()).toBe('denied')
    await expect(scope.ready).rejects.toMatchObject({ code: 'denied' })
    expect(live.result().state).toBe('partial')
    peer.grant([me, scopeKey('project', 'p1'), scopeKey('project', 'p2')])
    network.cut()
    await clock.advance(5_000)
    expect(scope.state()).toBe('ready')
    expect(live.result().rows).toHaveLength(1)
  })

  test('are kept a minute after the last use, and over a restart; then their rows go', async () => {
    const { client, clock, peer, device, network } = await ready()
    const [one, two] = [client.scope('project', 'p1'), client.scope('project', 'p1')]
    await clock.advance(50)
    one.release()
    one.release()
    await clock.advance(120_000)
    expect(client.query.messages.all()).toHaveLength(1)
    two.release()
    await clock.advance(50_000)
    const again = client.scope('project', 'p1')
    expect(again.state()).toBe('ready')
    await clock.advance(60_000)
    expect(client.query.messages.all()).toHaveLength(1)
    again.release()
    network.setOnline(false)
    await clock.advance(200_000)
    // Offline they could not be loaded again.
    expect(client.query.messages.all()).toHaveLength(1)
    network.setOnline(true)
    await clock.advance(200_000)
    expect(client.query.messages.all()).toEqual([])
    expect([...peer.sessions].map(({ held }) => held.size)).toEqual([0])
    await client.close()
    const second = device()
    await second.ready
    expect(second.query.messages.all()).toEqual([])
  })

  test('come with the first load when they are in use before it, and from the disk when they were held', async () => {
    const { peer, clock, device, network } = createFixture()
    peer.grant([me, scopeKey('project', 'p1')])
    peer.put('messages', message(1, 'p1'))
    const first = device()
    const scope = first.scope('project', 'p1')
    await clock.advance(100)
    expect(scope.state()).toBe('ready')
    expect(network.frames.some(({ frame }) => frame.startsWith('{"type":"hold"'))).toBe(false)
    await first.close()
    network.setOnline(false)
    const second = device()
    await second.ready
    expect(second.scope('project', 'p1').state()).toBe('ready')
    expect(second.query.messages.live().result()).toMatchObject({ rows: [{ content: 'm1' }], state: 'complete' })
  })

  test('that are taken away while used are asked for again, and denied', async () => {
    const { client, clock, peer } = await ready()
    const scope = client.scope('project', 'p1')
    await clock.advance(50)
    peer.grant([me])
    await clock.advance(50)
    expect(client.query.messages.all()).toEqual([])
    expect(scope.state()).toBe('denied')
  })
})
