import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Config } from '@headwater/server'
import { serveStatic } from '@hono/node-server/serve-static'
import { Hono } from 'hono'
import type { AppFolder } from './app.ts'

type Fetch = NonNullable<Config['fetch']>

/** The app over HTTP: its own answers first, then the built pages. A path without a file gets index.html: the app routes it itself. */
export function pages(app: AppFolder, config: Config): Fetch {
  const root = config.web === undefined ? null : resolve(app.folder, config.web)
  // Not built, or not yet: then the app's own answers are all there is.
  const files = root !== null && existsSync(root) ? staticFiles(root) : null
  return async (request) => {
    const own = await config.fetch?.(request)
    if (own !== undefined && (own.status !== 404 || files === null)) return own
    return files?.fetch(request) ?? new Response('Not found', { status: 404 })
  }
}

function staticFiles(root: string): Hono {
  const web = new Hono()
  web.use(async (context, next) => {
    await next()
    context.header('X-Content-Type-Options', 'nosniff')
    // A file whose name holds its hash never changes; a page may with every build.
    context.header('Cache-Control', context.req.path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache')
  })
  web.get('*', serveStatic({ root }))
  web.get('*', async (context, next) => (/\.[a-z0-9]+$/i.test(context.req.path) ? next() : serveStatic({ root, path: 'index.html' })(context, next)))
  return web
}
