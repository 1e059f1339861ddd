import { HeadwaterError } from '@headwater/protocol'
import { describe, expect, test } from 'vitest'
import { diskName } from '../src/address.ts'
import { fileNameOf } from '../src/disk/file.ts'
import type { Disk } from '../src/ports.ts'
import { createFixture, type Device } from './fixture.ts'
import { breathe } from './world.ts'

const project = (id: string, title = id, rank = 0) => ({ id, ownerId: 'ada', title, rank, isOpen: true })
const titles = (client: Device) =>
  client.query.projects
    .orderBy('id')
    .all()
    .map(({ title }) => title)
const name = diskName('ada', 'http://server/')
const full = new HeadwaterError('disk-full', 'The disk is full.', 'Make room.')

async function synced() {
  const fixture = createFixture()
  fixture.peer.put('projects', project('p1'), project('p2'))
  const client = fixture.device()
  await fixture.clock.advance(100)
  return { ...fixture, client }
}

/** Lays these records on the disk of a device that is closed. */
async function lay({ disks }: Pick<Awaited<ReturnType<typeof synced>>, 'disks'>, change: (records: string[]) => readonly string[]) {
  const records = change([...disks.records(name)])
  const disk = await disks.open(name)
  await disk.read()
  await disk.wipe()
  await disk.append(records, { strict: true })
  await disk.close()
  return records
}

describe('W1: what was reported saved survives', () => {
  test('whatever part of what was not yet reported reaches the disk when the process dies', async () => {
    for (let landed = 0; landed < 4; landed++) {
      const { disks, device, clock, client, network, peer } = await synced()
      network.setOnline(false)
      await client.mutate.projects.insert({ id: 'saved', title: 'saved' }).saved
      disks.hold(name)
      const lost: string[] = []
      for (const id of ['a', 'b', 'c']) {
        const made = client.mutate.projects.insert({ id, title: id })
        made.saved.then(
          () => lost.push(id),
          () => {},
        )
        await breathe()
      }
      expect(lost).toEqual([])
      disks.crash(name, landed)
      const second = device()
      await second.ready
      const here = second.query.projects
        .orderBy('id')
        .all()
        .map(({ id }) => id)
      expect(here).toContain('saved')
      expect([
        ['p1', 'p2', 'saved'],
        ['a', 'p1', 'p2', 'saved'],
        ['a', 'b', 'c', 'p1', 'p2', 'saved'],
      ]).toContainEqual(here)
      network.setOnline(true)
      await clock.advance(60_000)
      expect(second.status.get()).toMatchObject({ phase: 'live', pending: 0 })
      expect(
        peer
          .rows('projects')
          .map(({ id }) => String(id))
          .sort(),
      ).toEqual(here)
    }
  })

  test('a mutation is on the disk before it is sent, and what is made in one turn goes there together', async () => {
    const { disks, clock, client, network } = await synced()
    disks.hold(name)
    const made = [1, 2, 3].map((n) => client.mutate.projects.insert({ id: `n${n}`, title: 'x' }))
    await clock.advance(1_000)
    expect(disks.waiting(name)).toBe(1)
    expect(made.map((one) => one.state())).toEqual(['made', 'made', 'made'])
    expect(network.frames.some(({ frame }) => frame.startsWith('{"type":"push"'))).toBe(false)
    disks.flush(name)
    await clock.advance(100)
    expect(made.map((one) => one.state())).toEqual(['confirmed', 'confirmed', 'confirmed'])
    expect(network.frames.filter(({ frame }) => frame.startsWith('{"type":"push"'))).toHaveLength(1)
  })

  test('confirmed is said only when the checkpoint is on the disk too', async () => {
    const { disks, clock, client, network } = await synced()
    const made = client.mutate.projects.insert({ id: 'n', title: 'x' })
    await made.saved
    disks.hold(name)
    await clock.advance(100)
    expect(network.frames.at(-1)?.frame).toContain('"outcomes":[{"number":1')
    expect(made.state()).toBe('sent')
    disks.flush(name)
    await clock.advance(1)
    expect(made.state()).toBe('confirmed')
  })
})

describe('R2: a device never goes back in time', () => {
  test('rows and cursor come back as of the same checkpoint, wherever the disk was cut off', async () => {
    const fixture = await synced()
    const { peer, clock, client, device, network } = fixture
    for (let n = 1; n <= 5; n++) {
      peer.put('projects', project('p1', `a${n}`), project('p2', `a${n}`))
      await clock.advance(50)
    }
    await client.close()
    const all = fixture.disks.records(name)
    network.setOnline(false)
    for (let count = 1; count <= all.length; count++) {
      await lay(fixture, () => all.slice(0, count))
      const second = device()
      await second.ready
      const [one, two] = titles(second)
      expect(one).toBe(one === 'p1' ? 'p1' : two)
      await second.close()
    }
    await lay(fixture, () => all)
    network.setOnline(true)
    const last = device()
    await last.ready
    expect(titles(last)).toEqual(['a5', 'a5'])
  })
})

describe('a store that was damaged', () => {
  async function damaged(change: (records: string[]) => readonly string[]) {
    const fixture = await synced()
    const { client, network, device, clock, peer } = fixture
    client.mutate.projects.insert({ id: 'sent', title: 'sent' })
    await clock.advance(100)
    network.setOnline(false)
    await clock.advance(1)
    await client.mutate.projects.insert({ id: 'p8', title: 'eight' }).saved
    await client.mutate.projects.insert({ id: 'p9', title: 'nine' }).saved
    await client.close()
    await lay(fixture, change)
    const second = device()
    await second.ready
    const offline = { titles: titles(second), pending: second.status.get().pending }
    network.setOnline(true)
    await clock.advance(60_000)
    expect(second.status.get()).toMatchObject({ phase: 'live', pending: 0 })
    expect([...titles(second)].sort()).toEqual(
      peer
        .rows('projects')
        .map(({ title }) => title)
        .sort(),
    )
    await second.close()
    const third = device()
    await third.ready
    expect(titles(third)).toEqual(titles(second))
    return { ...fixture, offline }
  }

  test('drops rows and cursor, keeps the outbox, and loads again', async () => {
    const { offline, peer } = await damaged((records) => records.map((record) => (record.startsWith('{"type":"checkpoint"') ? record.slice(0, -9) : record)))
    expect(offline).toEqual({ titles: ['eight', 'nine', 'sent'], pending: 3 })
    expect(offline.pending).toBeGreaterThanOrEqual(2)
    expect(new Set(peer.received.map(({ id }) => id)).size).toBe(3)
  })

  test('of which one mutation cannot be read keeps the others, exactly once, under new numbers', async () => {
    const { offline, peer } = await damaged((records) =>
      records.map((record) => (record.includes('"eight"') ? record.replace('"number":0', '"number":-2') : record)),
    )
    expect(offline).toEqual({ titles: ['nine'], pending: 1 })
    expect(peer.rows('projects').map(({ id }) => id)).not.toContain('p8')
    expect(peer.rows('projects').map(({ id }) => id)).toContain('p9')
    expect(peer.devices.size).toBe(2)
  })

  test.each([
    ['a header that is none', (records: string[]) => ['x', ...records.slice(1)]],
    ['a record in the middle', (records: string[]) => [...records.slice(0, 2), '{"type":"surprise"}', ...records.slice(2)]],
    ['a load that is gone', (records: string[]) => records.map((record) => (record.startsWith('{"type":"load"') ? '' : record))],
    ['its identity', (records: string[]) => records.map((record) => record.replace('"device":"', '"device":5,"x":"'))],
  ])('%s', async (_, change) => {
    expect((await damaged(change)).offline).toMatchObject({ pending: 2 })
  })

  test('by a newer app is not opened, and nothing of it is touched', async () => {
    const fixture = await synced()
    await fixture.client.close()
    const records = await lay(fixture, (before) => ['{"headwater":2}', ...before.slice(1)])
    const opened = fixture.network.opened.count
    const second = fixture.device()
    const early = second.mutate.projects.insert({ id: 'early', title: 'x' })
    await expect(second.ready).rejects.toMatchObject({ code: 'store-version' })
    expect(second.status.get()).toMatchObject({ phase: 'stopped', problem: { code: 'store-version' } })
    await expect(early.saved).rejects.toMatchObject({ code: 'store-version' })
    await expect(second.mutate.projects.insert({ id: 'late', title: 'x' }).saved).rejects.toMatchObject({ code: 'store-version' })
    await fixture.clock.advance(60_000)
    expect(second.query.projects.all()).toEqual([])
    expect(fixture.network.opened.count).toBe(opened)
    expect(fixture.disks.records(name)).toEqual(records)
  })
})

describe('the log of a disk', () => {
  test('is written anew when it has outgrown the rows, without losing what comes meanwhile', async () => {
    const fixture = await synced()
    const { peer, clock, client, device, network, disks } = fixture
    const rows = Array.from({ length: 500 }, (_, n) => project(`r${n}`))
    for (let round = 0; round < 20; round++) {
      peer.put('projects', ...rows.map((row) => ({ ...row, rank: round })))
      await clock.advance(20)
    }
    network.setOnline(false)
    await client.mutate.projects.insert({ id: 'pending', title: 'pending' }).saved
    await clock.advance(1_000)
    expect(disks.records(name).length).toBeLessThan(16)
    await client.close()
    const second = device()
    await second.ready
    expect(second.query.projects.where({ rank: 19 }).all()).toHaveLength(500)
    expect(second.status.get().pending).toBe(1)
    network.setOnline(true)
    await clock.advance(60_000)
    expect(network.frames.filter(({ frame }) => frame.startsWith('{"type":"hello"')).at(-1)?.frame).not.toContain('"cursor":null')
    expect(second.query.projects.all()).toHaveLength(503)
  })
})

describe('F7: a disk that fails', () => {
  test('is said plainly; nothing is shown as saved that is not; sync goes on; and what was not saved is once there is room', async () => {
    const { disks, clock, client, peer, device, network, errors } = await synced()
    disks.breakWith(name, full)
    const made = client.mutate.projects.insert({ id: 'p3', title: 'three' })
    await expect(made.saved).rejects.toBe(full)
    expect(made.state()).not.toBe('saved')
    expect(client.status.get().problem).toEqual({ code: 'disk-full', message: full.message, hint: full.hint })
    await clock.advance(100)
    expect(await made.confirmed).toEqual({ type: 'applied' })
    peer.put('projects', project('p4', 'four'))
    await clock.advance(100)
    expect(titles(client)).toEqual(['p1', 'p2', 'three', 'four'])
    expect(errors).toContain(full)

    disks.breakWith(name, null)
    network.setOnline(false)
    await client.mutate.projects.insert({ id: 'p5', title: 'five' }).saved
    expect(client.status.get().problem).toBeNull()
    await client.close()
    const second = device()
    await second.ready
    expect(titles(second)).toEqual(['p1', 'p2', 'three', 'four', 'five'])
    expect(second.status.get().pending).toBe(1)
  })

  test('and is opened again without having room is let go of: it is had as soon as there is', async () => {
    const { disks, device, clock } = createFixture()
    let isFull = false
    const openDisk = async (of: string): Promise<Disk> => {
      const disk = await disks.open(of)
      const failing = () => Promise.reject(full)
      return {
        ...disk,
        append: (...asked) => (isFull ? failing() : disk.append(...asked)),
        replace: (...asked) => (isFull ? failing() : disk.replace(...asked)),
      }
    }
    const client = device('ada', '/', { openDisk })
    await client.ready
    await clock.advance(100)
    isFull = true
    for (const id of ['p1', 'p2', 'p3']) await expect(client.mutate.projects.insert({ id, title: id }).saved).rejects.toBe(full)
    isFull = false
    await client.mutate.projects.insert({ id: 'p4', title: 'p4' }).saved
    expect(client.status.get().problem).toBeNull()
    await client.close()
    const second = device()
    await second.ready
    expect(titles(second)).toEqual(['p1', 'p2', 'p3', 'p4'])
  })

  test('before it is read leaves a device in memory, that says so', async () => {
    const { disks, device, clock, peer } = createFixture()
    disks.breakWith(name, full)
    peer.put('projects', project('p1'))
    const client = device()
    await client.ready
    await clock.advance(100)
    expect(titles(client)).toEqual(['p1'])
    const made = client.mutate.projects.insert({ id: 'p2', title: 'two' })
    await expect(made.saved).rejects.toBe(full)
    await clock.advance(100)
    expect(await made.confirmed).toEqual({ type: 'applied' })
    expect(client.status.get()).toMatchObject({ online: true, problem: { code: 'disk-full' } })
    await client.close()
  })

  test('and is open elsewhere is not written over', async () => {
    const { disks, device, clock, client, network } = await synced()
    network.setOnline(false)
    await client.mutate.projects.insert({ id: 'first', title: 'first' }).saved
    const second = device()
    await second.ready
    expect(second.status.get().problem?.code).toBe('disk-blocked')
    await expect(second.mutate.projects.insert({ id: 'second', title: 'x' }).saved).rejects.toMatchObject({ code: 'disk-blocked' })
    await clock.advance(100)
    expect(disks.records(name).some((record) => record.includes('first'))).toBe(true)
    expect(disks.records(name).some((record) => record.includes('second'))).toBe(false)
  })
})

test('wiping leaves nothing, and closing waits for what was made', async () => {
  const { disks, client, device } = await synced()
  const made = [client.mutate.bump({ id: 'p1' }), client.mutate.projects.insert({ id: 'p3', title: 'x' })]
  const [closed] = [client.close()]
  await breathe()
  await closed
  expect(made.map((one) => one.state())).toEqual(['saved', 'saved'])
  expect(await client.mutate.projects.insert({ id: 'p4', title: 'x' }).confirmed).toMatchObject({ code: 'closed' })
  const second = device()
  await second.ready
  expect(second.status.get().pending).toBe(2)
  await second.wipe()
  expect(disks.records(name)).toEqual([])
})

test('the name of a store is that of its person and server alone, and its file has a name that every file system takes', () => {
  const names = [
    ['ada', '/'],
    ['Ada', '/'],
    ['ada', 'https://x.org/'],
    ['a', 'da/'],
    ['../x', '/'],
    ['x'.repeat(200), '/'],
    [`${'x'.repeat(199)}y`, '/'],
  ].map(([user = '', url = '']) => fileNameOf(diskName(user, url)))
  expect(new Set(names.map((one) => one.toLowerCase())).size).toBe(names.length)
  for (const one of names) expect(one).toMatch(/^[\w-]{1,170}$/)
})
