// The app of the fixtures in test/fixtures: databases and devices as versions of Headwater left them. Never changed: what is to be tried besides gets an app of its own.
import { createClient } from '@headwater/client'
import { nodePorts } from '@headwater/client/node'
import { defineMutators, defineSchema, holdersMayWrite, integer, mutator, table, text, timestamp, uuid } from '@headwater/schema'
import { createServer, openEmbedded, sql } from '@headwater/server'
import WebSocket from 'ws'
import { z } from 'zod'
import { socketsAlone } from './person.ts'

export const schema = defineSchema({
  projects: table({ id: uuid().primaryKey(), ownerId: text(), title: text().max(200), visits: integer().default(0), updatedAt: timestamp().nullable() })
    .in('user', 'ownerId')
    .in('project', 'id'),
  messages: table({ id: uuid().primaryKey(), projectId: uuid(), content: text() }).in('project', 'projectId', { load: 'onDemand' }),
})
export const mutators = defineMutators(schema, {
  visit: mutator(z.object({ id: z.uuid() }), async (tx, { id }) => {
    const project = await tx.query.projects.where({ id }).first()
    await tx.projects.update({ id, visits: (project?.visits ?? 0) + 1, updatedAt: tx.now() })
  }),
})
const grants = {
  user: sql`select id as "user", id as key, 'self' as role from people`,
  project: sql`select owner_id as "user", id as key, 'owner' as role from projects`,
}

/** A server on a database's directory, on a free port. */
export async function openReleased(directory: string) {
  const database = await openEmbedded({ directory })
  await database.execute(`create table if not exists people (id text primary key); insert into people values ('ada') on conflict do nothing`)
  const server = await createServer({ schema, mutators, grants, access: holdersMayWrite(schema), database, authenticate: () => 'ada' })
  const { url } = await server.listen({ port: 0 })
  return { ...server, url }
}

/** A device whose disk is in a directory. What lies there is kept by the address of the server: it is the same one, wherever it listens. */
export function openReleasedDevice(url: string, directory: string) {
  class Redirected extends WebSocket {
    constructor(given: string) {
      super(given.replace(/^ws:\/\/[^/]*/, url.replace(/^http/, 'ws')))
    }
  }
  return createClient({ schema, mutators, url: 'http://app.example', user: 'ada', ports: nodePorts({ directory, WebSocket: Redirected, fetch: socketsAlone }) })
}

export const project = 'a0000000-0000-4000-8000-000000000001'
