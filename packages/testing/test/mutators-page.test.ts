// What docs/mutators.md shows.
import { createClient, type Upgrade } from '@headwater/client'
import { createMemoryDisks, pagePorts } from '@headwater/client/node'
import { defineMutators, defineSchema, enumeration, holdersMayWrite, integer, mutator, ref, refuse, table, text, timestamp, uuid } from '@headwater/schema'
import { type JobHandlers, type ServerMutators, sql } from '@headwater/server'
import { createTestApp, type TestApp } from '@headwater/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'

const schema = defineSchema({
  teams: table({ id: uuid().primaryKey() }).in('team', 'id'),
  tickets: table({
    id: uuid().primaryKey(),
    teamId: ref('teams'),
    title: text().max(200),
    state: enumeration('open', 'done').default('open'),
    number: integer().default(0),
    openedAt: timestamp().nullable(),
  }).in('team', 'teamId'),
  invitations: table({ id: uuid().primaryKey(), teamId: ref('teams'), email: text(), state: enumeration('waiting', 'taken') }).in('team', 'teamId'),
})

const mutators = defineMutators(schema, {
  openTicket: mutator(z.object({ teamId: z.uuid(), title: z.string().min(1).max(200) }), async (tx, { teamId, title }) => {
    const last = await tx.query.tickets.where({ teamId }).orderBy('number', 'desc').first()
    await tx.tickets.insert({ id: tx.id(), teamId, title, number: (last?.number ?? 0) + 1, openedAt: tx.now() })
  }),
  invite: mutator(z.object({ teamId: z.uuid(), email: z.email() }), async (tx, { teamId, email }) => {
    const known = await tx.query.invitations.where({ teamId, email }).first()
    if (known) refuse('invited', `${email} is invited already.`)
    await tx.invitations.insert({ id: tx.id(), teamId, email, state: 'waiting' })
  }),
})

/** Sends nothing, and remembers what it was given. */
const mailer = {
  sent: [] as unknown[],
  send: async (payload: unknown, _: { readonly idempotencyKey: string; readonly signal?: AbortSignal; readonly isReminder?: boolean }) => {
    mailer.sent.push(payload)
  },
}

const serverMutators: ServerMutators<typeof schema, typeof mutators> = {
  invite: async (tx, args) => {
    await mutators.invite.run(tx, args)
    await tx.after('sendInvitation', { to: args.email })
    await tx.after('remind', { to: args.email }, { delayMs: 3 * 24 * 3_600_000 }) // or { at: '2026-12-24T18:00:00Z' }
  },
}

const jobs: JobHandlers = {
  sendInvitation: async (payload, { key, signal }) => {
    await mailer.send(payload, { idempotencyKey: key, signal })
  },
  remind: async (payload, { key }) => {
    await mailer.send(payload, { idempotencyKey: key, isReminder: true })
  },
}

const upgrade: Upgrade = ({ name, args }) => {
  if (name === 'newTicket') return { name: 'openTicket', args } // renamed
  const { teamId, mail } = args as { teamId: string; mail?: string }
  if (name === 'invite' && mail !== undefined) return { args: { teamId, email: mail } } // had another argument
  return null // as it is
}

const teamId = '3c0a6a52-7b5a-4a5e-9d4a-1f6e5d6f7a81'
let app: TestApp<typeof schema, typeof mutators>
beforeEach(async () => {
  mailer.sent.length = 0
  app = await createTestApp({
    schema,
    access: holdersMayWrite(schema),
    mutators,
    serverMutators,
    jobs,
    settleMsMax: 25_000,
    grants: { team: sql`select member as "user", teams.id as key, 'member' as role from teams, unnest(array['ada', 'bob']) as member` },
  })
  await app.sql`insert into teams values (${teamId})`
}, 120_000)
afterEach(() => app.close())

test('plain writes, and one that looks first', async () => {
  const [ada, bob] = [await app.device('ada'), await app.device('bob')]
  const id = ada.id()
  ada.mutate.tickets.insert({ id, teamId, title: 'Leak in the mill', state: 'open' })
  await app.settled()

  ada.mutate.tickets.update({ id, title: 'Leak in the old mill' })
  bob.mutate.tickets.update({ id, state: 'done' })
  await app.settled()
  expect(ada.query.tickets.first()).toMatchObject({ title: 'Leak in the old mill', state: 'done' })

  const outcome = await ada.mutate.tickets.update({ id, state: 'open' }, { expect: { state: 'open' } }).confirmed
  expect(outcome).toMatchObject({ type: 'refused', code: 'conflict' })
})

test('shown at once, and refused with its reason', async () => {
  const ada = await app.device('ada')
  const opened = ada.mutate.openTicket({ teamId, title: 'Roof' })
  await opened.saved
  expect(ada.query.tickets.all()).toMatchObject([{ title: 'Roof', number: 1 }])
  expect(await opened.confirmed).toEqual({ type: 'applied' })

  await ada.mutate.invite({ teamId, email: 'eve@example.org' }).confirmed
  const again = await ada.mutate.invite({ teamId, email: 'eve@example.org' }).confirmed
  expect(again).toEqual({ type: 'refused', code: 'invited', reason: 'eve@example.org is invited already.' })
})

test('a mail goes out once its mutation has committed, and none for one that is refused', async () => {
  const ada = await app.device('ada')
  await ada.mutate.invite({ teamId, email: 'eve@example.org' }).confirmed
  await ada.mutate.invite({ teamId, email: 'eve@example.org' }).confirmed
  await expect.poll(() => mailer.sent, { timeout: 30_000 }).toEqual([{ to: 'eve@example.org' }])
  // A job is off the list when its handler is over.
  await expect.poll(async () => (await app.server.jobs.list()).map(({ name }) => name)).toEqual(['remind'])
})

test('what an older build has made is what this build makes of it', async () => {
  const [disks, former] = [
    createMemoryDisks(),
    { newTicket: mutators.openTicket, invite: mutator(z.object({ teamId: z.uuid(), mail: z.email() }), async () => {}) },
  ]
  const options = { schema, url: 'http://127.0.0.1/', user: 'ada', ports: { ...pagePorts(), openDisk: disks.open } }
  const before = createClient({ ...options, mutators: former })
  before.mutate.newTicket({ teamId, title: 'Roof' })
  await before.mutate.invite({ teamId, mail: 'eve@example.org' }).saved
  await before.close()
  const after = createClient({ ...options, mutators, upgrade })
  await after.ready
  expect(after.pending.get().map(({ name, args }) => [name, args])).toEqual([
    ['openTicket', { teamId, title: 'Roof' }],
    ['invite', { teamId, email: 'eve@example.org' }],
  ])
  await after.close()
})
