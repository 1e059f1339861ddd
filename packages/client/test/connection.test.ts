import { describe, expect, test } from 'vitest'
import { createFixture, expectLevel, project, titles } from './fixture.ts'

describe('F5: frames that are not what they should be close the socket, change nothing, and sync resumes', () => {
  const before = project('p1', 'Before')
  async function tampered(tamper: (frame: string) => readonly string[]) {
    const fixture = createFixture()
    fixture.peer.put('projects', before)
    const client = fixture.device()
    await fixture.clock.advance(100)
    const opened = fixture.network.opened.count
    fixture.network.tamper = tamper
    fixture.peer.put('projects', project('p1', 'After'), project('p2', 'Two'))
    await fixture.clock.advance(8)
    const during = titles(client)
    await fixture.clock.advance(2)
    fixture.network.tamper = (frame) => [frame]
    await fixture.clock.advance(40_000)
    expectLevel(fixture, client)
    expect(client.status.get().phase).toBe('live')
    return { during, reopened: fixture.network.opened.count - opened }
  }
  test.each<[string, (frame: string) => readonly string[]]>([
    ['cut off in the middle', (frame) => [frame.slice(0, frame.length / 2)]],
    ['garbage', () => ['%$#']],
    ['of an unknown type', () => ['{"type":"surprise"}']],
    ['with a member of the wrong type', (frame) => [frame.replace('"replace":false', '"replace":1')]],
    ['with a load that was named before', (frame) => [frame.replace('"loads":[]', '"loads":[0]')]],
    [
      'a second welcome',
      () => ['{"type":"welcome","version":1,"database":"db-1","history":"h-1","nonce":"x","resumed":true,"reason":"","last":0,"columns":{}}'],
    ],
  ])('%s', async (_, tamper) => {
    const { during, reopened } = await tampered(tamper)
    expect(during).toEqual(['Before'])
    expect(reopened).toBeGreaterThan(0)
  })

  test('a checkpoint twice changes nothing the second time', async () => {
    const { during, reopened } = await tampered((frame) => [frame, frame])
    expect(during).toEqual(['After', 'Two'])
    expect(reopened).toBe(0)
  })

  test('a first checkpoint twice does not take away what the first one brought', async () => {
    const fixture = createFixture()
    fixture.peer.put('projects', before)
    fixture.network.tamper = (frame) => (frame.includes('"checkpoint"') ? [frame, frame] : [frame])
    const client = fixture.device()
    await fixture.clock.advance(18)
    expect(titles(client)).toEqual(['Before'])
    fixture.network.tamper = (frame) => [frame]
    await fixture.clock.advance(40_000)
    expectLevel(fixture, client)
  })

  test('a checkpoint before its load: everything is loaded again', async () => {
    const fixture = createFixture()
    const { peer, clock, network } = fixture
    peer.put('projects', before)
    const late: string[] = []
    network.tamper = (frame) => {
      if (frame.startsWith('{"type":"load"')) late.push(frame)
      if (!frame.includes('"checkpoint"')) return frame.startsWith('{"type":"load"') ? [] : [frame]
      network.tamper = (one) => [one]
      return [frame, ...late]
    }
    const client = fixture.device()
    await clock.advance(40_000)
    expectLevel(fixture, client)
    await client.close()
    const second = fixture.device()
    await second.ready
    expect(titles(second)).toEqual(['Before'])
  })

  test('a checkpoint before the welcome', async () => {
    const fixture = createFixture()
    fixture.peer.put('projects', before)
    fixture.network.tamper = (frame) => (frame.includes('"welcome"') ? [] : [frame])
    const client = fixture.device()
    await fixture.clock.advance(100)
    expect(titles(client)).toEqual([])
    fixture.network.tamper = (frame) => [frame]
    await fixture.clock.advance(40_000)
    expectLevel(fixture, client)
  })

  test('loads of a socket that closed are not those of the next one', async () => {
    const fixture = createFixture({ pieceMax: 1 })
    const { peer, clock, network, device, disks } = fixture
    peer.put('projects', project('p1'), project('p2'))
    network.tamper = (frame) => (frame.includes('"checkpoint"') ? [] : [frame])
    const client = device()
    await clock.advance(30)
    expect(titles(client)).toEqual([])
    peer.remove('projects', { id: 'p1' })
    network.tamper = (frame) => [frame]
    network.cut()
    await clock.advance(40_000)
    expect(titles(client)).toEqual(['p2'])
    await client.close()
    const second = device()
    await second.ready
    expect(titles(second)).toEqual(['p2'])
    expect(disks).toBeDefined()
  })
})

describe('a connection', () => {
  test('that falls silent is asked, cut and made again', async () => {
    const { clock, device, network, peer } = createFixture()
    const client = device()
    await clock.advance(100)
    network.tamper = () => []
    await clock.advance(20_000)
    expect(client.status.get().phase).toBe('live')
    await clock.advance(2_000)
    expect(client.status.get().online).toBe(false)
    network.tamper = (frame) => [frame]
    peer.put('projects', project('p1'))
    await clock.advance(60_000)
    expect(titles(client)).toEqual(['p1'])
  })

  test('that is dead is noticed within seconds of what is said to it, also by who goes on talking', async () => {
    const { clock, device, network, peer } = createFixture()
    const client = device()
    await clock.advance(10_000)
    network.tamper = () => []
    for (let i = 0; i < 14; i++) {
      client.mutate.projects.insert({ id: `p${i}`, title: 'said' })
      await clock.advance(500)
    }
    expect(client.status.get().online).toBe(true)
    await clock.advance(500)
    expect(client.status.get()).toMatchObject({ online: false, pending: 14 })
    network.tamper = (frame) => [frame]
    await clock.advance(30_000)
    expect(client.status.get()).toMatchObject({ online: true, pending: 0 })
    expect(peer.received).toHaveLength(14)
  })

  test('is waited for longer where much was said: a slow way up is not a dead one', async () => {
    const { clock, device, network } = createFixture()
    const client = device()
    await clock.advance(100)
    network.tamper = () => []
    for (let i = 0; i < 10; i++) client.mutate.projects.insert({ id: `p${i}`, title: 'large', settings: 'x'.repeat(50_000) })
    await clock.advance(50_000)
    expect(client.status.get().online).toBe(true)
    await clock.advance(10_000)
    expect(client.status.get().online).toBe(false)
  })

  test('says nothing more where what was said is answered', async () => {
    const { clock, device, network } = createFixture()
    const client = device()
    await clock.advance(100)
    for (let i = 0; i < 20; i++) {
      client.mutate.projects.insert({ id: `p${i}`, title: 'said' })
      await clock.advance(500)
    }
    // One with the greeting.
    expect(network.frames.filter(({ frame }) => frame === '{"type":"ping"}')).toHaveLength(1)
  })

  test('of a device that slept is made anew at once', async () => {
    const { clock, device, network, peer } = createFixture()
    const client = device()
    await clock.advance(10_000)
    // Nothing says that it is gone.
    network.tamper = () => []
    clock.sleep(3_600_000)
    network.tamper = (frame) => [frame]
    peer.put('projects', project('p1'))
    const opened = network.opened.count
    await clock.advance(100)
    expect(network.opened.count).toBe(opened + 1)
    expect(titles(client)).toEqual(['p1'])
  })

  test('of a page whose timers run once a minute stays', async () => {
    const { clock, device, network } = createFixture()
    const client = device()
    await clock.advance(100)
    for (let i = 0; i < 10; i++) {
      clock.sleep(59_000)
      await clock.advance(1_000)
    }
    expect(network.opened.count).toBe(1)
    expect(client.status.get().online).toBe(true)
  })

  test('is asked when the network or the person is back, and made anew if it does not answer', async () => {
    const { clock, device, network } = createFixture()
    const client = device()
    await clock.advance(100)
    network.setOnline(true)
    await clock.advance(100)
    expect(network.frames.filter(({ frame }) => frame === '{"type":"ping"}')).toHaveLength(2)
    network.tamper = () => []
    network.setOnline(true)
    await clock.advance(5_900)
    expect(client.status.get().online).toBe(true)
    await clock.advance(200)
    expect(client.status.get().online).toBe(false)
  })

  test('stays while pings are answered', async () => {
    const { clock, device, network } = createFixture()
    const client = device()
    await clock.advance(300_000)
    expect(network.opened.count).toBe(1)
    expect(client.status.get().online).toBe(true)
  })

  test('is tried at once when the network is back', async () => {
    const { clock, device, network } = createFixture()
    network.setOnline(false)
    const client = device()
    await clock.advance(300_000)
    network.setOnline(true)
    await clock.advance(50)
    expect(client.status.get().phase).toBe('live')
  })

  test('is not tried again when the server asks for another person or a newer app, and slowly without a session', async () => {
    for (const [failure, count] of [
      ['wrong-user', 1],
      ['version', 1],
      ['unauthenticated', 4],
    ] as const) {
      const { clock, device, network, peer } = createFixture()
      peer.options.failure = failure
      const client = device()
      await clock.advance(100_000)
      expect(network.opened.count).toBe(count)
      expect(client.status.get().problem?.code).toBe(failure)
    }
  })

  test('that works again takes the problem away', async () => {
    const { clock, device, peer } = createFixture()
    peer.options.failure = 'unavailable'
    const client = device()
    await clock.advance(5_000)
    expect(client.status.get()).toMatchObject({ phase: 'connecting', problem: { code: 'unavailable' } })
    peer.options.failure = null
    await clock.advance(60_000)
    expect(client.status.get()).toMatchObject({ phase: 'live', problem: null })
  })
})

describe('W9: an outbox belongs to one person on one database', () => {
  async function pendingOn(database: string) {
    const fixture = createFixture()
    const { clock, device, network, peer } = fixture
    peer.put('projects', project('p1'))
    const client = device()
    await clock.advance(100)
    network.setOnline(false)
    await client.mutate.projects.update({ id: 'p1', title: 'Mine' }).saved
    peer.options.database = database
    network.setOnline(true)
    await clock.advance(60_000)
    return { ...fixture, client }
  }

  test('another database gets nothing of it, its rows go, and the former one gets it when it is back', async () => {
    const { client, peer, device, clock, network } = await pendingOn('db-2')
    expect(peer.received).toEqual([])
    expect(client.status.get()).toMatchObject({ phase: 'stopped', pending: 1, problem: { code: 'other-database' } })
    expect(client.query.projects.all()).toEqual([])
    await client.close()
    const second = device()
    await clock.advance(60_000)
    expect(second.status.get()).toMatchObject({ phase: 'stopped', pending: 1, problem: { code: 'other-database' } })
    expect(network.frames.some(({ frame }) => frame.startsWith('{"type":"push"'))).toBe(false)
    await second.close()
    peer.options.database = 'db-1'
    const third = device()
    await clock.advance(60_000)
    expect(third.status.get()).toMatchObject({ phase: 'live', pending: 0 })
    expect(titles(third)).toEqual(['Mine'])
  })

  test('with nothing pending another database is taken as it is', async () => {
    const { clock, device, network, peer } = createFixture()
    const client = device()
    peer.put('projects', project('p1'))
    await clock.advance(100)
    peer.options.database = 'db-2'
    peer.options.history = 'h-2'
    network.cut()
    await clock.advance(60_000)
    expect(client.status.get()).toMatchObject({ phase: 'live', problem: null })
    client.mutate.projects.insert({ id: 'p2', title: 'p2' })
    await clock.advance(100)
    await client.close()
    const second = device()
    await clock.advance(60_000)
    expect(second.status.get()).toMatchObject({ phase: 'live', problem: null })
    expect(titles(second)).toEqual(['p1', 'p2'])
  })

  test('another person has a store of their own', async () => {
    const { clock, device, peer, network } = createFixture()
    network.setOnline(false)
    await device('ada').mutate.projects.insert({ id: 'p1', title: 'x' }).saved
    network.setOnline(true)
    const eve = device('eve')
    await eve.ready
    expect(eve.status.get().pending).toBe(0)
    await clock.advance(1_000)
    expect(eve.status.get().problem?.code).toBe('wrong-user')
    expect(peer.received.length).toBeLessThanOrEqual(1)
  })
})

describe('a device that was copied', () => {
  test('takes a new id and numbers what is pending anew; uuids keep it exactly once', async () => {
    const { clock, device, peer, network } = createFixture()
    const client = device()
    await clock.advance(100)
    client.mutate.projects.insert({ id: 'p1', title: 'One' })
    await clock.advance(100)
    network.setOnline(false)
    await clock.advance(1)
    client.mutate.bump({ id: 'p1' })
    await client.mutate.projects.insert({ id: 'p2', title: 'Two' }).saved
    peer.options.failure = 'forked'
    network.setOnline(true)
    await clock.advance(18)
    peer.options.failure = null
    await clock.advance(60_000)
    expect(client.status.get()).toMatchObject({ phase: 'live', pending: 0 })
    expect(peer.devices.size).toBe(2)
    expect(peer.received.map(({ number, name }) => [number, name])).toEqual([
      [1, 'projects.insert'],
      [1, 'bump'],
      [2, 'projects.insert'],
    ])
    expect(new Set(peer.received.map(({ id }) => id)).size).toBe(3)
    expect(peer.rows('projects').find(({ id }) => id === 'p1')?.rank).toBe(1)
    await client.close()
    const second = device()
    await clock.advance(60_000)
    expect(second.status.get()).toMatchObject({ phase: 'live', pending: 0 })
    expect(peer.devices.size).toBe(2)
  })

  test('finds out itself when the server knows less than was confirmed', async () => {
    const { clock, device, peer, network } = createFixture()
    const client = device()
    await clock.advance(100)
    client.mutate.projects.insert({ id: 'p1', title: 'One' })
    await clock.advance(100)
    peer.devices.clear()
    network.cut()
    await clock.advance(60_000)
    client.mutate.projects.insert({ id: 'p2', title: 'Two' })
    await clock.advance(100)
    expect(client.status.get()).toMatchObject({ phase: 'live', pending: 0 })
    expect(titles(client)).toEqual(['One', 'Two'])
  })
})
