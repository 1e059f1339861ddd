import { limits, scopeKey } from '@headwater/protocol'
import { bigint, boolean, defineMutators, defineSchema, integer, json, mutator, refuse, table, text, timestamp, uuid } from '@headwater/schema'
import { expect } from 'vitest'
import { z } from 'zod'
import type { RowsOption } from '../src/api.ts'
import { createClient } from '../src/client.ts'
import type { Ports } from '../src/ports.ts'
import { createPeer, type Handler, type PeerOptions } from './peer.ts'
import { createWorld, type World } from './world.ts'

export const schema = defineSchema({
  projects: table({
    id: text().primaryKey(),
    ownerId: text().default('ada'),
    title: text().max(50),
    rank: integer().default(0),
    budget: bigint().nullable(),
    isOpen: boolean().default(true),
    settings: json().nullable(),
    updatedAt: timestamp().nullable(),
  }).in('user', 'ownerId'),
  messages: table({ id: uuid().primaryKey(), projectId: text(), content: text(), sequence: integer() }).in('project', 'projectId', { load: 'onDemand' }),
  members: table({ projectId: text(), person: text(), role: text().default('reader') })
    .primaryKey('projectId', 'person')
    .in('user', 'person'),
})

export const mutators = defineMutators(schema, {
  rename: mutator<typeof schema, { id: string; title: string }>(z.object({ id: z.string(), title: z.string() }), async (tx, { id, title }) => {
    const project = await tx.query.projects.where({ id }).first()
    if (project === undefined) return refuse('gone', 'The project is gone.')
    await tx.projects.update({ id, title: `${title} (was ${project.title})` })
  }),
  bump: mutator<typeof schema, { id: string }>(z.object({ id: z.string() }), async (tx, { id }) => {
    const project = await tx.query.projects.where({ id }).first()
    await tx.projects.update({ id, rank: (project?.rank ?? 0) + 1 })
  }),
  pay: mutator<typeof schema, { id: string }>(
    z.object({ id: z.string() }),
    async (tx, { id }) => {
      await tx.projects.update({ id, title: 'paid' })
    },
    { once: true },
  ),
  close: mutator<typeof schema, { ids: string[] }>(z.object({ ids: z.array(z.string()) }), async (tx, { ids }) => {
    for (const id of ids) await tx.projects.update({ id, isOpen: false })
  }),
  half: mutator<typeof schema, { id: string }>(z.object({ id: z.string() }), async (tx, { id }) => {
    await tx.projects.update({ id, title: 'half done' })
    refuse('half', 'Not today.')
  }),
  wait: mutator<typeof schema, { ms: number }>(z.object({ ms: z.number() }), async (tx) => {
    await new Promise((resolve) => setTimeout(resolve, 30))
    await tx.projects.insert({ id: 'late', title: 'late' })
  }),
  post: mutator<typeof schema, { projectId: string; content: string }>(z.object({ projectId: z.string(), content: z.string() }), async (tx, args) => {
    await tx.messages.insert({ id: tx.id(), sequence: 1, ...args })
  }),
})

/** What the server makes of the same mutators. */
export const handlers: Readonly<Record<string, Handler>> = {
  rename: (tx, args) => {
    // As the device's validator checked them.
    const { id, title } = args as unknown as { id: string; title: string }
    const before = tx.get('projects', JSON.stringify([id]))
    if (!before) return refuse('gone', 'The project is gone.')
    tx.set('projects', JSON.stringify([id]), { ...before, title: `${title} (was ${String(before.title)})` })
  },
  bump: (tx, args) => {
    // As the device's validator checked them.
    const { id } = args as unknown as { id: string }
    const before = tx.get('projects', JSON.stringify([id]))
    if (!before) return refuse('absent', 'No such project.')
    tx.set('projects', JSON.stringify([id]), { ...before, rank: Number(before.rank) + 1 })
  },
  pay: (tx, args) => {
    // As the device's validator checked them.
    const { id } = args as unknown as { id: string }
    tx.set('projects', JSON.stringify([id]), { ...tx.get('projects', JSON.stringify([id])), title: 'paid' })
  },
  close: (tx, args) => {
    // As the device's validator checked them.
    const { ids } = args as unknown as { ids: string[] }
    for (const id of ids) {
      const before = tx.get('projects', JSON.stringify([id]))
      if (!before) return refuse('absent', 'No such project.')
      tx.set('projects', JSON.stringify([id]), { ...before, isOpen: false })
    }
  },
}

export function createFixture(options: Partial<PeerOptions> = {}) {
  const peer = createPeer({ schema, handlers, ...options })
  const world: World = createWorld(peer.accept)
  let seed = 1
  const device = (user = 'ada', name = '/', ports: Partial<ReturnType<World['ports']>> = {}, rows?: RowsOption) => {
    const client = createClient({ ...(rows && { rows }), schema, mutators, url: `http://server${name}`, user, ports: { ...world.ports(seed++), ...ports } })
    client.onError((error) => world.errors.push(error))
    return client
  }
  return { peer, ...world, device }
}

/** Disks that write nothing from `hold` to `release`. */
export function createSlowDisks(open: Ports['openDisk']) {
  let held: Promise<void> | null = null
  let release = () => {}
  const openDisk: Ports['openDisk'] = async (name) => {
    const disk = await open(name)
    const append: typeof disk.append = async (...asked) => {
      await held
      return disk.append(...asked)
    }
    return { ...disk, append }
  }
  const hold = () => {
    held = new Promise((resolve) => {
      release = resolve
    })
  }
  return { openDisk, hold, release: () => release() }
}

/** More than may be under way at once: what is made next is not sent before some of these are confirmed. */
export function fill(client: Device): void {
  for (let n = 0; n < limits.mutationsInFlightMax; n++) client.mutate.projects.update({ id: 'p1', rank: n })
}

export type Fixture = ReturnType<typeof createFixture>
export type Device = ReturnType<Fixture['device']>

export const me = scopeKey('user', 'ada')
export const project = (id: string, title = id, rank = 0) => ({ id, ownerId: 'ada', title, rank, isOpen: true })
export const message = (n: number, projectId: string) => ({
  id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
  projectId,
  content: `m${n}`,
  sequence: n,
})
export const titles = (client: Device) =>
  client.query.projects
    .orderBy('id')
    .all()
    .map(({ title }) => title)
const plain = (rows: readonly object[]) =>
  rows.map((row) => ({ ...row, ...('budget' in row && typeof row.budget === 'bigint' ? { budget: String(row.budget) } : {}) }))

/** What a device shows is what the server has for this person. */
export function expectLevel({ peer }: Fixture, client: Device) {
  const mine = peer
    .rows('projects')
    .filter(({ ownerId }) => ownerId === 'ada')
    .sort((a, b) => (String(a.id) < String(b.id) ? -1 : 1))
  expect(plain(client.query.projects.orderBy('id').all())).toEqual(mine)
}
