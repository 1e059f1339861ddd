import { HeadwaterError, scopeKey } from '@headwater/protocol'
import { expect, test } from 'vitest'
import { packedRows } from '../src/store/packing.ts'
import { me, message, project, titles } from './fixture.ts'
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

test.each([{}, { rows: packedRows() }])('R4: a tab that is opened while the rows of a load come has all of them when it is shown', async (options) => {
  const { clock, peer, network, open } = createTabs()
  for (const id of ['p1', 'p2']) peer.put('projects', project(id))
  const late: string[] = []
  network.tamper = (frame) => {
    if (frame.startsWith('{"type":"checkpoint"') && !frame.includes('"loads":[]')) late.push(frame)
    return late.length > 0 ? [] : [frame]
  }
  const one = open('ada', options)
  await clock.advance(100)
  const two = open('ada', options)
  await clock.advance(100)
  expect([one, two].map(({ client }) => titles(client))).toEqual([[], []])
  network.tamper = (frame) => [...late.splice(0), frame]
  peer.put('projects', project('p3'))
  await clock.advance(1_000)
  expect(late).toEqual([])
  for (const { client } of [one, two]) expect(titles(client)).toEqual(['p1', 'p2', 'p3'])
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

test('F8: a tab that leads and waits for its disk is not taken for frozen', async () => {
  const { all, clock, disks } = await opened(2)
  disks.hold(storeName())
  for (const [n, { client }] of all.entries()) client.mutate.projects.insert(project(`p${n}`))
  await clock.advance(20_000)
  disks.flush(storeName())
  await clock.advance(1_000)
  expect(disks.records(storeName()).filter((record) => record.includes('"leader"'))).toEqual([])
  for (const one of all) expect(shown(one)).toMatchObject({ rows: [{ id: 'p0' }, { id: 'p1' }], pending: [], status: { phase: 'live' } })
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

test('S7: a tab that was alone, and sleeps while another takes its place and signs out, shows and writes nothing when it wakes', async () => {
  const { all, world, clock, peer, disks } = await opened(1)
  const [one] = all
  if (!one) return
  peer.put('projects', project('secret'))
  await clock.advance(100)
  one.freeze()
  const two = world.open()
  await clock.advance(2_000)
  expect(titles(two.client)).toEqual(['secret'])
  await two.client.wipe()
  one.client.mutate.projects.insert(project('late'))
  await woken(one, clock)
  await clock.advance(10_000)
  expect(one.client.status.get()).toMatchObject({ phase: 'stopped', problem: { code: 'closed' } })
  expect([titles(one.client), one.client.pending.get()]).toEqual([[], []])
  expect([disks.records(storeName()), connections({ peer })]).toEqual([[], 0])
})

test('HC29: a tab of a newer build takes over in order; what it writes is not read by the others, which keep their rows, save what is made, and say reload', async () => {
  const { all, clock, peer, disks, tabs } = await opened(2)
  peer.put('projects', project('p1'))
  await clock.advance(100)
  const newer = tabs.open()
  const channel = newer.open(storeName(), () => {})
  let hasLock = false
  void newer.lock(storeName(), {}, () => {}).then(() => (hasLock = true))
  await clock.advance(1_000)
  expect(hasLock).toBe(false)
  channel.postMessage(JSON.stringify({ type: 'here', tab: 'newer', scopes: [], format: 2 }))
  await clock.advance(100)
  expect([hasLock, connections({ peer })]).toEqual([true, 0])
  const disk = await disks.open(storeName())
  await disk.read()
  await disk.replace(['{"headwater":2}', '{"of":"another time"}'], true)
  channel.postMessage(JSON.stringify({ type: 'news' }))
  await clock.advance(100)
  for (const [n, { client }] of all.entries()) {
    expect(client.status.get()).toMatchObject({ phase: 'stopped', problem: { code: 'reload' } })
    await client.mutate.projects.insert(project(`m${n}`)).saved
  }
  await clock.advance(30_000)
  expect(all.map(({ client }) => titles(client))).toEqual([
    ['m0', 'p1'],
    ['m1', 'p1'],
  ])
  expect((await disk.news()).filter((record) => record.includes('"made":[{'))).toHaveLength(2)
  expect(connections({ peer })).toBe(0)
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

test('a scope is held for as long as a living tab uses it, whichever leads, and is denied in the tab that asks', async () => {
  const { all, clock, peer } = await opened(3)
  const [one, two, three] = all
  if (!one || !two || !three) return
  peer.grant([me, scopeKey('project', 'p1')])
  peer.put('messages', message(1, 'p1'))
  await clock.advance(100)
  const [here, not] = [two.client.scope('project', 'p1'), two.client.scope('project', 'p9')]
  await clock.advance(1_000)
  expect([here.state(), not.state()]).toEqual(['ready', 'denied'])
  const counts = () => all.map(({ client }) => client.query.messages.all().length)
  expect(counts()).toEqual([1, 1, 1])
  await clock.advance(300_000)
  expect(counts()).toEqual([1, 1, 1])
  one.kill()
  await clock.advance(300_000)
  expect([here.state(), ...counts().slice(1)]).toEqual(['ready', 1, 1])
  two.kill()
  await clock.advance(300_000)
  expect(three.client.query.messages.all()).toEqual([])
  expect([...peer.sessions].map(({ held }) => [...held])).toEqual([[]])
})

test('W6 W7: what is refused is set aside in every tab, and can be given up or tried again in any; what is given up offline vanishes from all', async () => {
  const { all, clock, peer, network } = await opened(3)
  const [one, two, three] = all
  if (!one || !two || !three) return
  const refused = [two.client.mutate.half({ id: 'p1' }), two.client.mutate.projects.insert(project('p1'))]
  peer.options.refuseAll = 'no'
  await clock.advance(1_000)
  const ids = (tab: Tab) => tab.client.setAside.list().map(({ id }) => id)
  expect(all.map(ids)).toEqual(all.map(() => [refused[1]?.id]))
  peer.options.refuseAll = ''
  for (const { id } of three.client.setAside.list()) await three.client.setAside.retry(id)
  await clock.advance(1_000)
  expect(all.map(({ client }) => titles(client))).toEqual(all.map(() => ['p1']))
  expect(all.map(ids)).toEqual([[], [], []])
  network.setOnline(false)
  const made = two.client.mutate.projects.insert(project('p2'))
  await clock.advance(100)
  await three.client.pending.get()[0]?.discard()
  await clock.advance(100)
  expect(all.map(({ client }) => [titles(client), client.status.get().pending])).toEqual(all.map(() => [['p1'], 0]))
  expect(await made.confirmed).toMatchObject({ type: 'refused', code: 'void' })
})

test('F7: when the disk fails each tab says so and works on alone, and what it makes reaches the server', async () => {
  const { all, clock, disks } = await opened(3)
  disks.breakWith(storeName(), new HeadwaterError('disk-full', 'The disk is full.'))
  const made = all.map(({ client }, n) => client.mutate.projects.insert(project(`p${n}`)))
  await clock.advance(30_000)
  for (const one of made) await expect(one.saved).rejects.toMatchObject({ message: 'The disk is full.' })
  for (const { client } of all) {
    expect(titles(client)).toEqual(['p0', 'p1', 'p2'])
    expect(client.status.get()).toMatchObject({ phase: 'live', pending: 0, problem: { code: expect.stringMatching(/^disk/) } })
  }
})

test('R4: rows that lie packed, and a log that is written anew, are the same in every tab, in one that comes later, and where another leads', async () => {
  const world = createTabs()
  const { clock, peer, disks } = world
  peer.put('projects', ...Array.from({ length: 3_000 }, (_, n) => project(`p${n}`)))
  const open = () => world.open('ada', { rows: packedRows() })
  const all = [open()]
  await clock.advance(1_000)
  all.push(open())
  await clock.advance(1_000)
  for (let n = 0; n < 30; n++) {
    peer.put('projects', ...Array.from({ length: 300 }, (_, at) => project(`p${at}`, `Again ${n}`)))
    await clock.advance(50)
  }
  await clock.advance(1_000)
  // Twelve thousand rows came, and three thousand are there.
  expect(disks.records(storeName()).join('').match(/Again/g)?.length).toBeLessThan(5_000)
  all.push(open())
  await clock.advance(1_000)
  all[0]?.kill()
  all[1]?.client.mutate.projects.insert(project('last'))
  await clock.advance(5_000)
  const expected = peer.rows('projects').length
  for (const { client } of all.slice(1)) {
    expect(client.query.projects.all().length).toBe(expected)
    expect(client.query.projects.where({ title: 'Again 29' }).all().length).toBe(300)
    expect(client.status.get()).toMatchObject({ phase: 'live', pending: 0, problem: null })
  }
})
