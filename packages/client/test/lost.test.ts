import { describe, expect, test } from 'vitest'
import { createFixture, expectLevel, type Fixture, project, titles } from './fixture.ts'

/** Ten seconds of a device that connects anew. */
async function meetAgain({ network, clock }: Fixture): Promise<void> {
  network.setOnline(false)
  await clock.advance(10)
  network.setOnline(true)
  await clock.advance(10_000)
}

async function online() {
  const fixture = createFixture()
  fixture.peer.put('projects', project('p1', 'One'))
  const client = fixture.device()
  await fixture.clock.advance(100)
  return { fixture, client, ...fixture }
}

describe('F4: after a lost tail', () => {
  test('the acknowledged mutations are back exactly once, in order, before what was pending', async () => {
    const { fixture, client, peer, clock, network, device } = await online()
    const first = client.mutate.rename({ id: 'p1', title: 'kept' })
    await clock.advance(100)
    const kept = peer.commits()
    const second = client.mutate.rename({ id: 'p1', title: 'lost' })
    const third = client.mutate.bump({ id: 'p1' })
    await clock.advance(100)
    expect(await third.confirmed).toEqual({ type: 'applied' })
    network.setOnline(false)
    const fourth = client.mutate.rename({ id: 'p1', title: 'pending' })
    await clock.advance(10)
    peer.lose(kept, true)
    peer.received.length = 0
    network.setOnline(true)
    await clock.advance(10_000)
    expect(peer.received.map(({ number, id }) => [number, id])).toEqual([
      [1, second.id],
      [2, third.id],
      [3, fourth.id],
    ])
    expect(first.state()).toBe('confirmed')
    expect(titles(client)).toEqual(['pending (was lost (was kept (was One)))'])
    expect(peer.rows('projects')[0]?.rank).toBe(1)
    expectLevel(fixture, client)
    expect(client.status.get()).toMatchObject({ pending: 0, setAside: 0, phase: 'live' })
    // Twice: it has nothing more to offer, whatever greets.
    await meetAgain(fixture)
    await client.close()
    await device().ready
    await meetAgain(fixture)
    expect(peer.received).toHaveLength(3)
  })

  test('they are back after a restart too, whether the disk was written anew or not', async () => {
    for (const updates of [0, 2_100]) {
      const { fixture, client, peer, clock, network, device } = await online()
      const kept = peer.commits()
      const made = client.mutate.bump({ id: 'p1' })
      await clock.advance(100)
      // These make the log outgrow the rows.
      for (let n = 0; n < updates; n++) peer.put('projects', project('p2', `Two ${n}`))
      await clock.advance(1_000)
      network.setOnline(false)
      await client.close()
      peer.lose(kept, true)
      peer.received.length = 0
      const reopened = device()
      network.setOnline(true)
      await clock.advance(10_000)
      expect(peer.received.map(({ id }) => id)).toEqual([made.id])
      expectLevel(fixture, reopened)
      expect(reopened.query.projects.where({ id: 'p1' }).first()?.rank).toBe(1)
      await reopened.close()
    }
  })

  test('a device that the database does not know any more offers all of it, and a refusal stays one', async () => {
    const { fixture, client, peer, clock } = await online()
    const kept = peer.commits()
    const applied = client.mutate.projects.insert(project('p2'))
    peer.options.refuseAll = 'closed'
    const refused = client.mutate.projects.insert(project('p3'))
    await clock.advance(100)
    peer.options.refuseAll = ''
    const last = client.mutate.projects.insert(project('p4'))
    await clock.advance(100)
    // The first was sent before it was refused.
    const isApplied = (await applied.confirmed).type === 'applied'
    expect((await refused.confirmed).type).toBe('refused')
    peer.lose(kept, true)
    peer.devices.clear()
    peer.received.length = 0
    await meetAgain(fixture)
    expect(peer.received.map(({ id, name }) => [id, name])).toEqual([
      [applied.id, isApplied ? 'projects.insert' : 'void'],
      [refused.id, 'void'],
      [last.id, 'projects.insert'],
    ])
    expect(client.setAside.list().map(({ id, code }) => [id, code])).toContainEqual([refused.id, 'closed'])
    expectLevel(fixture, client)
  })

  test('what is refused this time is put before the person', async () => {
    const { fixture, client, peer, clock } = await online()
    const kept = peer.commits()
    const made = client.mutate.projects.update({ id: 'p1', title: 'mine' }, { expect: { title: 'One' } })
    await clock.advance(100)
    expect(await made.confirmed).toEqual({ type: 'applied' })
    peer.lose(kept, true)
    peer.put('projects', project('p1', 'theirs'))
    await meetAgain(fixture)
    expect(client.setAside.list()).toMatchObject([{ id: made.id, code: 'conflict', args: { row: { id: 'p1', title: 'mine' } } }])
    expect(titles(client)).toEqual(['theirs'])
  })

  test('what is marked once is set aside, and sent only if the person tries it again', async () => {
    const { fixture, client, peer, clock } = await online()
    const kept = peer.commits()
    const paid = client.mutate.pay({ id: 'p1' })
    const bumped = client.mutate.bump({ id: 'p1' })
    await clock.advance(100)
    expect(await paid.confirmed).toEqual({ type: 'applied' })
    peer.lose(kept, true)
    peer.received.length = 0
    await meetAgain(fixture)
    expect(peer.received.map(({ id }) => id)).toEqual([bumped.id])
    expect(client.setAside.list()).toMatchObject([{ id: paid.id, name: 'pay', code: 'lost' }])
    await client.setAside.retry(paid.id)
    await clock.advance(100)
    expect(peer.received.map(({ name }) => name)).toEqual(['bump', 'pay'])
    expectLevel(fixture, client)
  })

  test('with nothing lost a device keeps its id, and offers nothing', async () => {
    const { fixture, client, peer, clock } = await online()
    client.mutate.bump({ id: 'p1' })
    await clock.advance(100)
    const { length } = peer.received
    peer.lose(peer.commits(), true)
    await meetAgain(fixture)
    expect(peer.received).toHaveLength(length)
    expect(peer.devices.size).toBe(1)
    expectLevel(fixture, client)
  })
})

test('restored on purpose: what was confirmed and is gone is shown, nothing of it is sent, and the outbox is kept', async () => {
  const { fixture, client, peer, clock, network } = await online()
  const kept = peer.commits()
  const gone = client.mutate.rename({ id: 'p1', title: 'gone' })
  peer.options.refuseAll = ''
  await clock.advance(100)
  network.setOnline(false)
  const pending = client.mutate.bump({ id: 'p1' })
  await clock.advance(10)
  peer.lose(kept, false)
  peer.received.length = 0
  await meetAgain(fixture)
  expect(peer.received.map(({ id }) => id)).toEqual([pending.id])
  expect(client.setAside.list()).toMatchObject([{ id: gone.id, name: 'rename', code: 'lost' }])
  expect(titles(client)).toEqual(['One'])
  expectLevel(fixture, client)
})

test("a store that was copied has nothing of what was confirmed before it: that is the other copy's to offer", async () => {
  const { fixture, client, peer, clock } = await online()
  const kept = peer.commits()
  client.mutate.bump({ id: 'p1' })
  await clock.advance(100)
  peer.options.failure = 'forked'
  await meetAgain(fixture)
  peer.options.failure = null
  await clock.advance(60_000)
  peer.lose(kept, true)
  peer.received.length = 0
  await meetAgain(fixture)
  expect(peer.received).toEqual([])
  expectLevel(fixture, client)
})

test('the largest mutations leave room for none before them, and the newest is always remembered', async () => {
  const { fixture, client, peer, clock } = await online()
  const kept = peer.commits()
  const large = 'x'.repeat(400_000)
  const made = ['a', 'b', 'c'].map((settings) => client.mutate.projects.update({ id: 'p1', settings: settings + large }))
  await clock.advance(1_000)
  expect(client.status.get().pending).toBe(0)
  peer.lose(kept, true)
  peer.received.length = 0
  await meetAgain(fixture)
  expect(peer.received.map(({ id }) => id)).toEqual([made[2]?.id])
})
