// HC24: what a device does not hold is not absent. HC18: what it guesses is known to be a guess.
import { scopeKey } from '@headwater/protocol'
import { defineMutators, defineSchema, integer, mutator, refuse, table, text } from '@headwater/schema'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createClient } from '../src/client.ts'
import { createPeer, type Handler } from './peer.ts'
import { breathe, createWorld } from './world.ts'

const schema = defineSchema({
  projects: table({ id: text().primaryKey(), ownerId: text(), title: text() }).in('user', 'ownerId').in('project', 'id'),
  messages: table({ id: text().primaryKey(), projectId: text(), content: text(), sequence: integer() }).in('project', 'projectId', { load: 'onDemand' }),
})

const mutators = defineMutators(schema, {
  reply: mutator<typeof schema, { id: string; projectId: string }>(z.object({ id: z.string(), projectId: z.string() }), async (tx, args) => {
    const last = await tx.query.messages.where({ projectId: args.projectId }).orderBy('sequence', 'desc').first()
    if (!last) return refuse('empty', 'There is nothing to reply to.')
    await tx.messages.insert({ ...args, content: `re: ${last.content}`, sequence: last.sequence + 1 })
  }),
  say: mutator<typeof schema, { id: string; projectId: string }>(z.object({ id: z.string(), projectId: z.string() }), async (tx, args) => {
    const last = await tx.query.messages.where({ projectId: args.projectId }).orderBy('sequence', 'desc').first()
    await tx.messages.insert({ ...args, content: args.id, sequence: (last?.sequence ?? 0) + 1 })
  }),
  shout: mutator<typeof schema, { id: string }>(z.object({ id: z.string() }), async (tx, { id }) => {
    const one = await tx.query.messages.where({ id }).first()
    await tx.messages.update({ id, content: `${one?.content}!` })
  }),
})

/** What the server makes of `reply` and `say`: the next message of the project. */
const next: Handler = (tx, args) => {
  // As the device's validator checked them.
  const { id, projectId } = args as { id: string; projectId: string }
  const sequence = Math.max(0, ...tx.all('messages').flatMap((row) => (row.projectId === projectId ? [Number(row.sequence)] : []))) + 1
  tx.set('messages', id, { id, projectId, content: id, sequence })
}
const shout: Handler = (tx, args) => {
  // As the device's validator checked them.
  const { id } = args as { id: string }
  const row = tx.get('messages', JSON.stringify([id])) ?? refuse('absent', 'no such message')
  tx.set('messages', JSON.stringify([id]), { ...row, content: `${row.content}!` })
}

async function ready(grants: readonly string[] = ['p1']) {
  const peer = createPeer({ schema, handlers: { reply: next, say: next, shout } })
  peer.grant([scopeKey('user', 'ada'), ...grants.map((id) => scopeKey('project', id))])
  peer.put('projects', { id: 'p1', ownerId: 'ada', title: 'One' })
  peer.put('messages', { id: 'm1', projectId: 'p1', content: 'hello', sequence: 1 })
  const world = createWorld(peer.accept)
  const device = () => createClient({ schema, mutators, url: 'http://server/', user: 'ada', ports: world.ports() })
  const client = device()
  await world.clock.advance(100)
  return { peer, ...world, device, client }
}
type Client = Awaited<ReturnType<typeof ready>>['client']
const contents = (client: Client) =>
  client.query.messages
    .orderBy('id')
    .all()
    .map(({ content }) => content)

describe('a row of a scope that is not held', () => {
  test('a mutator that looks for one is queued with nothing to show, and the database decides', async () => {
    const { client, network, clock, peer } = await ready()
    network.setOnline(false)
    const made = client.mutate.reply({ id: 'r1', projectId: 'p1' })
    const shouted = client.mutate.shout({ id: 'm1' })
    await breathe()
    expect([contents(client), client.status.get().pending]).toEqual([[], 2])
    network.setOnline(true)
    await clock.advance(60_000)
    expect([await made.confirmed, await shouted.confirmed]).toEqual([{ type: 'applied' }, { type: 'applied' }])
    expect(peer.rows('messages').map(({ content }) => content)).toEqual(['hello!', 'r1'])
  })

  test('comes while the mutation waits, and then it shows', async () => {
    const { client, clock, peer } = await ready()
    peer.options.refusePushes = true
    client.mutate.reply({ id: 'r1', projectId: 'p1' })
    await clock.advance(50)
    expect(contents(client)).toEqual([])
    client.scope('project', 'p1')
    await clock.advance(50)
    expect(contents(client)).toEqual(['hello', 're: hello'])
  })

  test('is absent where the scope is held: then a mutator refuses at once', async () => {
    const { client, clock } = await ready(['p1', 'p2'])
    client.scope('project', 'p2')
    await clock.advance(50)
    expect(await client.mutate.reply({ id: 'r1', projectId: 'p2' }).confirmed).toMatchObject({ type: 'refused', code: 'empty' })
  })

  test('a throw in a replay keeps the mutation in line: the database decides', async () => {
    const { client, clock, network, peer } = await ready()
    client.scope('project', 'p1')
    await clock.advance(50)
    network.setOnline(false)
    const made = client.mutate.reply({ id: 'r1', projectId: 'p1' })
    await breathe()
    expect(contents(client)).toEqual(['hello', 're: hello'])
    peer.options.refusePushes = true
    peer.remove('messages', { id: 'm1' })
    network.setOnline(true)
    await clock.advance(40_000)
    expect([contents(client), client.status.get().pending, made.state()]).toEqual([[], 1, 'sent'])
    peer.options.refusePushes = false
    network.cut()
    await clock.advance(40_000)
    expect(await made.confirmed).toEqual({ type: 'applied' })
    expect(contents(client)).toEqual(['r1'])
  })
})

describe('a scope that a pending mutation writes', () => {
  test('is asked for, and kept while the mutation is pending', async () => {
    const { client, clock, peer, network } = await ready()
    peer.options.refusePushes = true
    client.mutate.messages.insert({ id: 'm2', projectId: 'p1', content: 'mine', sequence: 9 })
    await clock.advance(50)
    expect(network.frames.filter(({ frame }) => frame.startsWith('{"type":"hold"')).map(({ frame }) => JSON.parse(frame).scopes)).toEqual([['project:p1']])
    expect(contents(client)).toEqual(['hello', 'mine'])
    const handle = client.scope('project', 'p1')
    handle.release()
    await clock.advance(300_000)
    expect(contents(client)).toEqual(['hello', 'mine'])
    peer.options.refusePushes = false
    network.cut()
    await clock.advance(300_000)
    expect(client.status.get().pending).toBe(0)
    expect(contents(client)).toEqual([])
  })

  test('and makes is ready, and nothing of it is elsewhere: also after a restart, offline', async () => {
    const { client, network, device, clock, peer } = await ready()
    network.setOnline(false)
    client.mutate.projects.insert({ id: 'p9', ownerId: 'ada', title: 'New' })
    const handle = client.scope('project', 'p9')
    expect([handle.state(), client.scopeState('project', 'p8')]).toEqual(['ready', 'loading'])
    await handle.ready
    client.mutate.say({ id: 's1', projectId: 'p9' })
    await client.mutate.say({ id: 's2', projectId: 'p9' }).saved
    expect(contents(client)).toEqual(['s1', 's2'])
    expect(await client.mutate.reply({ id: 'r1', projectId: 'p0' }).saved).toBeUndefined()
    await client.close()
    const second = device()
    await second.ready
    await breathe()
    expect([contents(second), second.scopeState('project', 'p9')]).toEqual([['s1', 's2'], 'ready'])
    peer.grant([scopeKey('user', 'ada'), scopeKey('project', 'p1'), scopeKey('project', 'p9')])
    network.setOnline(true)
    await clock.advance(60_000)
    expect(second.status.get()).toMatchObject({ pending: 0, setAside: 0 })
    expect(peer.rows('messages').filter(({ projectId }) => projectId === 'p9')).toHaveLength(2)
  })

  test('a row that moved away or belongs to no project asks for nothing', async () => {
    const { client, clock, network } = await ready()
    client.mutate.messages.delete({ id: 'nowhere' })
    client.mutate.projects.update({ id: 'p1', title: 'Else' })
    await clock.advance(50)
    expect(network.frames.some(({ frame }) => frame.startsWith('{"type":"hold"'))).toBe(false)
  })
})

test('HC18: what a device guesses is provisional until the database has decided', async () => {
  const { client, network, clock } = await ready(['p1', 'p2'])
  client.scope('project', 'p2')
  await clock.advance(50)
  network.setOnline(false)
  const made = client.mutate.say({ id: 's1', projectId: 'p2' })
  await breathe()
  expect(contents(client)).toContain('s1')
  expect(client.isProvisional('messages', { id: 's1' })).toBe(true)
  expect(client.isProvisional('projects', { id: 'p2' })).toBe(false)
  network.setOnline(true)
  await clock.advance(60_000)
  expect(await made.confirmed).toEqual({ type: 'applied' })
  expect(client.isProvisional('messages', { id: 's1' })).toBe(false)
})
