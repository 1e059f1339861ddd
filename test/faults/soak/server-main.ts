// The server of the soak, started with --expose-gc. Its parent says which database it serves, and asks it for SQL and, by the word `sample`, for what it holds in memory.
// It prunes its log all the time, and forgets what is old enough.
import { once } from 'node:events'
import { createServer, openPostgres } from '@headwater/server'
import { prunePiece } from '../../../packages/server/src/feed/prune.ts'
import { forgetPiece } from '../../../packages/server/src/mutate/forget.ts'
import { access, grants, mutators, prepare, schema } from '../../harness/app.ts'
import { heldNow } from './held.ts'

/** Of the log in memory: less than usual, so that it is full before anything is judged. */
const recentBytes = 1_048_576

process.on('disconnect', () => process.exit(0))
// The parent sends a list of texts.
const [[url = '', state = '', port = '0', leak = '']] = (await once(process, 'message')) as [readonly string[]]
const database = await openPostgres(url)
await prepare(database, ['ada', 'bob', 'eve', 'zoe'])
const authenticate = leak === '' ? ({ headers }: { readonly headers: Headers }) => headers.get('x-user') : leaking(Number(leak))
const server = await createServer({ schema, access, mutators, grants, database, stateDirectory: state, authenticate, log: { recentBytes } })
await server.listen({ port: Number(port) })

/** What a leak would look like: so many bytes stay with every connection. */
function leaking(bytes: number) {
  const kept: (readonly number[])[] = []
  return ({ headers }: { readonly headers: Headers }) => {
    // Eight bytes each.
    kept.push(Array.from({ length: bytes / 8 }, (_, i) => kept.length + i / 2))
    return headers.get('x-user')
  }
}

const sample = async () => [{ ...heldNow(), devices: (await server.status()).connected.devices }]
const answer = async (sql: string) => (sql === 'sample' ? sample() : database.query(sql))
process.on('message', (asked: { readonly id: number; readonly sql: string }) => {
  answer(asked.sql).then(
    (rows) => process.send?.({ id: asked.id, rows }),
    (error: unknown) => process.send?.({ id: asked.id, error: String(error) }),
  )
})
process.send?.('ready')

for (;;) {
  await prunePiece(database, { minutes: 0, rows: 1, bytes: 1 }, { minutes: 0, rows: 200 }).catch(() => {})
  await forgetPiece(database).catch(() => {})
  await new Promise((resolve) => setTimeout(resolve, 100))
}
