// A server in a process of its own, which stops in order at SIGTERM: `rolling-server.ts URL PORT`.
import { createServer, openPostgres } from '@headwater/server'
import { access, grants, mutators, prepare, schema } from './app.ts'

const [, , url = '', port = '0'] = process.argv
const database = await openPostgres(url)
await prepare(database)
const server = await createServer({ schema, access, mutators, grants, database, authenticate: ({ headers }) => headers.get('x-user') })
await server.listen({ port: Number(port) })
process.send?.('ready')
process.once('SIGTERM', () => server.close().then(() => process.exit(0)))
