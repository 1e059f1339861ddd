import { count, many, max, one, sum } from '@headwater/client'
import {
  bigint,
  contains,
  defineAccess,
  defineSchema,
  enumeration,
  gt,
  gte,
  holds,
  integer,
  ne,
  not,
  oneOf,
  or,
  ref,
  table,
  text,
  uuid,
} from '@headwater/schema'
import { sql } from '@headwater/server'
import { createTestApp, type TestApp } from '@headwater/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'

const schema = defineSchema({
  projects: table({
    id: uuid().primaryKey(),
    ownerId: text(),
    title: text().max(200),
    status: enumeration('active', 'archived').default('active'),
    budgetMinor: bigint().nullable(),
  })
    .in('user', 'ownerId')
    .in('project', 'id'),

  messages: table({
    id: uuid().primaryKey(),
    projectId: ref('projects', { onDelete: 'cascade' }),
    content: text(),
    sequence: integer(),
  }).in('project', 'projectId', { load: 'onDemand' }),
})

const access = defineAccess(schema, {
  projects: { insert: holds('user'), update: holds('user'), delete: holds('user') },
  messages: { insert: holds('project'), update: holds('project'), delete: holds('project') },
})
const grants = {
  user: sql`select distinct owner_id as "user", owner_id as key, 'self' as role from projects`,
  project: sql`select owner_id as "user", id as key, 'owner' as role from projects`,
}

let app: TestApp<typeof schema, Record<never, never>>
let client: Awaited<ReturnType<typeof app.device>>
const [mill, barn] = [crypto.randomUUID(), crypto.randomUUID()]
beforeEach(async () => {
  app = await createTestApp({ schema, access, grants })
  await app.sql`insert into projects (id, owner_id, title, status, budget_minor) values
    (${mill}, 'ada', 'Mill', 'active', 5000), (${barn}, 'ada', 'Barn', 'archived', null)`
  await app.sql`insert into messages (id, project_id, content, sequence) values
    (gen_random_uuid(), ${mill}, 'one', 1), (gen_random_uuid(), ${mill}, 'two', 2), (gen_random_uuid(), ${mill}, 'three', 3)`
  client = await app.device('ada')
})
afterEach(() => app.close())

test('rows are asked for', () => {
  const titles = (rows: readonly { readonly title: string }[]) => rows.map(({ title }) => title)
  const { projects } = client.query

  expect(titles(projects.where({ status: 'active' }).orderBy('title').all())).toEqual(['Mill'])
  expect(titles(projects.where({ title: contains('il'), budgetMinor: gte(100n) }).all())).toEqual(['Mill'])
  expect(titles(projects.where({ status: oneOf(['active', 'archived']), budgetMinor: null }).all())).toEqual(['Barn'])
  expect(projects.orderBy('title', 'desc').limit(1).first()?.title).toBe('Mill')
})

test('conditions are put together', () => {
  const { projects } = client.query
  const open = projects.where(or({ budgetMinor: gt(1_000n) }, { status: 'archived' }, not({ title: contains('M') })))
  expect(open.all()).toHaveLength(2)
  expect(projects.where({ budgetMinor: ne(0n) }).all()).toHaveLength(1)
  expect(projects.where(not({ budgetMinor: 0n })).all()).toHaveLength(1)
})

test('a live query follows, and keeps what has not changed', async () => {
  const live = client.query.projects.orderBy('title').live()
  let told = 0
  const unsubscribe = live.subscribe(() => told++)
  const [before] = live.result().rows

  client.mutate.projects.update({ id: mill, title: 'Water mill' })
  expect(live.result().rows.map(({ title }) => title)).toEqual(['Barn', 'Water mill'])
  expect(live.result().rows[0]).toBe(before)
  expect(told).toBe(1)
  unsubscribe()
})

test('projects come with their messages, and messages with their project', async () => {
  const held = client.scope('project', mill)
  await held.ready
  const { projects, messages } = client.query

  const [found] = projects
    .where({ id: mill })
    .with({ messages: many(messages.orderBy('sequence', 'desc').limit(2), 'projectId') })
    .all()
  expect(found?.messages.map(({ content }) => content)).toEqual(['three', 'two'])

  const last = messages
    .orderBy('sequence', 'desc')
    .with({ project: one(projects, 'projectId') })
    .first()
  expect(last).toMatchObject({ content: 'three', project: { title: 'Mill' } })
})

test('a related row that changes makes a new row of those alone that show it', async () => {
  const held = client.scope('project', mill)
  await held.ready
  const live = client.query.projects
    .orderBy('title')
    .with({ messages: many(client.query.messages.orderBy('sequence'), 'projectId') })
    .live()
  live.subscribe(() => {})
  const [barnBefore, millBefore] = live.result().rows
  await app.sql`update messages set content = 'drei' where sequence = 3`
  await app.settled()

  const [barnAfter, millAfter] = live.result().rows
  expect(barnAfter).toBe(barnBefore)
  expect(millAfter).not.toBe(millBefore)
  expect(millAfter?.messages.map(({ content }) => content)).toEqual(['one', 'two', 'drei'])
  expect(millAfter?.messages[0]).toBe(millBefore?.messages[0])
})

test('rows are counted and summed, in all and by group', async () => {
  const { projects } = client.query
  const total = projects.aggregate({ n: count(), budget: sum('budgetMinor'), last: max('title') }).live()
  total.subscribe(() => {})
  expect(total.result().rows).toEqual([{ n: 2, budget: 5000n, last: 'Mill' }])

  client.mutate.projects.insert({ id: client.id(), ownerId: 'ada', title: 'Tower', budgetMinor: 700n })
  expect(total.result().rows).toEqual([{ n: 3, budget: 5700n, last: 'Tower' }])
  expect(projects.aggregate({ n: count(), budget: sum('budgetMinor') }, 'status').all()).toEqual([
    { status: 'active', n: 2, budget: 5700n },
    { status: 'archived', n: 1, budget: null },
  ])
})

test('a result says how much of it is known', async () => {
  const talks = client.query.projects.with({ messages: many(client.query.messages, 'projectId') }).live()
  const sizes = client.query.messages.aggregate({ n: count() }).live()
  expect([client.query.projects.live().result().state, talks.result().state, sizes.result().state]).toEqual(['complete', 'partial', 'partial'])

  const held = [client.scope('project', mill), client.scope('project', barn)]
  await Promise.all(held.map(({ ready }) => ready))
  expect([talks.result().state, sizes.result()]).toEqual(['complete', { rows: [{ n: 3 }], state: 'complete' }])
})

test('what cannot be asked is told', () => {
  const { projects, messages } = client.query
  expect(() => projects.aggregate({ n: sum('title') }).all()).toThrow('title is text, which has no sum.')
  expect(() => projects.with({ title: many(messages, 'projectId') }).all()).toThrow('title is a column of projects.')
  expect(() => messages.orderBy('content').aggregate({ n: count() }, 'projectId').all()).toThrow('Groups have no order by content')
  expect(() => projects.aggregate({}, 'status')).toThrow('Nothing is asked for.')
  expect(() => projects.limit(-1)).toThrow('A limit of -1 is not a count.')
})
