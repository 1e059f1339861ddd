import { leastRecentlyUsed } from '@headwater/client'
import { and, defineAccess, defineMutators, defineSchema, enumeration, eq, mutator, ref, refuse, role, table, text, timestamp, uuid } from '@headwater/schema'
import { readKey, sql } from '@headwater/server'
import { createTestApp, type TestApp } from '@headwater/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'

const schema = defineSchema({
  users: table({ id: text().primaryKey(), name: text() }).in('user', 'id'),

  teams: table({ id: uuid().primaryKey(), name: text() }).in('team', 'id'),

  members: table({ teamId: ref('teams', { onDelete: 'cascade' }), userId: ref('users'), role: enumeration('viewer', 'editor', 'owner') })
    .primaryKey('teamId', 'userId')
    .in('team', 'teamId'),

  campaigns: table({
    id: uuid().primaryKey(),
    teamId: ref('teams', { onDelete: 'cascade' }),
    authorId: text(),
    title: text().max(200),
    status: enumeration('draft', 'live').default('draft'),
    launchedAt: timestamp().nullable(),
  }).in('team', 'teamId'),

  comments: table({ id: uuid().primaryKey(), campaignId: ref('campaigns', { onDelete: 'cascade' }), line: text() }).in('campaign', 'campaignId', {
    load: 'onDemand',
  }),
})

const grants = {
  user: sql`select id as "user", id as key, 'self' as role from users`,
  team: sql`select user_id as "user", team_id as key, role from members`,
  campaign: sql`select m.user_id as "user", c.id as key, m.role from campaigns c join members m on m.team_id = c.team_id`,
}

const access = defineAccess(
  schema,
  {
    campaigns: {
      insert: ({ row, person }) => and(role('team', 'editor'), eq(row.authorId, person)),
      update: {
        columns: { title: role('team', 'editor'), status: role('team', 'owner'), launchedAt: role('team', 'owner') },
        when: ({ before, after }) => eq(before.teamId, after.teamId),
      },
      delete: role('team', 'owner'),
    },
    comments: { insert: role('campaign', 'viewer') },
  },
  { roles: { team: ['viewer', 'editor', 'owner'], campaign: ['viewer', 'editor', 'owner'] } },
)

const mutators = defineMutators(schema, {
  launch: mutator(z.object({ id: z.uuid() }), async (tx, { id }) => {
    const campaign = await tx.query.campaigns.where({ id }).first()
    if (campaign?.status === 'live') refuse('live', `“${campaign.title}” is live already.`)
    await tx.campaigns.update({ id, status: 'live', launchedAt: tx.now() })
  }),
})

let app: TestApp<typeof schema, typeof mutators>
const [team, campaign] = [crypto.randomUUID(), crypto.randomUUID()]
beforeEach(async () => {
  app = await createTestApp({ schema, access, mutators, grants })
  await app.sql`insert into users values ('ada', 'Ada'), ('bob', 'Bob'), ('eve', 'Eve')`
  await app.sql`insert into teams values (${team}, 'Spring')`
  await app.sql`insert into members values (${team}, 'ada', 'owner'), (${team}, 'bob', 'viewer')`
  await app.sql`insert into campaigns values (${campaign}, ${team}, 'ada', 'Flowers')`
})
afterEach(() => app.close())

test('rows come with their scopes, and go with them', async () => {
  const [bob, eve] = [await app.device('bob'), await app.device('eve')]
  expect(bob.query.campaigns.all()).toMatchObject([{ title: 'Flowers' }])
  expect(eve.query.campaigns.all()).toEqual([])

  await app.sql`insert into members values (${team}, 'eve', 'editor')`
  await app.sql`delete from members where user_id = 'bob'`
  await app.settled()
  expect(eve.query.campaigns.all()).toMatchObject([{ title: 'Flowers' }])
  expect(bob.query.campaigns.all()).toEqual([])
})

test('rows that are loaded on demand come while their scope is held', async () => {
  const bob = await app.device('bob')
  await app.sql`insert into comments values (gen_random_uuid(), ${campaign}, 'Lovely')`
  await app.settled()
  expect(bob.query.comments.all()).toEqual([])

  const held = bob.scope('campaign', campaign)
  await held.ready
  expect(bob.query.comments.all()).toMatchObject([{ line: 'Lovely' }])
})

test('a scope that is denied comes when it is granted, and is denied again when it is taken away', async () => {
  const eve = await app.device('eve')
  const held = eve.scope('campaign', campaign)
  await expect(held.ready).rejects.toMatchObject({ code: 'denied' })

  await app.sql`insert into comments values (gen_random_uuid(), ${campaign}, 'Lovely')`
  await app.sql`insert into members values (${team}, 'eve', 'viewer')`
  await expect.poll(held.state).toBe('ready')
  expect(eve.query.comments.all()).toMatchObject([{ line: 'Lovely' }])

  await app.sql`delete from members where user_id = 'eve'`
  await expect.poll(held.state).toBe('denied')
  expect(eve.query.comments.all()).toEqual([])
})

test('what was loaded ahead is there without a network, and what is kept is there after a restart', async () => {
  const bob = await app.device('bob', { eviction: leastRecentlyUsed({ rows: 10_000, days: 30 }) })
  await app.sql`insert into comments values (gen_random_uuid(), ${campaign}, 'Lovely')`
  await bob.preload('campaign', [campaign])
  bob.keep('campaign', campaign)

  bob.offline()
  await bob.restart()
  expect(bob.scope('campaign', campaign).state()).toBe('ready')
  expect(bob.query.comments.all()).toMatchObject([{ line: 'Lovely' }])
})

test('who may not do it is refused, and what was shown is taken back', async () => {
  const [ada, bob] = [await app.device('ada'), await app.device('bob')]
  expect(await bob.mutate.launch({ id: campaign }).confirmed).toMatchObject({ type: 'refused', code: 'forbidden' })
  expect(bob.query.campaigns.all()).toMatchObject([{ status: 'draft' }])
  expect(await ada.mutate.launch({ id: campaign }).confirmed).toEqual({ type: 'applied' })
  expect(await ada.mutate.launch({ id: campaign }).confirmed).toMatchObject({ code: 'live' })
})

test('the server can say why', async () => {
  const { allowed, because } = await app.server.explain.can('bob', 'update', 'campaigns', readKey(schema, 'campaigns', campaign), ['status'])
  expect(allowed).toBe(false)
  expect(because.find(({ columns }) => columns.includes('status'))?.part).toMatchObject({
    rule: `role('team', 'owner')`,
    held: { needed: ['owner'], scopes: [{ scope: `team:${team}`, roles: ['viewer'] }] },
  })
  expect(await app.server.explain.whoSees('campaigns', { id: campaign })).toMatchObject([
    { user: 'ada', role: 'owner' },
    { user: 'bob', role: 'viewer' },
  ])
})
