// What a checkpoint costs where many mutations are pending: those alone run again that may come to something else, and never for longer than a frame at once.
import { scopeKey } from '@headwater/protocol'
import { defineMutators, defineSchema, integer, mutator, table, text } from '@headwater/schema'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createClient } from '../src/client.ts'
import { createPeer } from './peer.ts'
import { createClock, createWorld } from './world.ts'

const schema = defineSchema({
  projects: table({ id: text().primaryKey(), ownerId: text(), title: text(), rank: integer().default(0) }).in('user', 'ownerId'),
  notes: table({ id: text().primaryKey(), ownerId: text(), words: text() }).in('user', 'ownerId'),
})
let runs = 0
const mutators = defineMutators(schema, {
  bump: mutator<typeof schema, { id: string }>(z.object({ id: z.string() }), async (tx, { id }) => {
    runs++
    const one = await tx.query.projects.where({ id }).first()
    await tx.projects.update({ id, rank: (one?.rank ?? 0) + 1 })
  }),
  note: mutator<typeof schema, { id: string }>(z.object({ id: z.string() }), async (tx, { id }) => {
    runs++
    const all = await tx.query.projects.all()
    await tx.notes.insert({ id, ownerId: 'ada', words: `${all.length} projects` })
  }),
})

async function ready(clock = createClock()) {
  const peer = createPeer({ schema, handlers: {} })
  peer.grant([scopeKey('user', 'ada')])
  const world = createWorld(peer.accept, clock)
  const put = (id: string, title: string) => peer.put('projects', { id, ownerId: 'ada', title, rank: 0 })
  for (let at = 0; at < 20; at++) put(`p${at}`, `Project ${at}`)
  peer.put('notes', { id: 'stream', ownerId: 'ada', words: '' })
  const client = createClient({ schema, mutators, url: 'http://server/', user: 'ada', ports: world.ports() })
  await clock.advance(100)
  peer.options.refusePushes = true
  const ran = async (change: () => void) => {
    await clock.advance(200)
    runs = 0
    change()
    await clock.advance(200)
    return runs
  }
  return { peer, put, client, ran, ...world }
}

/** A clock that moves with every look at it: nine of them are more than a frame. */
function slowed(base: ReturnType<typeof createClock>, isSlow: () => boolean): typeof base {
  let readings = 0
  return {
    ...base,
    now: () => base.now() + (isSlow() ? ++readings : 0),
    timer: (afterMs, run) => base.timer(afterMs + (isSlow() ? 1 : 0), run),
  }
}

describe('a checkpoint, while mutations are pending', () => {
  test('runs none of them again that has not looked at what it changes: streamed text costs as much with a thousand pending as with none', async () => {
    const { client, ran, peer, errors } = await ready()
    for (let at = 0; at < 1_000; at++) client.mutate.bump({ id: `p${at % 10}` })
    const words = ' word'.repeat(50)
    const again = await ran(() => {
      for (let at = 1; at <= 50; at++) peer.put('notes', { id: 'stream', ownerId: 'ada', words: ' word'.repeat(at) })
    })
    expect([again, client.status.get().pending]).toEqual([0, 1_000])
    expect(client.query.notes.all()).toMatchObject([{ words }])
    expect(client.query.projects.where({ id: 'p3' }).first()).toMatchObject({ rank: 100 })
    expect(errors).toEqual([])
  })

  test('runs them again where it changes a row that one has read or written', async () => {
    const { client, ran, put } = await ready()
    client.mutate.bump({ id: 'p1' })
    client.mutate.bump({ id: 'p2' })
    expect(await ran(() => put('p3', 'Else'))).toBe(0)
    expect(await ran(() => put('p1', 'Else'))).toBe(2)
    expect(client.query.projects.where({ id: 'p1' }).first()).toEqual({ id: 'p1', ownerId: 'ada', title: 'Else', rank: 1 })
  })

  test('runs them again where one has looked through the table, and where one looked for a row that has come', async () => {
    const { client, ran, put } = await ready()
    client.mutate.note({ id: 'n1' })
    expect(await ran(() => put('p50', 'New'))).toBe(1)
    expect(client.query.notes.where({ id: 'n1' }).first()).toMatchObject({ words: '21 projects' })
    client.mutate.projects.update({ id: 'p1', title: 'Mine' })
    await ran(() => put('p1', 'Theirs'))
    expect(client.query.projects.where({ id: 'p1' }).first()).toMatchObject({ title: 'Mine' })
  })

  test('runs them again for longer than a frame without showing a half state, and what is called meanwhile shows at once', async () => {
    const base = createClock()
    let isSlow = false
    const clock = slowed(base, () => isSlow)
    const { client, peer, put } = await ready(clock)
    for (let at = 0; at < 40; at++) client.mutate.bump({ id: `p${at % 20}` })
    await clock.advance(100)
    const live = client.query.projects.orderBy('id').live()
    const seen = new Set<string>()
    live.subscribe(() =>
      seen.add(
        live
          .result()
          .rows.map(({ title, rank }) => `${title.slice(0, 4)}${rank}`)
          .join(),
      ),
    )
    isSlow = true
    runs = 0
    put('p0', 'Else 0')
    const note = client.mutate.notes
    let isCalled = false
    for (let turn = 0; turn < 60; turn++) {
      await base.advance(1)
      if (isCalled || runs < 10 || runs >= 40) continue
      // In the middle of it.
      isCalled = true
      expect(client.query.projects.where({ id: 'p0' }).first()).toMatchObject({ title: 'Project 0', rank: 2 })
      note.insert({ id: 'mine', ownerId: 'ada', words: 'at once' })
      expect(client.query.notes.where({ id: 'mine' }).first()).toMatchObject({ words: 'at once' })
    }
    expect([isCalled, runs]).toEqual([true, 40])
    expect(seen.size).toBe(1)
    expect(client.query.projects.where({ id: 'p0' }).first()).toMatchObject({ title: 'Else 0', rank: 2 })
    expect(client.query.notes.where({ id: 'mine' }).first()).toMatchObject({ words: 'at once' })
    expect(peer.rows('notes')).toHaveLength(1)
  })

  test('is in the store before the frame behind it is heard, however long they run again: with it the device is live, and a piece of its load that comes too late is noticed', async () => {
    for (const isLate of [true, false]) {
      const clock = slowed(createClock(), () => true)
      const peer = createPeer({ schema, handlers: {} })
      peer.grant([scopeKey('user', 'ada')])
      peer.options.refusePushes = true
      const { network, ports } = createWorld(peer.accept, clock)
      peer.put('projects', { id: 'p1', ownerId: 'ada', title: 'One', rank: 0 })
      const late: string[] = []
      let isOver = false
      network.tamper = (frame) => {
        if (isLate && frame.startsWith('{"type":"load"')) late.push(frame)
        const told = isOver || late.includes(frame) ? [] : [frame]
        if (isOver || !frame.startsWith('{"type":"checkpoint"')) return told
        // Nothing more comes but this.
        isOver = true
        return [...told, ...late]
      }
      const client = createClient({ schema, mutators, url: 'http://server/', user: 'ada', ports: ports() })
      for (let at = 0; at < 40; at++) client.mutate.bump({ id: 'p1' })
      await clock.advance(1_500)
      expect(client.status.get()).toMatchObject({ pending: 40, phase: isLate ? 'connecting' : 'live' })
      network.tamper = (frame) => [frame]
      await clock.advance(40_000)
      expect(client.query.projects.all()).toMatchObject([{ id: 'p1', title: 'One' }])
    }
  })
})
