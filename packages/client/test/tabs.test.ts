import { expect, test } from 'vitest'
import { project, titles } from './fixture.ts'
import { createTabs, shown, storeName, type Tab, type Tabs } from './tabs.ts'
import { breathe } from './world.ts'

/** Tabs that are open, level, and of which the first leads. */
async function opened(count: number, world: Tabs = createTabs()) {
  const all: Tab[] = []
  for (let n = 0; n < count; n++) {
    all.push(world.open())
    await world.clock.advance(100)
  }
  return { ...world, world, all }
}

/** A tab that wakes runs what waited, a task at a time, which takes no time by the clock. */
async function woken(tab: Tab, clock: Tabs['clock']): Promise<void> {
  tab.wake()
  for (let turn = 0; turn < 10; turn++) {
    for (let task = 0; task < 30; task++) await breathe()
    await clock.advance(200)
  }
}

const connections = ({ peer }: Pick<Tabs, 'peer'>) => peer.sessions.size

test('W3: five tabs write at once, are equal, and one of them talks to the server', async () => {
  const { all, clock, peer, disks } = await opened(5)
  expect(connections({ peer })).toBe(1)
  // Who comes is answered, and takes nobody's place.
  expect(disks.records(storeName()).filter((record) => record.includes('"leader"'))).toEqual([])
  for (const [n, { client }] of all.entries()) client.mutate.projects.insert(project(`p${n}`))
  for (const [n, { client }] of all.entries()) expect(titles(client)).toEqual([`p${n}`])
  await clock.advance(1_000)
  const first = all.map(shown)
  expect(first[0]?.rows.map(({ id }) => id)).toEqual(['p0', 'p1', 'p2', 'p3', 'p4'])
  expect(first[0]?.status).toMatchObject({ phase: 'live', online: true, pending: 0, problem: null })
  for (const one of first) expect(one).toEqual(first[0])
  expect(peer.received.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5])
  expect([peer.devices.size, connections({ peer })]).toEqual([1, 1])
})

test('W1: what tabs make offline is in all of them, and reaches the server once and in the order of the disk', async () => {
  const { all, clock, peer, network } = await opened(3)
  network.setOnline(false)
  await clock.advance(100)
  const made = all.map(({ client }, n) => client.mutate.projects.insert(project(`p${n}`)))
  await clock.advance(100)
  for (const one of made) await one.saved
  for (const one of all) expect(shown(one)).toEqual(all[0] && shown(all[0]))
  expect(all[1]?.client.status.get()).toMatchObject({ online: false, pending: 3 })
  network.setOnline(true)
  await clock.advance(60_000)
  expect(peer.received.map(({ id }) => id)).toEqual(made.map(({ id }) => id))
  for (const one of all) expect(shown(one)).toEqual(all[0] && shown(all[0]))
  expect(await Promise.all(made.map((one) => one.confirmed))).toEqual(made.map(() => ({ type: 'applied' })))
})

test('F8: when the tab that leads dies, another leads at once, and what was made goes on', async () => {
  const { all, clock, peer } = await opened(3)
  const [one, two, three] = all
  if (!one || !two || !three) return
  one.client.mutate.projects.insert(project('p1'))
  await clock.advance(2)
  one.kill()
  two.client.mutate.projects.insert(project('p2'))
  await clock.advance(900)
  expect([titles(two.client), titles(three.client)]).toEqual([
    ['p1', 'p2'],
    ['p1', 'p2'],
  ])
  expect(two.client.status.get()).toMatchObject({ phase: 'live', pending: 0 })
  expect(shown(three)).toEqual(shown(two))
  expect(connections({ peer })).toBe(1)
})

test('F8: a frozen tab that leads is replaced within a second; when it wakes it follows, and writes nothing of its own', async () => {
  const { all, clock, peer, disks } = await opened(3)
  const [one, two, three] = all
  if (!one || !two || !three) return
  one.freeze()
  const made = two.client.mutate.projects.insert(project('p2'))
  await clock.advance(1_000)
  expect(made.state()).toBe('confirmed')
  const before = disks.records(storeName()).length
  peer.put('projects', project('p3'))
  await clock.advance(100)
  await woken(one, clock)
  for (const tab of all) expect(titles(tab.client)).toEqual(['p2', 'p3'])
  expect(shown(one)).toEqual(shown(two))
  expect(connections({ peer })).toBe(1)
  expect(disks.records(storeName()).length).toBe(before + 1)
  one.client.mutate.projects.insert(project('p4'))
  await clock.advance(1_000)
  expect(titles(three.client)).toEqual(['p2', 'p3', 'p4'])
})

test('S7: signing out in one tab closes the others at once, and leaves nothing in them and on the disk', async () => {
  const { all, clock, peer, disks, texts } = await opened(3)
  const [one, two, three] = all
  if (!one || !two || !three) return
  peer.put('projects', project('secret'))
  await clock.advance(100)
  three.freeze()
  await two.client.wipe()
  await clock.advance(10)
  expect(one.client.status.get()).toMatchObject({ phase: 'stopped', problem: { code: 'closed' } })
  expect(titles(one.client)).toEqual([])
  three.client.mutate.projects.insert(project('late'))
  await woken(three, clock)
  expect([titles(three.client), three.client.pending.get()]).toEqual([[], []])
  expect([disks.records(storeName()), texts.size, connections({ peer })]).toEqual([[], 0, 0])
})

test('a tab that closes leaves the others, whether it leads or follows', async () => {
  const { all, clock, peer } = await opened(3)
  const [one, two, three] = all
  if (!one || !two || !three) return
  await three.client.close()
  await one.client.close()
  await clock.advance(1_000)
  peer.put('projects', project('p1'))
  await clock.advance(100)
  expect([titles(two.client), two.client.status.get().phase]).toEqual([['p1'], 'live'])
})
