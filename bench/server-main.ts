// The server process of a benchmark. It is told where the database is, says where it listens, and answers questions over IPC.
import { createServer, openEmbedded, openPostgres } from '@headwater/server'
import { mutators, schema } from './app.ts'
import { access, grants, prepare } from './server-app.ts'
import type { ServerOptions, Where } from './server-process.ts'

const where: Where = JSON.parse(process.argv[2] ?? '{}')
const { page = '' } = await new Promise<ServerOptions>((resolve) => process.once('message', resolve))
const database = 'database' in where ? await openPostgres(where.database) : await openEmbedded(where)
await prepare(database)
const server = await createServer({
  schema,
  access,
  mutators,
  grants,
  database,
  // A device in Node says who it is in a header, a page in a cookie.
  authenticate: ({ headers }) => headers.get('x-user') ?? /user=([\w-]+)/.exec(headers.get('cookie') ?? '')?.[1] ?? null,
  onTrouble: (error) => console.error('server:', error),
})
const { url } = await server.listen({ port: 0, fetch: () => new Response(page, { headers: { 'content-type': 'text/html; charset=utf-8' } }) })

process.on('message', async (question) => {
  if (question === 'rssBytes') {
    // A second one frees what the first one's finalizers let go.
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 500))
    globalThis.gc?.()
    process.send?.({ rssBytes: process.memoryUsage.rss() })
  } else if (question === 'peakBytes') {
    process.send?.({ peakBytes: process.resourceUsage().maxRSS * 1_024 })
  } else if (question === 'cpuMs') {
    const { user, system } = process.cpuUsage()
    process.send?.({ cpuMs: (user + system) / 1_000 })
  } else if (question === 'stop') {
    await server.close()
    process.exit(0)
  }
})
process.on('disconnect', () => process.exit(1))
process.send?.({ url })
