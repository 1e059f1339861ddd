import { scopeKey } from '@headwater/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createFixture, expectLevel, me, project, titles } from './fixture.ts'
import { createRandom } from './world.ts'

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
    network.tamper = (frame) => [
      frame.includes('"checkpoint"') ? frame.replace('"tables":{}', '"tables":{"members":{"cleared":false,"gone":[],"put":[["p1","eve","owner"]]}}') : frame,
    ]
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
      for (let n = 0; n < 120; n++)
        client.mutate.projects.insert({ id: `p${run}-${String(n).padStart(3, '0')}`, title: 'x', settings: 'é'.repeat(n % 40 === 0 ? 200_000 : 10) })
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
    const sent = () =>
      network.frames.filter(({ frame }) => frame.startsWith('{"type":"push"')).reduce((sum, { frame }) => sum + JSON.parse(frame).mutations.length, 0)
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
