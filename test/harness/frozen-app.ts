// What `npm run freeze-client` makes a file of: the client with an app of its own, as it was on that day. It may use nothing but what apps
// import; its tables are some of those in app.ts, as an older build of that app would have them.
import { createClient } from '@headwater/client'
import { createMemoryDisks, nodePorts } from '@headwater/client/node'
import { defineMutators, defineSchema, integer, mutator, ref, type StandardSchema, table, text, timestamp, uuid } from '@headwater/schema'

const schema = defineSchema({
  projects: table({
    id: uuid().primaryKey(),
    ownerId: text(),
    title: text().max(200),
    slug: text().nullable().unique(),
    visits: integer().default(0),
    updatedAt: timestamp().nullable(),
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

/** Takes what it is given: the server checks it. */
const anything = <T>(): StandardSchema<T> => ({ '~standard': { version: 1, vendor: 'headwater', validate: (value) => ({ value: value as T }) } })

const mutators = defineMutators(schema, {
  addMessage: mutator(anything<{ projectId: string; content: string }>(), async (tx, args) => {
    const last = await tx.query.messages.where({ projectId: args.projectId }).orderBy('sequence', 'desc').first()
    await tx.messages.insert({ id: tx.id(), projectId: args.projectId, content: args.content, sequence: (last?.sequence ?? 0) + 1 })
  }),
})

export const createDisks = createMemoryDisks

export interface FrozenOptions {
  readonly url: string
  readonly user: string
  /** The same disks again are the same device, restarted. */
  readonly disks: ReturnType<typeof createMemoryDisks>
  readonly WebSocket: unknown
  readonly fetch: typeof globalThis.fetch
}

export function openFrozen({ url, user, disks, WebSocket, fetch }: FrozenOptions) {
  const ports = { ...nodePorts({ directory: '', WebSocket, fetch }), openDisk: disks.open }
  return createClient({ schema, mutators, url, user, ports })
}
