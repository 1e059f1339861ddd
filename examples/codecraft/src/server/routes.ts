import { type Context, Hono } from 'hono'
import { z } from 'zod'
import { people, personOf } from '../people.ts'
import type { Answers } from './assistant/answers.ts'
import type { Sessions } from './session.ts'

const signIn = z.object({ person: z.string() })

/** The app's own HTTP: who is signed in, and who could be. Everything else is a 404, which the server answers with the web app. */
export function createRoutes(sessions: Sessions, answers: Pick<Answers, 'watch'>): Hono {
  const routes = new Hono()

  routes.use('/api/*', async (context, next) => {
    if (context.req.method !== 'GET' && !isOwnPage(context)) return context.json({ error: 'This request did not come from a page of Codecraft.' }, 403)
    await next()
    context.header('cache-control', 'private, no-store')
  })

  routes.get('/api/people', (context) => context.json({ people }))

  routes.get('/api/session', async (context) => {
    const session = await sessions.sessionOf(context.req.raw.headers)
    return context.json({ person: session === null ? null : (personOf(session.user) ?? null) })
  })

  routes.post('/api/sign-in', async (context) => {
    const body = signIn.safeParse(await context.req.json().catch(() => null))
    const person = body.success ? personOf(body.data.person) : undefined
    if (!person) return context.json({ error: 'There is no such person.' }, 400)
    context.header('set-cookie', await sessions.begin(person.id))
    return context.json({ person })
  })

  routes.post('/api/sign-out', async (context) => {
    context.header('set-cookie', await sessions.end())
    return context.json({ person: null })
  })

  // An answer while it is written, token by token. The rows that sync brings are the same text, a little later: nobody needs this.
  routes.get('/api/answers/:id', async (context) => {
    const session = await sessions.sessionOf(context.req.raw.headers)
    const stream = session === null ? null : await answers.watch(context.req.param('id'), session.user, context.req.raw.signal)
    if (!stream) return context.body(null, 204)
    return context.body(stream, 200, { 'content-type': 'application/x-ndjson', 'x-accel-buffering': 'no' })
  })

  return routes
}

/** Another site can post a form here, with our cookie; it can neither add this header nor hide where it comes from. */
function isOwnPage(context: Context): boolean {
  const site = context.req.header('sec-fetch-site')
  return context.req.header('x-codecraft') === '1' && (site === undefined || site === 'same-origin' || site === 'none')
}
