import { mutationId } from '@headwater/protocol'
import { describe, expect, test } from 'vitest'
import { createFixture, createSlowDisks, expectLevel, fill, project, titles } from './fixture.ts'
import { breathe } from './world.ts'

async function online() {
  const fixture = createFixture()
  fixture.peer.put('projects', project('p1', 'One'), project('p2', 'Two'))
  const client = fixture.device()
  await fixture.clock.advance(100)
  return { ...fixture, fixture, client }
}

describe('HC20 what waits can be seen and given up', () => {
  test('what was not sent vanishes with what it shows, and what is behind it moves up', async () => {
    const { client, network, clock, peer, fixture, device } = await online()
    network.setOnline(false)
    const [first, second, third] = [
      client.mutate.projects.insert(project('p3')),
      client.mutate.rename({ id: 'p1', title: 'Renamed' }),
      client.mutate.projects.insert(project('p4')),
    ]
    await breathe()
    expect(client.pending.get().map(({ id, name, state }) => [id, name, state()])).toEqual([
      [first.id, 'projects.insert', 'saved'],
      [second.id, 'rename', 'saved'],
      [third.id, 'projects.insert', 'saved'],
    ])
    await second.discard()
    expect(titles(client)).toEqual(['One', 'Two', 'p3', 'p4'])
    expect(await second.confirmed).toEqual({ type: 'refused', code: 'void', reason: 'Discarded.' })
    expect(client.pending.get().map(({ id }) => id)).toEqual([first.id, third.id])
    expect(client.setAside.list()).toEqual([])
    // Twice, and of what is not there: nothing.
    await second.discard()
    await client.setAside.discard(mutationId('nothing'))
    // A tab that died now.
    const [before] = client.pending.get()
    await client.close()
    const reopened = device()
    await reopened.ready
    expect(reopened.pending.get().map(({ id, args }) => [id, args])).toEqual([
      [first.id, before?.args],
      [third.id, third.args],
    ])
    network.setOnline(true)
    await clock.advance(60_000)
    expect(peer.received.map(({ number, id }) => [number, id])).toEqual([
      [1, first.id],
      [2, third.id],
    ])
    expect(reopened.pending.get()).toEqual([])
    expectLevel(fixture, reopened)
  })

  test('what may have been sent is voided under its number, also by another start of the app', async () => {
    const { client, network, clock, peer, fixture, device } = await online()
    peer.options.refusePushes = true
    const made = client.mutate.projects.insert(project('p3'))
    client.mutate.projects.insert(project('p4'))
    await clock.advance(100)
    expect(made.state()).toBe('sent')
    network.setOnline(false)
    peer.options.refusePushes = false
    await client.close()
    const second = device()
    await second.ready
    const [restored] = second.pending.get()
    if (!restored) throw new Error('nothing is pending')
    expect(restored.state()).toBe('saved')
    await restored.saved
    await restored.discard()
    expect(titles(second)).toEqual(['One', 'Two', 'p4'])
    expect([second.pending.get().length, second.status.get().pending]).toEqual([1, 1])
    await second.close()
    const third = device()
    await third.ready
    expect([titles(third), third.status.get().pending]).toEqual([['One', 'Two', 'p4'], 1])
    network.setOnline(true)
    await clock.advance(60_000)
    expect(peer.received.map(({ number, name, args, id }) => [number, name, args, id === made.id])).toEqual([
      [1, 'void', null, true],
      [2, 'projects.insert', { row: expect.objectContaining({ id: 'p4' }) }, false],
    ])
    expect([third.setAside.list(), third.status.get().pending]).toEqual([[], 0])
    expectLevel(fixture, third)
    await third.close()
    const fourth = device()
    await fourth.ready
    expect([fourth.setAside.list(), titles(fourth)]).toEqual([[], ['One', 'Two', 'p4']])
  })

  test('what was carried out before its void came stays, and its confirmation says so', async () => {
    const { client, network, clock, peer, fixture } = await online()
    network.tamper = (frame) => (frame.includes('"outcomes":[{') ? [] : [frame])
    const made = client.mutate.projects.insert(project('p3'))
    await clock.advance(50)
    expect([peer.received.length, made.state()]).toEqual([1, 'sent'])
    await made.discard()
    expect(titles(client)).toEqual(['One', 'Two'])
    network.tamper = (frame) => [frame]
    network.cut()
    await clock.advance(5_000)
    expect(await made.confirmed).toEqual({ type: 'applied' })
    expect(titles(client)).toEqual(['One', 'Two', 'p3'])
    expect(client.status.get().pending).toBe(0)
    expectLevel(fixture, client)
  })

  test('at once with everything else: before the disk is read, while a mutator runs, and all of them', async () => {
    const { device, clock, network, peer } = createFixture()
    network.setOnline(false)
    const client = device()
    const early = client.mutate.projects.insert(project('p1'))
    const discarded = early.discard()
    expect(titles(client)).toEqual(['p1'])
    await discarded
    expect(titles(client)).toEqual([])
    client.mutate.projects.insert(project('p2'))
    const running = client.mutate.bump({ id: 'p2' })
    await running.discard()
    expect(client.query.projects.where({ id: 'p2' }).first()?.rank).toBe(0)
    await Promise.all(client.pending.get().map((one) => one.discard()))
    expect([titles(client), client.status.get().pending]).toEqual([[], 0])
    network.setOnline(true)
    await clock.advance(60_000)
    expect(peer.received).toEqual([])
  })

  test('the list is another when one of them is in another state, and the same while nothing changed', async () => {
    const { client, clock, network } = await online()
    const lists = new Set<unknown>()
    const states: string[] = []
    client.pending.subscribe(() => {
      const list = client.pending.get()
      if (!lists.has(list)) states.push(list.map(({ state }) => state()).join())
      lists.add(list)
    })
    client.mutate.projects.insert(project('p3'))
    expect(client.pending.get()).toBe(client.pending.get())
    await clock.advance(100)
    expect(states).toEqual(['made', 'saved', 'sent', ''])
    network.cut()
    await clock.advance(10_000)
    expect(lists.size).toBe(4)
  })
})

test('what moves up is not sent under its new number before the disk has it', async () => {
  const fixture = createFixture()
  const { peer, clock, network, disks, device } = fixture
  peer.put('projects', project('p1', 'One'))
  const { openDisk, hold, release } = createSlowDisks(disks.open)
  const client = device('ada', '/', { openDisk })
  await clock.advance(100)
  network.tamper = (frame) => (frame.includes('"outcomes":[{') ? [] : [frame])
  fill(client)
  const [given, behind] = [client.mutate.bump({ id: 'p1' }), client.mutate.projects.insert(project('p2'))]
  await behind.saved
  await clock.advance(100)
  expect([given.state(), behind.state(), peer.received.length]).toEqual(['saved', 'saved', 256])
  hold()
  const discarded = given.discard()
  network.tamper = (frame) => [frame]
  network.cut()
  await clock.advance(10_000)
  expect(peer.received).toHaveLength(256)
  release()
  await discarded
  await clock.advance(10_000)
  expect(await behind.confirmed).toEqual({ type: 'applied' })
  expect(peer.received.slice(256).map(({ number, id }) => [number, id])).toEqual([[257, behind.id]])
  expectLevel(fixture, client)
})

test('one of 10,000 mutations that wait offline is given up, and the others wait on', async () => {
  const { client, network } = await online()
  network.setOnline(false)
  const made = Array.from({ length: 10_000 }, (_, n) => client.mutate.projects.insert(project(`q${n}`)))
  await breathe()
  expect(client.status.get().pending).toBe(10_000)
  await made[5_000]?.discard()
  expect(client.pending.get()).toHaveLength(9_999)
  expect(client.query.projects.where({ id: 'q5000' }).first()).toBeUndefined()
})
