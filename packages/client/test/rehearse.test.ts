import { defineMutators, defineSchema, integer, mutator, refuse, table, text } from '@headwater/schema'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createClient } from '../src/client.ts'
import { createPeer } from './peer.ts'
import { createWorld } from './world.ts'

const schema = defineSchema({ notes: table({ id: text().primaryKey(), ownerId: text().default('ada'), at: text(), rank: integer() }).in('user', 'ownerId') })
type Runs = Parameters<typeof mutator<typeof schema, { id: string }>>[1]
const args = z.object({ id: z.string() })
const make = (run: Runs) => mutator<typeof schema, { id: string }>(args, run)

let runs = 0
const mutators = defineMutators(schema, {
  steady: make(async (tx, { id }) => {
    runs++
    const last = await tx.query.notes.orderBy('rank', 'desc').first()
    await tx.notes.insert({ id: id || tx.id(), at: tx.now(), rank: (last?.rank ?? 0) + 1 })
  }),
  chance: make(async (tx, { id }) => tx.notes.insert({ id, at: crypto.randomUUID(), rank: 1 })),
  clock: make(async (tx, { id }) => tx.notes.insert({ id, at: String(performance.now()), rank: 1 })),
  moody: make(async (tx, { id }) => {
    if (++runs % 2 === 0) refuse('moody', 'Not now.')
    await tx.notes.insert({ id, at: '', rank: 1 })
  }),
  no: make(async () => refuse('no', 'Never.')),
})

async function online() {
  const peer = createPeer({ schema, handlers: { steady: () => {} } })
  const world = createWorld(peer.accept)
  const client = createClient({ schema, mutators, url: 'http://server/', user: 'ada', ports: world.ports() })
  client.onError((error) => world.errors.push(error))
  await world.clock.advance(100)
  return { peer, ...world, client }
}

test.each(['chance', 'clock', 'moody'] as const)('HC18 in development a mutator that is not the same twice is refused by name: %s', async (name) => {
  runs = 0
  const { client, errors, peer, clock } = await online()
  const made = client.mutate[name]({ id: 'n1' })
  expect(await made.confirmed).toMatchObject({ type: 'refused', code: 'mutator-unsteady', reason: expect.stringContaining(`The mutator ${name} `) })
  await expect(made.saved).rejects.toMatchObject({ code: 'mutator-unsteady', hint: expect.stringContaining('tx.id()') })
  expect(errors).toMatchObject([{ code: 'mutator-unsteady' }])
  await clock.advance(100)
  expect([client.query.notes.all(), peer.received, client.status.get().pending]).toEqual([[], [], 0])
})

test('HC18 one that takes ids, time and all else from tx is run twice when it is new and once in a replay, and shows once', async () => {
  const { client, network, peer, clock } = await online()
  network.setOnline(false)
  runs = 0
  await client.mutate.steady({ id: '' }).saved
  await client.mutate.steady({ id: 'n2' }).saved
  expect(runs).toBe(4)
  const shown = client.query.notes.orderBy('rank').all()
  expect(shown.map(({ rank }) => rank)).toEqual([1, 2])
  peer.options.refusePushes = true
  peer.put('notes', { id: 'n9', ownerId: 'ada', at: '', rank: 0 })
  network.setOnline(true)
  await clock.advance(40_000)
  // One replay per checkpoint.
  expect(runs % 2).toBe(0)
  expect(client.query.notes.orderBy('rank').all().slice(1)).toEqual(shown)
})

test('HC18 one that refuses both times is refused with its own reason', async () => {
  const { client, errors } = await online()
  expect(await client.mutate.no({ id: 'n1' }).confirmed).toEqual({ type: 'refused', code: 'no', reason: 'Never.' })
  expect(errors).toEqual([])
})
