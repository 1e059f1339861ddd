// The app that the tests of the whole road use: small, with every column type, one shared thing, and people who must not see each other.
import {
  array,
  bigint,
  boolean,
  bytes,
  date,
  defineMutators,
  defineSchema,
  enumeration,
  float,
  holdersMayWrite,
  integer,
  json,
  mutator,
  numeric,
  ref,
  refuse,
  table,
  text,
  timestamp,
  uuid,
} from '@headwater/schema'
import { createServer, type Database, type Server, type ServerOptions, sql } from '@headwater/server'
import { z } from 'zod'

export const schema = defineSchema({
  projects: table({
    id: uuid().primaryKey(),
    ownerId: text(),
    title: text().max(200),
    slug: text().nullable().unique(),
    status: enumeration('active', 'archived').default('active'),
    visits: integer().default(0),
    updatedAt: timestamp().nullable(),
  })
    .in('user', 'ownerId')
    .in('project', 'id'),
  members: table({ projectId: ref('projects', { onDelete: 'cascade' }), userId: text() })
    .primaryKey('projectId', 'userId')
    .in('project', 'projectId')
    .in('user', 'userId'),
  messages: table({
    id: uuid().primaryKey(),
    projectId: ref('projects', { onDelete: 'cascade' }),
    content: text(),
    sequence: integer(),
  }).in('project', 'projectId', { load: 'onDemand' }),
  samples: table({
    id: uuid().primaryKey(),
    ownerId: text(),
    text: text().nullable(),
    integer: integer().nullable(),
    bigint: bigint().nullable(),
    numeric: numeric().nullable(),
    float: float().nullable(),
    boolean: boolean().nullable(),
    json: json().nullable(),
    timestamp: timestamp().nullable(),
    date: date().nullable(),
    bytes: bytes().nullable(),
    uuid: uuid().nullable(),
    enumeration: enumeration('a', 'b').nullable(),
    texts: array(text()).nullable(),
    bigints: array(bigint()).nullable(),
    timestamps: array(timestamp()).nullable(),
    floats: array(float()).nullable(),
    blobs: array(bytes()).nullable(),
    reference: ref('projects', { onDelete: 'setNull' }).nullable(),
  }).in('user', 'ownerId'),
})

export const mutators = defineMutators(schema, {
  createProject: mutator(z.object({ id: z.uuid(), title: z.string(), lines: z.array(z.string()) }), async (tx, args) => {
    await tx.projects.insert({ id: args.id, ownerId: tx.user, title: args.title, updatedAt: tx.now() })
    for (const [i, content] of args.lines.entries()) await tx.messages.insert({ id: tx.id(), projectId: args.id, content, sequence: i + 1 })
  }),
  addMessage: mutator(z.object({ projectId: z.uuid(), content: z.string() }), async (tx, args) => {
    if (args.content === 'forbidden words') refuse('language', 'Mind your language.')
    const last = await tx.query.messages.where({ projectId: args.projectId }).orderBy('sequence', 'desc').first()
    await tx.messages.insert({ id: tx.id(), projectId: args.projectId, content: args.content, sequence: (last?.sequence ?? 0) + 1 })
  }),
  visit: mutator(z.object({ id: z.uuid() }), async (tx, { id }) => {
    const project = await tx.query.projects.where({ id }).first()
    if (project === undefined) refuse('absent', 'There is no such project.')
    await tx.projects.update({ id, visits: project.visits + 1 })
  }),
})

export const grants = {
  user: sql`select distinct owner_id as "user", owner_id as key, 'owner' as role from projects
    union select user_id, user_id, 'owner' from members union select owner_id, owner_id, 'owner' from samples
    union select id, id, 'owner' from people`,
  project: sql`select owner_id as "user", id as key, 'owner' as role from projects union select user_id, project_id, 'member' from members`,
}

export const access = holdersMayWrite(schema)

/** People are a table of the app that no device holds; grants read it. */
export async function prepare(database: Database, people: readonly string[] = ['ada', 'bob', 'eve']): Promise<void> {
  await database.execute('create table if not exists people (id text primary key)')
  for (const person of people) await database.query('insert into people (id) values ($1) on conflict do nothing', [person])
}

export type TestServer = Server & { readonly url: string }

/** A server of the test app on a free port. Who connects is who the header `x-user` says. */
export async function startServer(database: Database, over: Partial<ServerOptions<typeof schema, typeof mutators>> = {}): Promise<TestServer> {
  await prepare(database)
  const server = await createServer({ schema, access, mutators, grants, database, authenticate: ({ headers }) => headers.get('x-user'), ...over })
  const { url } = await server.listen({ port: 0 })
  return Object.assign(server, { url })
}

export const keys = { projects: ['id'], members: ['projectId', 'userId'], messages: ['id'], samples: ['id'] } as const
