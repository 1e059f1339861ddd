import { expect, test } from 'vitest'
import { createFixture } from './fixture.ts'

test('a row of the server is shown, and a row made here reaches the server', async () => {
  const { peer, clock, device, errors } = createFixture()
  peer.put('projects', { id: 'p1', ownerId: 'ada', title: 'One', rank: 1, isOpen: true })
  const client = device()
  expect(client.status.get().phase).toBe('starting')
  const query = client.query.projects.orderBy('title').live()
  expect(query.result()).toEqual({ rows: [], state: 'loading' })
  await client.ready
  await clock.advance(100)
  expect(client.status.get()).toEqual({ online: true, phase: 'live', loading: null, pending: 0, setAside: 0, problem: null })
  expect(query.result().rows.map(({ title }) => title)).toEqual(['One'])
  expect(query.result().state).toBe('complete')

  const made = client.mutate.projects.insert({ id: 'p2', title: 'Two' })
  expect(query.result().rows.map(({ title }) => title)).toEqual(['One', 'Two'])
  expect(made.state()).toBe('made')
  await made.saved
  expect(made.state()).toBe('saved')
  await clock.advance(100)
  expect(made.state()).toBe('confirmed')
  expect(await made.confirmed).toEqual({ type: 'applied' })
  expect(peer.rows('projects')).toHaveLength(2)
  expect(errors).toEqual([])
  await client.close()
})

test('what a device holds and what it has not sent survive a restart', async () => {
  const { peer, clock, device, network } = createFixture()
  peer.put('projects', { id: 'p1', ownerId: 'ada', title: 'One', rank: 1, isOpen: true })
  const first = device()
  await clock.advance(100)
  network.setOnline(false)
  const made = first.mutate.projects.update({ id: 'p1', title: 'Changed' })
  await made.saved
  await first.close()

  const second = device()
  await second.ready
  expect(second.query.projects.all().map(({ title }) => title)).toEqual(['Changed'])
  expect(second.status.get().pending).toBe(1)
  network.setOnline(true)
  await clock.advance(60_000)
  expect(second.status.get().pending).toBe(0)
  expect(peer.rows('projects')[0]?.title).toBe('Changed')
  expect(peer.received).toHaveLength(1)
  await second.close()
})
