import { describe, expect, test } from 'vitest'
import { createFixture, createSlowDisks, type Device, expectLevel, fill, project, titles } from './fixture.ts'
import { breathe } from './world.ts'

/** A device without a network, and somebody else's project under the id `taken`: whoever inserts it is refused. */
async function taken() {
  const fixture = createFixture()
  fixture.peer.put('projects', project('p1', 'One'), project('p2', 'Two'))
  const client = fixture.device()
  await fixture.clock.advance(100)
  fixture.network.setOnline(false)
  fixture.peer.put('projects', { ...project('taken', 'Taken'), ownerId: 'eve' })
  return { ...fixture, fixture, client }
}

const listed = (client: Device) => client.setAside.list().map(({ name, code, after }) => [name, code, after])

describe('W6, W7: what builds on a refused mutation', () => {
  test('is set aside with it if it was not sent, however many steps away; what is independent between them goes through, under the next number', async () => {
    const { client, device, network, clock, peer, fixture } = await taken()
    const first = client.mutate.projects.insert({ id: 'taken', title: 'Mine' })
    fill(client)
    const made = [
      client.mutate.projects.update({ id: 'taken', title: 'Mine, edited' }),
      client.mutate.projects.insert(project('p3', 'Independent')),
      client.mutate.close({ ids: ['taken', 'p2'] }),
      client.mutate.bump({ id: 'p2' }),
      client.mutate.bump({ id: 'p3' }),
    ] as const
    const [edited, independent, closed, bumped, behind] = made
    await breathe()
    expect(client.query.projects.where({ id: 'p2' }).first()).toMatchObject({ isOpen: false, rank: 1 })
    network.setOnline(true)
    await clock.advance(60_000)
    const lost = { type: 'refused', code: 'dependency', reason: 'What it builds on was refused.' }
    expect(await first.confirmed).toMatchObject({ type: 'refused', code: 'unique' })
    expect(await Promise.all(made.map(({ confirmed }) => confirmed))).toEqual([lost, { type: 'applied' }, lost, lost, { type: 'applied' }])
    const expected = [
      ['projects.insert', 'unique', null],
      ['projects.update', 'dependency', first.id],
      ['close', 'dependency', first.id],
      ['bump', 'dependency', first.id],
    ]
    expect(listed(client)).toEqual(expected)
    expect(peer.received.slice(-3).map(({ number, id }) => [number, id])).toEqual([
      [257, expect.any(String)],
      [258, independent.id],
      [259, behind.id],
    ])
    expect(peer.received.some(({ id }) => [edited.id, closed.id, bumped.id].includes(id))).toBe(false)
    // What travels has no member more than the protocol says.
    expect(network.frames.filter(({ to, frame }) => to === 'server' && frame.includes('"after"'))).toEqual([])
    expectLevel(fixture, client)
    await client.close()
    const second = device()
    await second.ready
    expect([listed(second), second.status.get()]).toMatchObject([expected, { pending: 0, setAside: 4 }])
    second.mutate.projects.insert(project('p4'))
    await clock.advance(1_000)
    expect(peer.received.at(-1)?.number).toBe(260)
    expectLevel(fixture, second)
  })

  test('is decided by the server if it was sent: listed behind it if that refuses it, and applied otherwise, also when the app restarts in between', async () => {
    const { client, device, network, clock, peer, fixture } = await taken()
    peer.put('projects', project('shared', 'Ours'))
    const refused = client.mutate.projects.insert({ id: 'taken', title: 'Mine' })
    const late = client.mutate.projects.update({ id: 'taken', title: 'Mine, edited' }, { expect: { title: 'Mine' } })
    const kept = client.mutate.projects.update({ id: 'taken', rank: 7 })
    await Promise.all([late.saved, kept.saved])
    // Sent, and no answer came.
    peer.options.refusePushes = true
    network.setOnline(true)
    await clock.advance(5_000)
    await client.close()
    peer.options.refusePushes = false
    // The outcome of the first arrives, and no others.
    network.tamper = (frame) => [frame.replace(/("outcomes":\[\{[^}]*"number":1[^}]*\}),.*\]/, '$1]')]
    const second = device()
    await second.ready
    await clock.advance(5_000)
    expect(listed(second)).toEqual([['projects.insert', 'unique', null]])
    expect(
      second.pending
        .get()
        .slice(-2)
        .map(({ id }) => id),
    ).toEqual([late.id, kept.id])
    await second.close()
    network.tamper = (frame) => [frame]
    const third = device()
    await third.ready
    await clock.advance(60_000)
    expect(listed(third)).toEqual([
      ['projects.insert', 'unique', null],
      ['projects.update', 'conflict', refused.id],
    ])
    expect(peer.rows('projects').find(({ id }) => id === 'taken')?.rank).toBe(7)
    expect(third.status.get()).toMatchObject({ pending: 0, setAside: 2 })
    expectLevel(fixture, third)
    await third.close()
    const fourth = device()
    await fourth.ready
    expect(fourth.setAside.list()).toEqual(third.setAside.list())
  })

  test('is tried again with it, in the order it was made and under new numbers; without it where it is discarded', async () => {
    const { client, network, clock, peer, fixture } = await taken()
    const first = client.mutate.projects.insert({ id: 'taken', title: 'Mine' })
    fill(client)
    client.mutate.projects.update({ id: 'taken', title: 'Edited' })
    const closed = client.mutate.close({ ids: ['taken', 'p2'] })
    client.mutate.projects.update({ id: 'taken', rank: 5 })
    await breathe()
    network.setOnline(true)
    await clock.advance(60_000)
    expect(client.setAside.list()).toHaveLength(4)
    // Refused on the device: nothing is tried.
    client.mutate.projects.insert(project('own'))
    await expect(client.setAside.retry(first.id, { args: { row: { ...Object(client.setAside.list()[0]?.args).row, id: 'own' } } })).rejects.toThrow(
      'such a row',
    )
    expect(client.setAside.list()).toHaveLength(4)
    await client.setAside.discard(closed.id)
    expect(listed(client).map(([, code]) => code)).toEqual(['unique', 'dependency', 'dependency'])
    peer.remove('projects', { id: 'taken' })
    await clock.advance(100)
    const before = peer.received.length
    const again = await client.setAside.retry(first.id)
    await clock.advance(1_000)
    expect(await again.confirmed).toEqual({ type: 'applied' })
    expect(client.setAside.list()).toEqual([])
    expect(peer.received.slice(before).map(({ number, name, args }) => [number, name, Object(args).row.title ?? Object(args).row.rank])).toEqual([
      [before + 1, 'projects.insert', 'Mine'],
      [before + 2, 'projects.update', 'Edited'],
      [before + 3, 'projects.update', 5],
    ])
    expect(client.query.projects.where({ id: 'taken' }).first()).toMatchObject({ title: 'Edited', rank: 5, isOpen: true })
    expectLevel(fixture, client)
  })

  test('waits with its number until the disk has it, so that a number never means two mutations', async () => {
    const { fixture, network, clock, peer, disks, device } = await taken()
    const { openDisk, hold, release } = createSlowDisks(disks.open)
    const client = device('ada', '/slow', { openDisk })
    network.setOnline(true)
    await clock.advance(5_000)
    network.tamper = (frame) => (frame.includes('"outcomes":[{') ? [] : [frame])
    client.mutate.projects.insert({ id: 'taken', title: 'Mine' })
    fill(client)
    const lost = client.mutate.bump({ id: 'taken' })
    const behind = client.mutate.projects.insert(project('p3', 'Independent'))
    await clock.advance(100)
    expect([peer.received.length, lost.state(), behind.state()]).toEqual([256, 'saved', 'saved'])
    hold()
    network.tamper = (frame) => [frame]
    network.cut()
    await clock.advance(10_000)
    // The disk does not know yet that it goes with the refused one, and neither what number the next has.
    expect(client.setAside.list().map(({ code }) => code)).toEqual(['unique'])
    expect(peer.received).toHaveLength(256)
    release()
    await clock.advance(100)
    expect(client.setAside.list().map(({ code }) => code)).toEqual(['unique', 'dependency'])
    await breathe()
    await clock.advance(10_000)
    expect([lost.state(), await behind.confirmed]).toEqual(['confirmed', { type: 'applied' }])
    expect(peer.received.at(-1)).toMatchObject({ number: 258, id: behind.id })
    expectLevel(fixture, client)
  })
})

test('W6: all that is set aside can be exported as text, for whoever helps', async () => {
  const { client, network, clock } = await taken()
  expect(client.setAside.export()).toBe('[]')
  const made = client.mutate.projects.insert({ id: 'taken', title: 'Mine' })
  network.setOnline(true)
  await clock.advance(60_000)
  const { id, name, args, at } = made
  expect(JSON.parse(client.setAside.export())).toEqual([{ id, name, args, at, code: 'unique', reason: 'exists', after: null }])
  expect(titles(client)).toEqual(['One', 'Two'])
})

test('W10: what was made for a mutator that is gone is tried again as another', async () => {
  const { client, network, clock, peer } = await taken()
  peer.options.refuseAll = 'unknown-mutator'
  const made = client.mutate.bump({ id: 'p1' })
  network.setOnline(true)
  await clock.advance(60_000)
  peer.options.refuseAll = ''
  await expect(client.setAside.retry(made.id, { name: 'nowhere' })).rejects.toMatchObject({ code: 'unknown-mutator' })
  const again = await client.setAside.retry(made.id, { name: 'rename', args: { id: 'p1', title: 'Bumped' } })
  await clock.advance(1_000)
  expect(await again.confirmed).toEqual({ type: 'applied' })
  expect([titles(client), client.setAside.list()]).toEqual([['Bumped (was One)', 'Two'], []])
})
