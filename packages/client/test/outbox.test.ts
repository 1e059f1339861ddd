import { type Json, limits } from '@headwater/protocol'
import { describe, expect, test } from 'vitest'
import { createClient } from '../src/client.ts'
import { createFixture, type Device, mutators, schema } from './fixture.ts'
import { breathe } from './world.ts'

async function online() {
  const fixture = createFixture()
  fixture.peer.put(
    'projects',
    { id: 'p1', ownerId: 'ada', title: 'One', rank: 1, isOpen: true },
    { id: 'p2', ownerId: 'ada', title: 'Two', rank: 2, isOpen: true },
  )
  const client = fixture.device()
  await fixture.clock.advance(100)
  return { ...fixture, client }
}
const titles = (client: Device) =>
  client.query.projects
    .orderBy('id')
    .all()
    .map(({ title }) => title)
const refusal = (promise: Promise<void>) =>
  promise.then(
    () => 'saved',
    (error) => error.code,
  )

describe('R1: a device reads its own writes', () => {
  test('on the next line, with defaults filled in, before the disk and the server know', async () => {
    const { client, network } = await online()
    network.setOnline(false)
    client.mutate.projects.insert({ id: 'p3', title: 'Three' })
    expect(client.query.projects.where({ id: 'p3' }).first()).toEqual({
      id: 'p3',
      ownerId: 'ada',
      title: 'Three',
      rank: 0,
      budget: null,
      isOpen: true,
      settings: null,
      updatedAt: null,
    })
    client.mutate.projects.update({ id: 'p3', budget: 12n, updatedAt: new Date(0) })
    expect(client.query.projects.where({ budget: 12n }).first()?.updatedAt).toBe('1970-01-01T00:00:00.000000Z')
    client.mutate.projects.delete({ id: 'p1' })
    expect(titles(client)).toEqual(['Two', 'Three'])
  })

  test('before the disk is read, and all of it after', async () => {
    const { device, clock, peer } = createFixture()
    peer.put('projects', { id: 'p1', ownerId: 'ada', title: 'One', rank: 1, isOpen: true })
    const client = device()
    const made = client.mutate.projects.insert({ id: 'p2', title: 'early' })
    const bumped = client.mutate.bump({ id: 'p2' })
    expect(titles(client)).toEqual(['early'])
    await client.ready
    await breathe()
    expect(client.query.projects.where({ id: 'p2' }).first()?.rank).toBe(1)
    await clock.advance(1_000)
    expect(await made.confirmed).toEqual({ type: 'applied' })
    expect(await bumped.confirmed).toEqual({ type: 'applied' })
    expect(titles(client)).toEqual(['One', 'early'])
  })

  test('without a flicker: a confirmed row keeps its object while the overlay gives way', async () => {
    const { client, clock, errors } = await online()
    const seen = new Set<string>()
    const live = client.query.projects.orderBy('id').live()
    live.subscribe(() => seen.add(JSON.stringify(live.result().rows.map(({ title }) => title))))
    const made = client.mutate.projects.insert({ id: 'p3', title: 'Three' })
    const row = client.query.projects.where({ id: 'p3' }).first()
    const result = live.result()
    await clock.advance(200)
    expect(made.state()).toBe('confirmed')
    expect(client.query.projects.where({ id: 'p3' }).first()).toBe(row)
    expect(live.result()).toBe(result)
    expect([...seen]).toEqual(['["One","Two","Three"]'])
    expect(errors).toEqual([])
  })
})

describe('W12: what could never be carried out is refused on the device, before it is queued', () => {
  test.each<[string, (client: Device) => ReturnType<Device['mutate']['bump']>, string]>([
    ['a NUL', (client) => client.mutate.projects.update({ id: 'p1', title: 'a\0b' }), 'invalid'],
    ['a lone surrogate', (client) => client.mutate.projects.update({ id: 'p1', title: '\ud800' }), 'invalid'],
    ['a text that is too long', (client) => client.mutate.projects.update({ id: 'p1', title: 'x'.repeat(51) }), 'invalid'],
    ['NaN', (client) => client.mutate.projects.update({ id: 'p1', rank: Number.NaN }), 'invalid'],
    [
      'JSON that is too deep for the wire, the row around it counted',
      (client) => client.mutate.projects.update({ id: 'p1', settings: nested(limits.jsonDepthMax - 1) }),
      'invalid',
    ],
    // @ts-expect-error there is no such column
    ['an unknown column', (client) => client.mutate.projects.update({ id: 'p1', colour: 'red' }), 'invalid'],
    // @ts-expect-error the key is missing
    ['a missing key', (client) => client.mutate.projects.update({ title: 'x' }), 'invalid'],
    // @ts-expect-error the title is missing
    ['a missing value', (client) => client.mutate.projects.insert({ id: 'p9' }), 'invalid'],
    [
      'more bytes than a mutation has, though fewer characters',
      (client) => client.mutate.projects.update({ id: 'p1', settings: 'é'.repeat(limits.mutationBytesMax / 2) }),
      'too-large',
    ],
    // @ts-expect-error the argument is not a text
    ['arguments that the validator refuses', (client) => client.mutate.rename({ id: 5 }), 'invalid'],
    // @ts-expect-error a Date is not JSON
    ['arguments that are not JSON', (client) => client.mutate.rename({ id: new Date(), title: 'x' }), 'invalid'],
    ['a key that exists', (client) => client.mutate.projects.insert({ id: 'p1', title: 'again' }), 'unique'],
    ['a row that is not there', (client) => client.mutate.projects.update({ id: 'nowhere', title: 'x' }), 'absent'],
    ['an expectation that is not met', (client) => client.mutate.projects.update({ id: 'p1', title: 'x' }, { expect: { title: 'Else' } }), 'conflict'],
  ])('%s', async (_, mutate, code) => {
    const { client, clock, peer } = await online()
    const before = titles(client)
    const made = mutate(client)
    expect(await made.confirmed).toMatchObject({ type: 'refused', code })
    expect(await refusal(made.saved)).toBe(code === 'invalid' || code === 'too-large' ? code : 'refused')
    expect(titles(client)).toEqual(before)
    expect(client.status.get()).toMatchObject({ pending: 0, setAside: 0 })
    await clock.advance(200)
    expect(peer.received).toEqual([])
  })

  test('deleting what is not there is no error, and an expectation that is met neither', async () => {
    const { client, clock } = await online()
    const deleted = client.mutate.projects.delete({ id: 'nowhere' })
    const updated = client.mutate.projects.update({ id: 'p1', title: 'x' }, { expect: { title: 'One', budget: null } })
    await clock.advance(100)
    expect(await deleted.confirmed).toEqual({ type: 'applied' })
    expect(await updated.confirmed).toEqual({ type: 'applied' })
  })

  test('a row of an on-demand scope may exist elsewhere: it is queued, with nothing to show', async () => {
    const { client, clock, peer } = await online()
    const id = client.id()
    const made = client.mutate.messages.update({ id, content: 'x' })
    await clock.advance(100)
    expect(peer.received.map(({ name }) => name)).toEqual(['messages.update'])
    expect(await made.confirmed).toMatchObject({ type: 'refused', code: 'absent' })
    expect(client.setAside.list()).toMatchObject([{ name: 'messages.update', code: 'absent', reason: 'no such row' }])
  })
})

function nested(depth: number): Json {
  return depth === 0 ? 'x' : [nested(depth - 1)]
}

describe('named mutators', () => {
  test('run one after the other, and the second sees the first', async () => {
    const { client, clock, peer } = await online()
    client.mutate.rename({ id: 'p1', title: 'A' })
    client.mutate.rename({ id: 'p1', title: 'B' })
    await breathe()
    expect(titles(client)[0]).toBe('B (was A (was One))')
    await clock.advance(100)
    expect(peer.rows('projects')[0]?.title).toBe('B (was A (was One))')
    expect(titles(client)[0]).toBe('B (was A (was One))')
  })

  test('a built-in called while one runs shows at once, and stands behind it', async () => {
    const { client, clock, peer } = await online()
    client.mutate.rename({ id: 'p1', title: 'A' })
    client.mutate.projects.update({ id: 'p1', title: 'B' })
    expect(titles(client)[0]).toBe('B')
    await breathe()
    expect(titles(client)[0]).toBe('B')
    client.mutate.rename({ id: 'p1', title: 'C' })
    await clock.advance(100)
    expect(peer.received.map(({ number, name }) => [number, name])).toEqual([
      [1, 'rename'],
      [2, 'projects.update'],
      [3, 'rename'],
    ])
    expect(titles(client)[0]).toBe('C (was B)')
  })

  test('one that refuses leaves nothing of itself, and nothing is queued', async () => {
    const { client, clock, peer } = await online()
    const made = client.mutate.half({ id: 'p1' })
    expect(await made.confirmed).toEqual({ type: 'refused', code: 'half', reason: 'Not today.' })
    expect(titles(client)).toEqual(['One', 'Two'])
    await clock.advance(100)
    expect(peer.received).toEqual([])
  })

  test('one that waits for something else than tx is refused, and what it does later changes nothing', async () => {
    const { client, clock, peer } = await online()
    const made = client.mutate.wait({ ms: 1 })
    const behind = client.mutate.bump({ id: 'p1' })
    await clock.advance(50)
    expect(await made.confirmed).toMatchObject({ type: 'refused', code: 'mutator-waits' })
    await new Promise((resolve) => setTimeout(resolve, 40))
    expect(titles(client)).toEqual(['One', 'Two'])
    await clock.advance(100)
    expect(await behind.confirmed).toEqual({ type: 'applied' })
    expect(peer.received.map(({ name, number }) => [name, number])).toEqual([['bump', 1]])
  })

  test('ids and times of a mutator are the same when it is run again', async () => {
    const { client, clock, network, peer } = await online()
    network.setOnline(false)
    client.mutate.post({ projectId: 'p1', content: 'hello' })
    await breathe()
    const [before] = client.query.messages.all()
    peer.put('projects', { id: 'p3', ownerId: 'ada', title: 'Three', rank: 0, isOpen: true })
    peer.options.refusePushes = true
    network.setOnline(true)
    await clock.advance(40_000)
    expect(titles(client)).toContain('Three')
    expect(client.query.messages.all()[0]).toBe(before)
  })
})

describe('W7: a refusal takes back exactly its own effects', () => {
  test('later mutations are replayed on what is left', async () => {
    const { client, clock, peer, network } = await online()
    network.setOnline(false)
    const first = client.mutate.projects.insert({ id: 'p3', title: 'Three' })
    const second = client.mutate.bump({ id: 'p1' })
    const third = client.mutate.projects.insert({ id: 'p4', title: 'Four' })
    await breathe()
    peer.put('projects', { id: 'p3', ownerId: 'eve', title: 'Taken', rank: 9, isOpen: true })
    peer.put('projects', { id: 'p1', ownerId: 'ada', title: 'One', rank: 40, isOpen: true })
    network.setOnline(true)
    await clock.advance(60_000)
    expect(await first.confirmed).toEqual({ type: 'refused', code: 'unique', reason: 'exists' })
    expect(await second.confirmed).toEqual({ type: 'applied' })
    expect(await third.confirmed).toEqual({ type: 'applied' })
    expect(titles(client)).toEqual(['One', 'Two', 'Four'])
    expect(client.query.projects.where({ id: 'p1' }).first()?.rank).toBe(41)
  })
})

describe('W6: what cannot be applied is set aside and kept', () => {
  async function refused() {
    const fixture = await online()
    const { client, peer, clock, network } = fixture
    network.setOnline(false)
    client.mutate.projects.insert({ id: 'p3', title: 'Three' })
    await breathe()
    peer.put('projects', { id: 'p3', ownerId: 'eve', title: 'Taken', rank: 9, isOpen: true })
    network.setOnline(true)
    await clock.advance(60_000)
    return fixture
  }

  test('over a restart, until it is discarded', async () => {
    const { client, device, clock } = await refused()
    const [one] = client.setAside.list()
    expect(one).toMatchObject({ name: 'projects.insert', code: 'unique', args: { row: { id: 'p3', title: 'Three' } } })
    await client.close()
    const second = device()
    await second.ready
    expect(second.setAside.list()).toEqual([one])
    await second.setAside.discard(one?.id ?? (client.id() as never))
    expect(second.status.get().setAside).toBe(0)
    await second.close()
    const third = device()
    await third.ready
    await clock.advance(10)
    expect(third.setAside.list()).toEqual([])
  })

  test('and can be tried again, as a new mutation at the end', async () => {
    const { client, device, clock, peer } = await refused()
    const [one] = client.setAside.list()
    if (!one) throw new Error('nothing was set aside')
    peer.remove('projects', { id: 'p3' })
    const again = await client.setAside.retry(one.id)
    expect(again.id).not.toBe(one.id)
    expect(client.setAside.list()).toEqual([])
    await clock.advance(100)
    expect(await again.confirmed).toEqual({ type: 'applied' })
    expect(peer.received.map(({ number }) => number)).toEqual([1, 2])
    await client.close()
    const second = device()
    await second.ready
    expect(second.setAside.list()).toEqual([])
    expect(titles(second)).toContain('Three')
  })

  test('and can be tried again with other arguments; with some that cannot be, it stays as it was', async () => {
    const { client, clock, peer } = await refused()
    const [one] = client.setAside.list()
    if (!one) throw new Error('nothing was set aside')
    for (const args of [null, { row: { id: 'p4', title: 'x', colour: 'red' } }, { row: { id: 'p4', title: 'x\0' } }])
      await expect(client.setAside.retry(one.id, { args })).rejects.toMatchObject({ code: 'invalid' })
    expect(client.setAside.list()).toEqual([one])
    const again = await client.setAside.retry(one.id, { args: { row: { ...Object(one.args).row, id: 'p4' } } })
    await clock.advance(100)
    expect(await again.confirmed).toEqual({ type: 'applied' })
    expect([client.setAside.list(), titles(client), peer.received.length]).toEqual([[], ['One', 'Two', 'Three'], 2])
  })

  test('one that is refused again on the device stays where it is', async () => {
    const { client } = await refused()
    client.mutate.projects.insert({ id: 'p3', title: 'Mine' })
    const [one] = client.setAside.list()
    await expect(client.setAside.retry(one?.id ?? (client.id() as never))).rejects.toMatchObject({ code: 'refused' })
    expect(client.setAside.list()).toEqual([one])
  })
})

test('a mutator that this build does not know any more is sent all the same', async () => {
  const { device, clock, network, peer, ports } = createFixture({ handlers: { bump: () => {} } })
  const first = device()
  await clock.advance(100)
  network.setOnline(false)
  first.mutate.projects.insert({ id: 'p1', title: 'One' })
  await first.mutate.bump({ id: 'p1' }).saved
  await first.close()
  const { bump: _, ...fewer } = mutators
  const second = createClient({ schema, mutators: fewer, url: 'http://server/', user: 'ada', ports: ports(9) })
  await second.ready
  expect(second.status.get().pending).toBe(2)
  network.setOnline(true)
  await clock.advance(60_000)
  expect(peer.received.map(({ name }) => name)).toEqual(['projects.insert', 'bump'])
  expect(second.status.get().pending).toBe(0)
})

test('W10: what was made for a table or column that is gone stays in line without effect, is sent, and is set aside with the reason', async () => {
  const { device, clock, network, peer, ports } = createFixture()
  const first = device()
  await clock.advance(100)
  network.setOnline(false)
  first.mutate.members.insert({ projectId: 'p1', person: 'ada' })
  await first.mutate.projects.insert({ id: 'p1', title: 'One', rank: 3 }).saved
  await first.close()
  const { members: _, ...tables } = schema.tables
  const { definition } = schema.tables.projects
  const { rank: __, ...columns } = definition.columns
  const smaller = { tables, definitions: { messages: schema.tables.messages.definition, projects: { ...definition, columns } } }
  // A schema of a later version of the app.
  const second = createClient({ schema: smaller as unknown as typeof schema, mutators, url: 'http://server/', user: 'ada', ports: ports(9) })
  await second.ready
  expect(second.pending.get().map(({ name, args }) => [name, Object(args).row.id ?? Object(args).row.projectId])).toEqual([
    ['members.insert', 'p1'],
    ['projects.insert', 'p1'],
  ])
  expect(second.query.projects.all()).toEqual([])
  peer.options.refuseAll = 'unknown-mutator'
  network.setOnline(true)
  await clock.advance(60_000)
  expect(second.setAside.list().map(({ name, code, args }) => [name, code, Object(args).row.rank ?? null])).toEqual([
    ['members.insert', 'unknown-mutator', null],
    ['projects.insert', 'unknown-mutator', 3],
  ])
})
