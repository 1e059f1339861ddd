// Which on-demand scopes a device holds beyond what is in use: loaded ahead, kept, and not evicted yet.
import { type ScopeKey, scopeKey } from '@headwater/protocol'
import { describe, expect, test } from 'vitest'
import { diskName } from '../src/address.ts'
import { createClient } from '../src/client.ts'
import { leastRecentlyUsed } from '../src/sync/eviction.ts'
import { createFixture, me, message, mutators, schema } from './fixture.ts'
import { breathe } from './world.ts'

const dayMs = 86_400_000
const eviction = leastRecentlyUsed({ rows: 5 })

/** Projects p1, p2 ... with two messages each, all granted. */
async function ready(count: number, eviction = leastRecentlyUsed({ rows: 5 })) {
  const fixture = createFixture()
  const ids = Array.from({ length: count }, (_, at) => `p${at + 1}`)
  fixture.peer.grant([me, ...ids.map((id) => scopeKey('project', id))])
  fixture.peer.put('messages', ...ids.flatMap((id, at) => [message(2 * at + 1, id), message(2 * at + 2, id)]))
  const open = () => createClient({ schema, mutators, url: 'http://server/', user: 'ada', ports: fixture.ports(), eviction })
  const client = open()
  await fixture.clock.advance(100)
  return { ...fixture, ids, client, open }
}
type World = Awaited<ReturnType<typeof ready>>

const heldOn = (client: World['client']) => [...new Set(client.query.messages.all().map(({ projectId }) => projectId))].sort()
const asked = ({ network }: World) => network.frames.flatMap(({ frame }) => (frame.startsWith('{"type":"hold"') ? [JSON.parse(frame).scopes] : []))

async function visit({ client: first, clock }: World, id: string, client = first) {
  const handle = client.scope('project', id)
  await clock.advance(1_000)
  await handle.ready
  handle.release()
}

describe('scopes that nobody uses', () => {
  test('stay while there is room; beyond, the least recently used goes first', async () => {
    const world = await ready(4)
    for (const id of ['p1', 'p2']) await visit(world, id)
    await world.clock.advance(3_600_000)
    expect(heldOn(world.client)).toEqual(['p1', 'p2'])
    await visit(world, 'p1')
    await visit(world, 'p3')
    await world.clock.advance(40_000)
    // Whoever has just left may come back.
    expect(heldOn(world.client)).toEqual(['p1', 'p3'])
    await visit(world, 'p4')
    await world.clock.advance(120_000)
    expect(heldOn(world.client)).toEqual(['p3', 'p4'])
  })

  test('go a week after their last use, and stay while the device is offline', async () => {
    const world = await ready(2)
    for (const id of ['p1', 'p2']) await visit(world, id)
    await world.clock.advance(6 * dayMs)
    await visit(world, 'p2')
    world.network.setOnline(false)
    await world.clock.advance(2 * dayMs)
    expect(heldOn(world.client)).toEqual(['p1', 'p2'])
    world.network.setOnline(true)
    await world.clock.advance(120_000)
    expect(heldOn(world.client)).toEqual(['p2'])
    expect([...world.peer.sessions].map(({ held }) => [...held])).toEqual([['project:p2']])
  })

  test('are never those in use, and never those that a pending mutation writes', async () => {
    const world = await ready(5, leastRecentlyUsed({ rows: 0 }))
    const { client, clock, peer } = world
    client.scope('project', 'p1')
    peer.options.refusePushes = true
    client.mutate.messages.insert({ id: message(90, 'p2').id, projectId: 'p2', content: 'mine', sequence: 90 })
    await visit(world, 'p3')
    await clock.advance(300_000)
    expect(heldOn(client)).toEqual(['p1', 'p2'])
  })

  test('are remembered with their last use over a restart', async () => {
    const world = await ready(3)
    for (const id of ['p2', 'p1']) await visit(world, id)
    await world.client.close()
    await world.clock.advance(dayMs)
    const second = world.open()
    await world.clock.advance(100)
    await visit(world, 'p3', second)
    await world.clock.advance(120_000)
    expect(heldOn(second)).toEqual(['p1', 'p3'])
    await second.close()
    await world.clock.advance(8 * dayMs)
    const third = world.open()
    await world.clock.advance(120_000)
    expect(heldOn(third)).toEqual([])
  })

  test('that are used again while they go are loaded again', async () => {
    const world = await ready(1, leastRecentlyUsed({ rows: 0 }))
    await world.client.close()
    const ports = world.ports()
    let onRelease: (() => void) | null = null
    const openSocket: typeof ports.openSocket = (url, events) => {
      const socket = ports.openSocket(url, events)
      const send = (frame: string) => {
        if (frame.startsWith('{"type":"release"')) onRelease?.()
        socket.send(frame)
      }
      return { ...socket, send }
    }
    const client = createClient({ schema, mutators, url: 'http://server/', user: 'ada', ports: { ...ports, openSocket } })
    const states: string[] = []
    onRelease = () => {
      onRelease = null
      const handle = client.scope('project', 'p1')
      const see = () => states.push(handle.state())
      see()
      handle.subscribe(see)
    }
    await visit(world, 'p1', client)
    await world.clock.advance(120_000)
    expect(states.filter((state, at) => state !== states[at - 1])).toEqual(['ready', 'loading', 'ready'])
    expect(heldOn(client)).toEqual(['p1'])
  })

  test('that lie on the disk go after a minute in an app that lets nothing stay', async () => {
    const world = await ready(1)
    await visit(world, 'p1')
    await world.client.close()
    const second = world.device()
    await second.ready
    expect(heldOn(second)).toEqual(['p1'])
    await world.clock.advance(120_000)
    expect(heldOn(second)).toEqual([])
    expect(world.errors).toEqual([])
  })

  test('whose time on the disk cannot be read seem to be used now, and nothing else is lost', async () => {
    const world = await ready(1)
    await visit(world, 'p1')
    await world.client.close()
    const name = diskName('ada', 'http://server/')
    const records = world.disks.records(name)
    expect(records.some((record) => record.startsWith('{"uses":'))).toBe(true)
    const disk = await world.disks.open(name)
    await disk.append(['{"uses":{"project:p1":"yesterday"}}', '{"uses":'], { strict: true })
    await disk.close()
    const second = world.open()
    const errors: unknown[] = []
    second.onError((error) => errors.push(error))
    await second.ready
    expect([heldOn(second), errors.length]).toEqual([['p1'], 2])
  })

  test('come ten thousand at once in ten messages, and go in one', async () => {
    const world = await ready(0, leastRecentlyUsed({ days: 5 / 1440 }))
    const ids = Array.from({ length: 10_000 }, (_, at) => `p${at + 1}`)
    world.peer.grant([me, ...ids.map((id) => scopeKey('project', id))])
    await world.clock.advance(100)
    const loaded = world.client.preload('project', ids)
    await world.clock.advance(2_000)
    await loaded
    expect(asked(world).map((scopes: readonly ScopeKey[]) => scopes.length)).toEqual(Array(10).fill(1_000))
    const before = world.network.frames.length
    for (const id of ids) world.client.scope('project', id).release()
    await world.clock.advance(2 * 60_000)
    expect(ids.every((id) => world.client.scopeState('project', id) === 'ready')).toBe(true)
    await world.clock.advance(6 * 60_000)
    expect(ids.some((id) => world.client.scopeState('project', id) === 'ready')).toBe(false)
    // One message lets go of all of them.
    expect(world.network.frames.slice(before).filter(({ frame }) => frame.startsWith('{"type":"release"'))).toHaveLength(1)
  })
})

describe('scopes that are loaded ahead', () => {
  test('are asked for in one message, behind what a screen waits for, and stay a minute without a handle', async () => {
    const world = await ready(4, leastRecentlyUsed({ rows: 0 }))
    const { client, clock } = world
    const live = client.query.messages.live()
    const loaded = client.preload('project', ['p1', 'p2', 'p3'])
    expect(live.result().state).toBe('partial')
    client.scope('project', 'p4')
    await clock.advance(50)
    await loaded
    expect(asked(world)).toEqual([['project:p4'], ['project:p1', 'project:p2', 'project:p3']])
    await clock.advance(55_000)
    expect(heldOn(client)).toEqual(['p1', 'p2', 'p3', 'p4'])
    await clock.advance(60_000)
    expect(heldOn(client)).toEqual(['p4'])
  })

  test('resolve when each is here or denied, twice and without keys as well, and wait while offline', async () => {
    const world = await ready(1)
    const { client, clock, network } = world
    network.setOnline(false)
    let isDone = false
    const loaded = Promise.all([client.preload('project', ['p1', 'p9']), client.preload('project', ['p1', 'p1']), client.preload('project', [])])
    loaded.then(() => {
      isDone = true
    })
    await clock.advance(60_000)
    expect(isDone).toBe(false)
    network.setOnline(true)
    await clock.advance(60_000)
    await loaded
    expect([client.scopeState('project', 'p1'), client.scopeState('project', 'p9')]).toEqual(['ready', 'denied'])
  })
})

describe('a scope that is kept', () => {
  test('is held, used or not, over restarts, until it is dropped', async () => {
    const world = await ready(2, leastRecentlyUsed({ rows: 0 }))
    const { client, clock } = world
    client.keep('project', 'p1')
    client.keep('project', 'p2')
    client.scope('project', 'p2').release()
    await clock.advance(3_600_000)
    expect(heldOn(client)).toEqual(['p1', 'p2'])
    client.drop('project', 'p2')
    await clock.advance(120_000)
    expect(heldOn(client)).toEqual(['p1'])
    await client.close()
    const second = world.open()
    await clock.advance(3_600_000)
    expect(heldOn(second)).toEqual(['p1'])
    second.drop('project', 'p1')
    await clock.advance(120_000)
    expect(heldOn(second)).toEqual([])
    await second.close()
    const third = world.open()
    await clock.advance(300_000)
    expect(heldOn(third)).toEqual([])
  })

  test('is kept when that was said before the disk was read, offline, and though the disk is written anew', async () => {
    const world = await ready(1, leastRecentlyUsed({ rows: 0 }))
    await world.client.close()
    world.network.setOnline(false)
    const second = world.open()
    second.keep('project', 'p1')
    await second.ready
    await breathe()
    await second.close()
    world.network.setOnline(true)
    const third = world.open()
    await world.clock.advance(300_000)
    expect(heldOn(third)).toEqual(['p1'])
    const rows = Array.from({ length: 2_500 }, (_, at) => message(at + 100, 'p1'))
    for (let at = 0; at < 3; at++) world.peer.put('messages', ...rows.map((row) => ({ ...row, sequence: at })))
    await world.clock.advance(60_000)
    await third.close()
    const fourth = world.open()
    await world.clock.advance(300_000)
    expect(fourth.query.messages.all()).toHaveLength(2_502)
  })

  test('that is denied is asked for again with the next connection', async () => {
    const world = await ready(1)
    world.client.keep('project', 'p9')
    await world.clock.advance(50)
    expect(world.client.scopeState('project', 'p9')).toBe('denied')
    world.peer.grant([me, scopeKey('project', 'p1'), scopeKey('project', 'p9')])
    world.network.cut()
    await world.clock.advance(5_000)
    expect(world.client.scopeState('project', 'p9')).toBe('ready')
  })

  test('is a mistake without an eviction, and the error says what to do', async () => {
    const client = createFixture().device()
    expect(() => client.keep('project', 'p1')).toThrow(
      expect.objectContaining({ code: 'no-eviction', hint: 'createClient({ eviction: leastRecentlyUsed() })' }),
    )
  })
})

test('an eager scope is denied once it is known that it is not granted', async () => {
  const { client } = await ready(0, eviction)
  expect([client.scopeState('user', 'ada'), client.scopeState('user', 'eve')]).toEqual(['ready', 'denied'])
  await expect(client.scope('user', 'eve').ready).rejects.toMatchObject({ code: 'denied' })
})
