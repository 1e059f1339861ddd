import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createAnswers } from '../src/server/assistant/answers.ts'
import { createRoutes } from '../src/server/routes.ts'
import { createSessions, type Sessions } from '../src/server/session.ts'

const dayMs = 86_400_000
let folder = ''
let now = 0
let sessions: Sessions
const answers = createAnswers({ now: () => now, wait: async () => {} })

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'codecraft-'))
  now = Date.parse('2026-11-21T04:00:00Z')
  sessions = createSessions({ secretFile: join(folder, 'new', 'secret'), now: () => now })
})
afterEach(() => rmSync(folder, { recursive: true }))

const own = { 'x-codecraft': '1', 'content-type': 'application/json' }
const post = (path: string, body: unknown, headers: Record<string, string> = own) =>
  createRoutes(sessions, answers).request(path, { method: 'POST', headers, body: JSON.stringify(body) })
const session = async (cookie: string) => (await createRoutes(sessions, answers).request('/api/session', { headers: { cookie } })).json()
const signIn = async (person: string) => ((await post('/api/sign-in', { person })).headers.get('set-cookie') ?? '').split(';')[0] ?? ''

describe('signing in', () => {
  test('gives a cookie that no script and no other site can use', async () => {
    const response = await post('/api/sign-in', { person: 'ada' })
    expect(response.status).toBe(200)
    expect(response.headers.get('set-cookie')).toMatch(/^codecraft-session=ada\..+; Max-Age=2592000; Path=\/; HttpOnly; SameSite=Lax$/)
    expect(response.headers.get('cache-control')).toBe('private, no-store')
  })

  test('is remembered, also by another process with the same secret', async () => {
    const cookie = await signIn('grace')
    sessions = createSessions({ secretFile: join(folder, 'new', 'secret'), now: () => now })
    expect(await session(cookie)).toMatchObject({ person: { id: 'grace' } })
  })

  test('is refused for people who are not there', async () => {
    expect((await post('/api/sign-in', { person: 'nobody' })).status).toBe(400)
    expect((await post('/api/sign-in', { person: ['ada'] })).status).toBe(400)
    expect((await createRoutes(sessions, answers).request('/api/sign-in', { method: 'POST', headers: own, body: 'no json' })).status).toBe(400)
  })

  test.each([
    ['a form of another site', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['the header, from another site', { ...own, 'sec-fetch-site': 'cross-site' }],
    ['the header, from a sibling site', { ...own, 'sec-fetch-site': 'same-site' }],
  ])('and out is refused with %s', async (_, headers) => {
    expect((await post('/api/sign-in', { person: 'ada' }, headers)).status).toBe(403)
    expect((await post('/api/sign-out', {}, headers)).status).toBe(403)
  })
})

describe('a session', () => {
  test('is nobody’s without a cookie, and with one that was tampered with', async () => {
    const cookie = await signIn('ada')
    expect(await session('')).toEqual({ person: null })
    expect(await session(cookie.replace('ada', 'grace'))).toEqual({ person: null })
    expect(await session(`${cookie.slice(0, -4)}AAA%3D`)).toEqual({ person: null })
  })

  test('ends after 30 days, whatever the browser does', async () => {
    const cookie = await signIn('ada')
    now += 30 * dayMs - 1_000
    expect(await session(cookie)).toMatchObject({ person: { id: 'ada' } })
    // By this the server of the devices closes the connection in time.
    expect(await sessions.sessionOf(new Headers({ cookie }))).toEqual({ user: 'ada', expiresAt: new Date(now + 1_000) })
    now += 2_000
    expect(await session(cookie)).toEqual({ person: null })
  })

  test('ends by signing out', async () => {
    expect((await post('/api/sign-out', {})).headers.get('set-cookie')).toContain('Max-Age=0')
  })
})

test('the secret is long, and its owner’s alone', async () => {
  await signIn('ada')
  const file = join(folder, 'new', 'secret')
  expect(readFileSync(file, 'utf8').length).toBeGreaterThanOrEqual(43)
  expect(statSync(file).mode & 0o777).toBe(0o600)
})

test('what is not the app’s own is left to the pages', async () => {
  expect((await createRoutes(sessions, answers).request('/projects/1')).status).toBe(404)
})
