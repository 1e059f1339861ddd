// W10: an update of the app renames mutators and changes their arguments, while mutations of the build before wait.
import type { Json } from '@headwater/protocol'
import { defineMutators, mutator } from '@headwater/schema'
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { Upgrade } from '../src/api.ts'
import { createClient } from '../src/client.ts'
import { createFixture, type Fixture, handlers, mutators, project, schema, titles } from './fixture.ts'
import { createTabs, shown, storeName } from './tabs.ts'

const former = defineMutators(schema, {
  retitle: mutator<typeof schema, { id: string; name: string }>(z.object({ id: z.string(), name: z.string() }), async (tx, { id, name }) => {
    await tx.projects.update({ id, title: name })
  }),
  bump: mutator<typeof schema, { project: string }>(z.object({ project: z.string() }), async (tx, { project }) => {
    await tx.projects.update({ id: project, rank: 1 })
  }),
})

const upgrade: Upgrade = ({ name, args }) => {
  // As this build's predecessors made them.
  const { id = null, name: title = null, project = null } = args as Record<string, Json>
  if (name === 'retitle') return { name: 'rename', args: { id, title } }
  return name === 'bump' && project !== null ? { args: { id: project } } : null
}

let seed = 100
const options = (ports: Fixture['ports']) => ({ schema, url: 'http://server/', user: 'ada', ports: ports(seed++) })
const formerly = ({ ports }: Pick<Fixture, 'ports'>) => createClient({ ...options(ports), mutators: former })
const now = ({ ports, errors }: Pick<Fixture, 'ports' | 'errors'>, how = upgrade) => {
  const client = createClient({ ...options(ports), mutators, upgrade: how })
  client.onError((error) => errors.push(error))
  return client
}
const waiting = (client: ReturnType<typeof now>) => client.pending.get().map(({ name, args, state }) => [name, args, state()])
const sent = ({ peer }: Pick<Fixture, 'peer'>) => peer.received.map(({ name, args }) => [name, args])

/** A device of the former build that has made three mutations offline, and is closed. */
async function made(fixture = createFixture()) {
  const { clock, network, peer } = fixture
  peer.put('projects', project('p1', 'One'))
  const client = formerly(fixture)
  await clock.advance(100)
  network.setOnline(false)
  client.mutate.retitle({ id: 'p1', name: 'Two' })
  client.mutate.projects.insert(project('p2'))
  await client.mutate.bump({ project: 'p1' }).saved
  await client.close()
  return fixture
}
const upgraded = [
  ['rename', { id: 'p1', title: 'Two' }],
  ['projects.insert', expect.anything()],
  ['bump', { id: 'p1' }],
]

test('W10: what was never sent takes the form of the new build, is shown in it at once, and is sent in it, once and in its order', async () => {
  const fixture = await made()
  const { clock, network, peer, disks } = fixture
  const client = now(fixture)
  await clock.advance(100)
  expect(waiting(client)).toEqual(upgraded.map((form) => [...form, 'saved']))
  expect(client.query.projects.orderBy('id').all()).toMatchObject([{ title: 'Two (was One)', rank: 1 }, { id: 'p2' }])
  network.setOnline(true)
  await clock.advance(60_000)
  expect(sent({ peer })).toEqual(upgraded)
  expect(client.status.get()).toMatchObject({ phase: 'live', pending: 0, setAside: 0 })
  expect(peer.rows('projects')).toMatchObject([{ title: 'Two (was One)', rank: 1 }, { id: 'p2' }])
  // The next start has nothing to do: no record is written.
  await client.close()
  const before = disks.records(storeName()).length
  const again = now(fixture)
  await clock.advance(100)
  await again.close()
  expect(
    disks
      .records(storeName())
      .slice(before)
      .some((record) => record.includes('"made"')),
  ).toBe(false)
})

test('W10: wherever the device dies while it takes them over, each reaches the database once, and nothing of the outbox is lost', async () => {
  for (let landed = 0; landed < 3; landed++) {
    for (const isOnline of [false, true]) {
      const fixture = await made()
      const { clock, network, peer, disks, errors } = fixture
      disks.hold(storeName())
      network.setOnline(isOnline)
      now(fixture)
      await clock.advance(1_000)
      // What it said to the disk waits, and nothing is sent before it is there.
      expect([disks.waiting(storeName()) > 0, sent({ peer })]).toEqual([true, []])
      disks.crash(storeName(), landed)
      network.setOnline(true)
      const client = now(fixture)
      await clock.advance(60_000)
      expect(sent({ peer })).toEqual(upgraded)
      expect([client.status.get().pending, client.status.get().setAside, errors]).toEqual([0, 0, []])
      expect(client.query.projects.all()).toHaveLength(2)
    }
  }
})

test('W10: what has a number may have been sent: it keeps its form, over restarts too, and takes the new one if it is tried again', async () => {
  const fixture = createFixture({ handlers: { rename: handlers.rename ?? (() => {}) } })
  const { clock, network, peer } = fixture
  peer.put('projects', project('p1', 'One'))
  const first = formerly(fixture)
  await clock.advance(100)
  peer.options.refusePushes = true
  await first.mutate.retitle({ id: 'p1', name: 'Two' }).saved
  await clock.advance(100)
  network.setOnline(false)
  first.mutate.retitle({ id: 'p1', name: 'Three' })
  await clock.advance(100)
  await first.close()
  for (let start = 0; start < 2; start++) {
    const client = now(fixture)
    await clock.advance(100)
    expect(waiting(client).map(([name]) => name)).toEqual(['retitle', 'rename'])
    expect(titles(client)).toEqual(['Three (was One)'])
    await client.close()
  }
  peer.options.refusePushes = false
  network.setOnline(true)
  const client = now(fixture)
  await clock.advance(60_000)
  expect(sent(fixture)).toEqual([
    ['retitle', { id: 'p1', name: 'Two' }],
    ['rename', { id: 'p1', title: 'Three' }],
  ])
  const [refused] = client.setAside.list()
  expect(refused).toMatchObject({ name: 'retitle', code: 'unknown-mutator' })
  await client.setAside.retry(refused?.id ?? ('' as never))
  await clock.advance(1_000)
  expect(sent(fixture).at(-1)).toEqual(['rename', { id: 'p1', title: 'Two' }])
  expect([titles(client), client.setAside.list()]).toEqual([['Two (was Three (was One))'], []])
})

test('W10: what an upgrade throws, or makes of it that this build cannot make, is said, and the mutation stays as it was', async () => {
  const nothings: readonly (readonly [string, Upgrade])[] = [
    [
      'internal',
      () => {
        throw new Error('no')
      },
    ],
    ['unknown-mutator', () => ({ name: 'nobody' })],
    // What an app's code may answer, whatever its types say.
    ['invalid', () => ({ name: 'rename', args: { id: new Date(0) } as unknown as Json })],
    ['too-large', () => ({ name: 'rename', args: { id: 'x'.repeat(600_000) } })],
  ]
  for (const [code, how] of nothings) {
    const fixture = await made()
    const { clock, errors } = fixture
    const client = now(fixture, how)
    await clock.advance(100)
    expect(errors.map((error) => error.code)).toEqual([code, code, code])
    expect(waiting(client).map(([name]) => name)).toEqual(['retitle', 'projects.insert', 'bump'])
    await client.close()
  }
})

test('W10: a tab of the new build beside one of the former that leads: both come to the same, and each mutation reaches the database once', async () => {
  const world = createTabs()
  const { clock, network, peer, open, errors } = world
  peer.put('projects', project('p1', 'One'))
  const one = open('ada', { mutators: former })
  await clock.advance(100)
  // The client of the former build, whose mutators are not those of the fixture.
  const { mutate } = one.client as unknown as ReturnType<typeof formerly>
  peer.options.refusePushes = true
  await mutate.retitle({ id: 'p1', name: 'Two' }).saved
  await clock.advance(100)
  network.setOnline(false)
  await mutate.retitle({ id: 'p1', name: 'Three' }).saved
  const other = open('ada', { upgrade })
  await clock.advance(5_000)
  expect(other.client.pending.get().map(({ name }) => name)).toEqual(['retitle', 'rename'])
  peer.options.refusePushes = false
  network.setOnline(true)
  await clock.advance(60_000)
  expect(sent({ peer })).toEqual([
    ['retitle', { id: 'p1', name: 'Two' }],
    ['rename', { id: 'p1', title: 'Three' }],
  ])
  expect(shown(one)).toEqual(shown(other))
  expect([peer.devices.size, errors]).toEqual([1, []])
})

test('an object of an app has what its type says, and nothing of the engine', async () => {
  const { device } = createFixture()
  const client = device()
  await client.ready
  expect(Object.keys(client).sort()).toEqual([
    'can',
    'close',
    'drop',
    'id',
    'isProvisional',
    'keep',
    'mutate',
    'onError',
    'pending',
    'preload',
    'query',
    'ready',
    'scope',
    'scopeState',
    'setAside',
    'status',
    'verify',
    'wipe',
  ])
})
