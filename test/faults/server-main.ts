// A server that is killed. Its parent says what it serves: a kind, `url`, `native` or `embedded`; where; on which port; and where it keeps what it remembers. It prunes its log all the
// time, answers SQL to its parent, and ends with it.
import { once } from 'node:events'
import { holdersMayWrite } from '@headwater/schema'
import { createServer, openEmbedded, openNative, openPostgres, sql } from '@headwater/server'
import { prunePiece } from '../../packages/server/src/feed/prune.ts'
import { counters, mutators, schema } from './app.ts'

process.on('disconnect', () => process.exit(0))
// The parent sends a list of texts.
const [[kind, where = '', port = '0', state = '']] = (await once(process, 'message')) as [readonly string[]]
const openers = { url: () => openPostgres(where), native: () => openNative({ directory: where }), embedded: () => openEmbedded({ directory: where }) }
// The parent names one of the three.
const database = await openers[kind as keyof typeof openers]()
await database.execute(`create table if not exists people (id text primary key); insert into people values ('ada') on conflict do nothing`)
const grants = { user: sql`select id as "user", id as key, 'owner' as role from people` }
const server = await createServer({ schema, access: holdersMayWrite(schema), mutators, grants, database, stateDirectory: state, authenticate: () => 'ada' })
for (const id of counters) await database.query(`insert into counters (id, owner_id) values ($1::text::uuid, 'ada') on conflict do nothing`, [id])
await server.listen({ port: Number(port) })

process.on('message', (asked: { readonly id: number; readonly sql: string }) => {
  database.query(asked.sql).then(
    (rows) => process.send?.({ id: asked.id, rows }),
    (error: unknown) => process.send?.({ id: asked.id, error: String(error) }),
  )
})
process.send?.('ready')

// A kill falls into it as often as into anything else.
for (;;) {
  await prunePiece(database, { minutes: 0, rows: 1, bytes: 1 }, { minutes: 0, rows: 50 }).catch(() => {})
  await new Promise((resolve) => setTimeout(resolve, 20))
}
