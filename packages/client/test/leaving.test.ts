import { expect, test } from 'vitest'
import { diskName } from '../src/address.ts'
import { createFixture, expectLevel, project, titles } from './fixture.ts'
import { createNotes } from './notes.ts'
import { breathe } from './world.ts'

const name = diskName('ada', 'http://server/')

async function offline() {
  const fixture = createFixture()
  const notes = createNotes()
  fixture.peer.put('projects', project('p1', 'One'))
  const device = () => fixture.device('ada', '/', { note: notes.note })
  const client = device()
  await fixture.clock.advance(100)
  fixture.network.setOnline(false)
  return { ...fixture, ...notes, fixture, device, client }
}

test.each([0, 1])(
  'HC28, W1: a page that closes in the task of a mutation loses nothing, whether its append landed (%i) or not, and it is applied once',
  async (landed) => {
    const { fixture, client, device, disks, texts, leave, network, clock, peer } = await offline()
    disks.hold(name)
    const made = client.mutate.projects.insert(project('p2', 'Two'))
    leave()
    expect(made.state()).toBe('made')
    expect([...texts.values()].join()).toContain(made.id)
    await breathe()
    disks.crash(name, landed)
    const second = device()
    await second.ready
    expect([titles(second), second.pending.get().map(({ id }) => id)]).toEqual([['One', 'Two'], [made.id]])
    await clock.advance(10)
    expect(texts.size).toBe(0)
    await second.close()
    const third = device()
    await third.ready
    expect([titles(third), third.status.get().pending]).toEqual([['One', 'Two'], 1])
    network.setOnline(true)
    await clock.advance(60_000)
    expect(peer.received.map(({ number, id }) => [number, id])).toEqual([[1, made.id]])
    expectLevel(fixture, third)
  },
)

test('HC28: what a mutator makes of the same task is left as well, in the order it was made', async () => {
  const { client, device, disks, leave } = await offline()
  disks.hold(name)
  client.mutate.projects.insert(project('p2', 'Two'))
  client.mutate.rename({ id: 'p2', title: 'Renamed' })
  // A page closes after the microtasks of what it was doing.
  await breathe()
  leave()
  disks.crash(name)
  const second = device()
  await second.ready
  await breathe()
  expect(titles(second)).toEqual(['One', 'Renamed (was Two)'])
  expect(second.pending.get().map((one) => one.name)).toEqual(['projects.insert', 'rename'])
})

test('HC28: a page that was only hidden leaves nothing once all is saved, and one that was closed is not asked any more', async () => {
  const { client, disks, texts, leaving, leave, clock } = await offline()
  disks.hold(name)
  client.mutate.projects.insert(project('p2', 'Two'))
  leave()
  expect(texts.size).toBe(1)
  disks.flush(name)
  await clock.advance(10)
  leave()
  expect(texts.size).toBe(0)
  await client.close()
  expect(leaving.size).toBe(0)
})

test('S7: what was left goes with the store', async () => {
  const { client, device, disks, texts, leave } = await offline()
  disks.hold(name)
  client.mutate.projects.insert(project('p2', 'Two'))
  leave()
  disks.crash(name)
  const second = device()
  await second.ready
  await second.wipe()
  expect([texts.size, disks.records(name)]).toEqual([0, []])
})

test('a page that works in memory leaves what another left', async () => {
  const { client, device, disks, texts, leave } = await offline()
  disks.hold(name)
  client.mutate.projects.insert(project('p2', 'Two'))
  leave()
  const left = [...texts]
  const second = device()
  await second.ready
  expect(second.status.get().problem?.code).toBe('disk-blocked')
  await second.close()
  expect([...texts]).toEqual(left)
})
