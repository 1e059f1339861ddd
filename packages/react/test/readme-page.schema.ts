// The blocks of README.md that are about a schema, as they stand there.
import { defineAccess, defineMutators, defineSchema, enumeration, eq, integer, mutator, ref, role, table, text, uuid } from '@headwater/schema'
import { defineConfig, sql } from '@headwater/server'
import { z } from 'zod'

const sessionUser = (headers: Headers) => headers.get('person')

// schema.ts
export const schema = defineSchema({
  projects: table({
    id: uuid().primaryKey(),
    ownerId: text(),
    title: text().max(200),
    status: enumeration('active', 'archived').default('active'),
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

// access.ts
export const access = defineAccess(
  schema,
  {
    projects: {
      insert: ({ row, person }) => eq(row.ownerId, person),
      update: { columns: { status: role('project', 'owner'), '*': role('project', 'editor') }, when: ({ before, after }) => eq(before.ownerId, after.ownerId) },
      delete: role('project', 'owner'),
    },
    messages: { insert: role('project', 'editor') }, // and nobody changes or deletes one
  },
  { roles: { project: ['viewer', 'editor', 'owner'] } },
)

// mutators.ts
export const mutators = defineMutators(schema, {
  sendMessage: mutator(z.object({ projectId: z.uuid(), content: z.string() }), async (tx, args) => {
    const last = await tx.query.messages.where({ projectId: args.projectId }).orderBy('sequence', 'desc').first()
    await tx.messages.insert({ id: tx.id(), sequence: (last?.sequence ?? 0) + 1, ...args })
  }),
})

// headwater.config.ts
export default defineConfig({
  schema,
  access,
  mutators,
  authenticate: (request) => sessionUser(request.headers),
  grants: {
    user: sql`select id as "user", id as key, 'owner' as role from users`,
    project: sql`select owner_id as "user", id as key, 'owner' as role from projects
                 union select user_id, project_id, role from members`,
  },
})
