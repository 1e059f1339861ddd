import { scopeKey } from '@headwater/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createFixture, type Device, type Fixture } from './fixture.ts'
import { createRandom } from './world.ts'

const me = scopeKey('user', 'ada')
const project = (id: string, title = id, rank = 0) => ({ id, ownerId: 'ada', title, rank, isOpen: true })
const message = (n: number, projectId: string) => ({ id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`, projectId, content: `m${n}`, sequence: n })
const titles = (client: Device) => client.query.projects.orderBy('id').all().map(({ title }) => title)
const plain = (rows: readonly object[]) => rows.map((row) => ({ ...row, ...('budget' in row && typeof row.budget === 'bigint' ? { budget: String(row.budget) } : {}) }))

/** What a device shows is what the server has for this person. */
function expectLevel({ peer }: Fixture, client: Device) {
  const mine = peer.rows('projects').filter(({ ownerId }) => ownerId === 'ada').sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1))
  expect(plain(client.query.projects.orderBy('id').all())).toEqual(mine)
}

describe('what others change arrives', () => {
  test('rows put, changed, removed, truncated, and moved to somebody else', async () => {
    const fixture = createFixture()
    const { peer, clock, device } = fixture
    const client = device()
    peer.put('projects', project('p1'), project('p2'), project('p3'))
    await clock.advance(100)
    peer.put('projects', project('p1', 'changed'), { ...project('p2'), ownerId: 'eve' })
    peer.remove('projects', { id: 'p3' })
    await clock.advance(100)
    expect(titles(client)).toEqual(['changed'])
    peer.truncate('projects')
    await clock.advance(100)
    expect(titles(client)).toEqual([])
    expect(fixture.errors).toEqual([])
  })

  test('values of every form come back as they were, also from the disk', async () => {
    const { peer, clock, device } = createFixture()
    const first = device()
    peer.put('projects', { ...project('p1'), budget: -9_007_199_254_740_993n, settings: { deep: [1, null, 'é'] }, updatedAt: '2026-11-21T03:43:43.123456Z' })
    await clock.advance(100)
    const row = first.query.projects.first()
    expect(row).toMatchObject({ budget: -9_007_199_254_740_993n, settings: { deep: [1, null, 'é'] }, updatedAt: '2026-11-21T03:43:43.123456Z' })
    await first.close()
    const second = device()
    await second.ready
    expect(second.query.projects.first()).toEqual(row)
  })

  test('a lost scope takes its rows with it, unless another scope still holds them', async () => {
    const { peer, clock, device } = createFixture()
    peer.put('members', { projectId: 'p1', person: 'ada' }, { projectId: 'p1', person: 'bob' })
    peer.grant([me, scopeKey('user', 'bob')])
    const client = device()
    await clock.advance(100)
    expect(client.query.members.all()).toHaveLength(2)
    peer.grant([me])
    await clock.advance(100)
    expect(client.query.members.all().map(({ person }) => person)).toEqual(['ada'])
  })

  test('a row that belongs to no scope the device holds is not kept', async () => {
    const { clock, device, network } = createFixture()
    network.tamper = (frame) => [frame.includes('"checkpoint"') ? frame.replace('"tables":{}', '"tables":{"members":{"cleared":false,"gone":[],"put":[["p1","eve","owner"]]}}') : frame]
    const client = device()
    await clock.advance(100)
    expect(client.status.get().phase).toBe('live')
    expect(client.query.members.all()).toEqual([])
  })

  test('columns are matched by name: one more is ignored, one less is null, and a row that is none is left out and reported', async () => {
    const { clock, device, peer, errors, network } = createFixture()
    peer.options.columns = (table, columns) => (table === 'projects' ? ['extra', ...columns.filter((column) => column !== 'rank').reverse()] : columns)
    peer.put('projects', project('p1', 'One', 7))
    const client = device()
    await clock.advance(100)
    expect(client.query.projects.first()).toMatchObject({ id: 'p1', title: 'One', rank: null })
    network.tamper = (frame) => [frame.replace('"put":[[', '"put":[[1,2],[')]
    peer.put('projects', project('p2', 'Two'))
    await clock.advance(100)
    expect(titles(client)).toEqual(['One', 'Two'])
    expect(errors.map(({ code }) => code)).toEqual(['corrupt'])
  })

  test('a build that knows a column which the rows held lack loads them again, and shows them meanwhile', async () => {
    const { clock, device, peer } = createFixture()
    peer.options.columns = (_, columns) => columns.filter((column) => column !== 'rank')
    peer.put('projects', project('p1', 'One', 7))
    const first = device()
    await clock.advance(100)
    await first.close()
    peer.options.columns = (_, columns) => columns
    const second = device()
    await second.ready
    expect(second.query.projects.first()?.rank).toBeNull()
    await clock.advance(20)
    expect(second.query.projects.live().result()).toMatchObject({ rows: [{ title: 'One', rank: null }], state: 'partial' })
    await clock.advance(5_000)
    expect(second.query.projects.live().result()).toMatchObject({ rows: [{ rank: 7 }], state: 'complete' })
  })
})

describe('W3: mutations reach the server in the order they were made, without gaps', () => {
  test('over restarts, in pushes no larger than allowed', async () => {
    const { peer, clock, device, network } = createFixture()
    network.setOnline(false)
    for (let run = 0; run < 3; run++) {
      const client = device()
      await client.ready
      for (let n = 0; n < 120; n++) client.mutate.projects.insert({ id: `p${run}-${String(n).padStart(3, '0')}`, title: 'x', settings: 'é'.repeat(n % 40 === 0 ? 200_000 : 10) })
      await client.close()
    }
    network.setOnline(true)
    const last = device()
    await clock.advance(60_000)
    expect(last.status.get().pending).toBe(0)
    expect(peer.received.map(({ number }) => number)).toEqual(Array.from({ length: 360 }, (_, at) => at + 1))
    const pushes = network.frames.filter(({ frame }) => frame.startsWith('{"type":"push"'))
    expect(pushes.length).toBeGreaterThan(5)
    expect(Math.max(...pushes.map(({ frame }) => Buffer.byteLength(frame)))).toBeLessThan(1_048_576)
  })

  test('no more are under way at once than allowed', async () => {
    const { peer, clock, device, network } = createFixture()
    const client = device()
    await clock.advance(100)
    peer.options.refusePushes = true
    for (let n = 0; n < 400; n++) client.mutate.projects.insert({ id: `p${n}`, title: 'x' })
    await clock.advance(100)
    const sent = () => network.frames.filter(({ frame }) => frame.startsWith('{"type":"push"')).reduce((sum, { frame }) => sum + JSON.parse(frame).mutations.length, 0)
    expect(sent()).toBe(256)
    peer.options.refusePushes = false
    network.cut()
    await clock.advance(60_000)
    expect(client.status.get().pending).toBe(0)
    expect(peer.rows('projects')).toHaveLength(400)
  })
})

describe('R6: sync in any number of pieces, with any disconnections, equals sync in one piece', () => {
  test('two devices and psql write at random while the network breaks and devices restart', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), async (seed) => {
        const random = createRandom(seed)
        const fixture = createFixture({ pieceMax: 3 })
        const { peer, clock, device, network } = fixture
        const names = ['/a', '/b']
        const clients = names.map((name) => device('ada', name))
        const pick = (count: number) => Math.floor(random() * count)
        for (let turn = 0; turn < 40; turn++) {
          const which = pick(2)
          const client = clients[which]
          if (!client) continue
          const id = `p${pick(6)}`
          const act = pick(9)
          if (act === 0) client.mutate.projects.insert({ id, title: `t${turn}` })
          if (act === 1) client.mutate.projects.update({ id, rank: turn })
          if (act === 2) client.mutate.projects.delete({ id })
          if (act === 3) client.mutate.rename({ id, title: `r${turn}` })
          if (act === 4) client.mutate.bump({ id })
          if (act === 5) peer.put('projects', project(id, `psql${turn}`))
          if (act === 6) network.cut()
          if (act === 7) network.setOnline(random() < 0.6)
          if (act === 8) {
            await clock.advance(1)
            await client.close()
            clients[which] = device('ada', names[which])
          }
          await clock.advance(pick(12))
        }
        network.setOnline(true)
        await clock.advance(90_000)
        for (const client of clients) {
          expect(client.status.get()).toMatchObject({ phase: 'live', pending: 0 })
          expectLevel(fixture, client)
        }
        expect(fixture.errors).toEqual([])
      }),
      { numRuns: 60 },
    )
  }, 60_000)
})

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
    ['a second welcome', () => ['{"type":"welcome","version":1,"database":"db-1","history":"h-1","nonce":"x","resumed":true,"reason":"","last":0,"columns":{}}']],
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
      if (!frame.includes('"checkpoint"')) return frame.startsWith('{"type":"load"') ? (late.push(frame), []) : [frame]
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
  test('that falls silent is cut and made again', async () => {
    const { clock, device, network, peer } = createFixture()
    const client = device()
    await clock.advance(100)
    network.tamper = () => []
    await clock.advance(44_000)
    expect(client.status.get().phase).toBe('live')
    await clock.advance(5_000)
    expect(client.status.get().online).toBe(false)
    network.tamper = (frame) => [frame]
    peer.put('projects', project('p1'))
    await clock.advance(60_000)
    expect(titles(client)).toEqual(['p1'])
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
    for (const [failure, count] of [['wrong-user', 1], ['version', 1], ['unauthenticated', 4]] as const) {
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
    expect(peer.received.map(({ number, name }) => [number, name])).toEqual([[1, 'projects.insert'], [1, 'bump'], [2, 'projects.insert']])
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

test('R3: a checkpoint is seen as a whole, also while mutators run again', async () => {
  const { peer, clock, device } = createFixture()
  peer.put('projects', project('a', 'x', 1), project('b', 'x', 1))
  const client = device()
  await clock.advance(100)
  peer.options.refusePushes = true
  client.mutate.rename({ id: 'a', title: 'pending' })
  const live = client.query.projects.live()
  const sums = new Set<number>()
  const look = () => sums.add(client.query.projects.all().reduce((sum, { rank }) => sum + rank, 0))
  live.subscribe(look)
  for (let n = 1; n <= 5; n++) {
    peer.put('projects', project('a', 'x', n * 10), project('b', 'x', -n * 10 + 2))
    for (let tick = 0; tick < 12; tick++) {
      await clock.advance(1)
      look()
      await Promise.resolve()
      look()
    }
  }
  expect([...sums]).toEqual([2])
})
