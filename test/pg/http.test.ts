// Headwater over HTTP: the very lines of docs/http.md, exactly once, who may see what, and what is refused before anything is done.
import { execFile, spawnSync } from 'node:child_process'
import { randomUUID as uuid } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { promisify } from 'node:util'
import { type Json, mutationId } from '@headwater/protocol'
import { type Database, openPostgres } from '@headwater/server'
import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { limits } from '../../packages/server/src/limits.ts'
import { keys, startServer, type TestServer } from '../harness/app.ts'
import { databases, type OpenedDatabase } from '../harness/databases.ts'
import { answerOf, authenticate, bearer, fastClock, httpClient, type SentHeaders } from '../harness/http.ts'
import { connectWire } from '../harness/wire-device.ts'

describe.each(databases)('HTTP on $name', ({ name: kind, open }) => {
  let opened: OpenedDatabase
  let database: Database
  let server: TestServer

  beforeAll(async () => {
    opened = await open()
    database = { ...opened.database, close: async () => {} }
    server = await startServer(database, { authenticate, origins: ['https://app.example.org'] })
  })
  afterAll(async () => {
    await server.close()
    await opened.close()
  })

  const { post, get } = httpClient(() => server.url)
  const project = (over: Readonly<Record<string, unknown>> = {}) => ({ id: uuid(), ownerId: 'ada', title: 'Mill', ...over })
  const count = async (id: string) => (await database.query('select count(*)::int as n from projects where id = $1::text::uuid', [id]))[0]?.n
  const incidents = async () => (await database.query('select count(*)::int as n from headwater.incidents'))[0]?.n

  test.runIf(spawnSync('curl', ['--version']).status === 0)('the lines of docs/http.md run as they stand', async () => {
    const page = readFileSync(new URL('../../docs/http.md', import.meta.url), 'utf8')
    const lines = [...page.matchAll(/```sh .*\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.trim().split('\n'))
    const script = lines.map((line) => `${line}${line.startsWith('curl') ? '; echo' : ''}`).join('\n')
    const { stdout: said } = await promisify(execFile)('bash', ['-ec', script], { env: { ...process.env, URL: server.url } })
    const answers = said
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(answers).toHaveLength(lines.filter((line) => line.startsWith('curl')).length)
    const applied = { type: 'applied', id: expect.any(String) }
    const rows = [{ id: '7d9f3c52-1e0b-4c57-9a57-0f4f6a1f2b3c', ownerId: 'ada', title: 'Old mill', slug: null, status: 'active', visits: 3, updatedAt: null }]
    expect(answers).toEqual([applied, applied, applied, { rows, after: null }, { rows, after: null }, expect.objectContaining({ openapi: '3.1.0' })])
  })

  test('W2 the same key at once and again: carried out once, and answered the same', async () => {
    const [row, key] = [project(), uuid()]
    const answers = await Promise.all(Array.from({ length: 8 }, () => answerOf(post('projects.insert', row, { key }))))
    answers.push(await answerOf(post('projects.insert', Object.fromEntries(Object.entries(row).reverse()), { key: `"${key}"` })))
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
    expect(answers[0]).toMatchObject({ status: 200, type: 'applied' })
    expect(await count(row.id)).toBe(1)
  })

  test('W8 the same key with another payload or for another mutator is told, recorded, and changes nothing', async () => {
    const [row, key] = [project(), uuid()]
    await post('projects.insert', row, { key })
    const before = Number(await incidents())
    expect(await answerOf(post('projects.insert', { ...row, title: 'Another' }, { key }))).toMatchObject({ status: 422, code: 'mismatch' })
    expect(await answerOf(post('projects.delete', { id: row.id }, { key }))).toMatchObject({ status: 422, code: 'mismatch' })
    expect(await incidents()).toBe(before + 2)
    expect(await database.query('select title from projects where id = $1::text::uuid', [row.id])).toEqual([{ title: 'Mill' }])
  })

  test("one person's key is not another's", async () => {
    const key = uuid()
    const [mine, theirs] = [project(), project({ ownerId: 'bob' })]
    expect(await answerOf(post('projects.insert', mine, { key }))).toMatchObject({ status: 200 })
    expect(await answerOf(post('projects.insert', theirs, { key, user: 'bob' }))).toMatchObject({ status: 200 })
    expect([await count(mine.id), await count(theirs.id)]).toEqual([1, 1])
  })

  test("S1 the id of another person's mutation is as good as any: nothing of theirs is told, nothing of one's own is lost", async () => {
    const id = mutationId(uuid())
    const [mine, theirs] = [project(), project({ ownerId: 'bob' })]
    for (const [user, row] of [
      ['ada', mine],
      ['bob', theirs],
    ] as const) {
      const device = await connectWire({ url: server.url, user, keys })
      const number = device.push('projects.insert', { row }, { id })
      await device.until(() => device.outcomes.has(number), 'the outcome')
      expect(device.outcomes.get(number)).toMatchObject({ type: 'applied' })
      device.close()
    }
    expect([await count(mine.id), await count(theirs.id)]).toEqual([1, 1])
  })

  test('a refusal is final: the same key is answered the same, also when it would succeed by now', async () => {
    const slug = uuid()
    const [taken, late] = [project({ slug }), project({ slug })]
    await post('projects.insert', taken)
    const key = uuid()
    const refused = { status: 409, type: 'refused', code: 'unique', reason: expect.any(String) }
    expect(await answerOf(post('projects.insert', late, { key }))).toMatchObject(refused)
    await post('projects.delete', { id: taken.id })
    expect(await answerOf(post('projects.insert', late, { key }))).toMatchObject(refused)
    expect(await count(late.id)).toBe(0)
  })

  test('what refuses: an expectation, the rules, the schema, a mutator, its validator', async () => {
    const row = project()
    await post('projects.insert', row)
    const refusals: [string, unknown, number, string][] = [
      ['projects.update', { id: row.id, title: 'New', expect: { title: 'Other' } }, 409, 'conflict'],
      ['projects.insert', project({ ownerId: 'bob' }), 422, 'forbidden'],
      ['projects.update', { id: uuid(), title: 'Nowhere' }, 422, 'absent'],
      ['projects.insert', project({ visits: 'many' }), 422, 'invalid'],
      ['projects.insert', { ownerId: 'ada', title: 'No key' }, 422, 'invalid'],
      ['addMessage', { projectId: row.id, content: 'forbidden words' }, 422, 'language'],
      ['addMessage', { projectId: row.id }, 422, 'invalid'],
    ]
    for (const [name, body, status, code] of refusals) {
      expect(await answerOf(post(name, body)), name).toMatchObject({ status, type: 'refused', code })
    }
    expect(await database.query('select title, owner_id from projects where id = $1::text::uuid', [row.id])).toEqual([{ title: 'Mill', owner_id: 'ada' }])
  })

  test("a change over HTTP reaches devices, its times and ids are the mutation's", async () => {
    const device = await connectWire({ url: server.url, user: 'ada', keys })
    const id = uuid()
    expect(await answerOf(post('createProject', { id, title: 'Dam', lines: ['one', 'two'] }))).toMatchObject({ status: 200 })
    await device.until(() => device.rows('projects').some((row) => row.id === id), 'the project')
    expect(device.rows('projects').find((row) => row.id === id)).toMatchObject({ title: 'Dam', updatedAt: expect.stringMatching(/^\d{4}-.*\d{6}Z$/) })
    device.close()
  })

  test('what is not to be answered: nobody, unknown names, no key, other methods', async () => {
    const nobody = { authorization: 'none' }
    expect(await answerOf(post('projects.insert', project(), { headers: nobody }))).toMatchObject({ status: 401, code: 'unauthenticated' })
    // Whether a name exists is told to nobody who is nobody.
    expect(await answerOf(post('nothing', {}, { headers: nobody }))).toMatchObject({ status: 401 })
    for (const name of ['nothing', 'projects.drop', 'people.insert', 'projects.insert.x', 'toString', '__proto__.insert', 'void'])
      expect(await answerOf(post(name, {})), name).toMatchObject({ status: 404, code: 'not-found' })
    expect(await answerOf(get('people'))).toMatchObject({ status: 404 })
    for (const key of ['', 'x'.repeat(201), '""'])
      expect(await answerOf(post('projects.insert', project(), { key }))).toMatchObject({ status: 400, code: 'idempotency-key' })
    for (const [method, path] of [
      ['GET', 'mutate/projects.delete'],
      ['PUT', 'mutate/projects.insert'],
      ['POST', 'query/projects'],
      ['DELETE', 'query/projects'],
    ] as const) {
      const response = await fetch(`${server.url}/headwater/${path}`, { method, headers: bearer('ada') })
      expect([response.status, response.headers.get('allow')]).toEqual([405, path.startsWith('mutate') ? 'POST' : 'GET'])
    }
  })

  test('another spelling of a path is another path', async () => {
    const statusOf = (path: string) =>
      new Promise((resolve, reject) => {
        const { hostname, port } = new URL(server.url)
        httpRequest({ hostname, port, path, headers: bearer('ada') }, (response) => resolve(response.resume().statusCode))
          .on('error', reject)
          .end()
      })
    expect(await statusOf('/headwater/query/projects')).toBe(200)
    for (const path of [
      '//headwater/query/projects',
      '/headwater//query/projects',
      '/headwater/query//projects',
      '/headwater/query/projects/',
      '/headwater/query/projects.',
      '/headwater/query/project%73',
      '/%68eadwater/query/projects',
      '/headwater/query/Projects',
      '/headwater/x/../query/projects',
      '/headwater/query/./projects',
      '/headwater/query/projects%00',
      '/headwater/query/projects;a=b',
    ])
      expect(await statusOf(path), path).toBe(404)
  })

  const host = () => new URL(server.url).host
  test.each<[string, () => SentHeaders, number]>([
    ['a script with a token', () => bearer('ada'), 200],
    ['a page of this server', () => ({ cookie: 'user=ada', origin: `http://${host()}`, 'sec-fetch-site': 'same-origin' }), 200],
    ['an older browser, with an Origin alone', () => ({ cookie: 'user=ada', origin: `http://${host()}` }), 200],
    ['a page of an allowed origin', () => ({ cookie: 'user=ada', origin: 'https://app.example.org', 'sec-fetch-site': 'cross-site' }), 200],
    ['a foreign page', () => ({ cookie: 'user=ada', origin: 'https://evil.example.net', 'sec-fetch-site': 'cross-site' }), 403],
    ['a foreign page with a token', () => ({ ...bearer('ada'), origin: 'https://evil.example.net' }), 403],
    ['a sandboxed page', () => ({ cookie: 'user=ada', origin: 'null' }), 403],
    ['a sibling site', () => ({ cookie: 'user=ada', 'sec-fetch-site': 'same-site' }), 403],
    ['a foreign page whose Origin was taken away', () => ({ cookie: 'user=ada', 'sec-fetch-site': 'cross-site' }), 403],
    ['a cookie and nothing that says whence', () => ({ cookie: 'user=ada' }), 403],
    ['a cookie and Basic', () => ({ cookie: 'user=ada', authorization: 'Basic YWRhOng=' }), 403],
    ['a form', () => ({ cookie: 'user=ada', origin: `http://${host()}`, 'content-type': 'application/x-www-form-urlencoded' }), 415],
    ['plain text, as a form can send', () => ({ ...bearer('ada'), 'content-type': 'text/plain' }), 415],
    ['JSON in all but name', () => ({ ...bearer('ada'), 'content-type': 'text/plain; application/json' }), 415],
    ['no content type', () => ({ ...bearer('ada'), 'content-type': '' }), 415],
  ])('CSRF: %s', async (_, headers, status) => {
    const row = project()
    // fetch sets some of these headers by itself.
    const answered = await new Promise((resolve, reject) => {
      const { hostname, port } = new URL(server.url)
      const all = { 'content-type': 'application/json', 'idempotency-key': uuid(), ...headers() }
      httpRequest({ hostname, port, method: 'POST', path: '/headwater/mutate/projects.insert', headers: all }, (response) =>
        resolve(response.resume().statusCode),
      )
        .on('error', reject)
        .end(JSON.stringify(row))
    })
    expect(answered).toBe(status)
    expect(await count(row.id)).toBe(status === 200 ? 1 : 0)
  })

  test('an allowed origin gets what its browser asks for, another one nothing', async () => {
    const preflight = (origin: string) => fetch(`${server.url}/headwater/mutate/projects.insert`, { method: 'OPTIONS', headers: { origin } })
    const allowed = await preflight('https://app.example.org')
    expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([204, 'https://app.example.org'])
    const foreign = await preflight('https://evil.example.net')
    expect([foreign.status, foreign.headers.get('access-control-allow-origin')]).toEqual([403, null])
  })

  test('W12 bodies that cannot be stored, or are none, are told so before anything is done', async () => {
    const deep = `${'['.repeat(40)}${']'.repeat(40)}`
    const bodies: [string | Uint8Array | ReadableStream, SentHeaders, number][] = [
      ['', {}, 400],
      ['{"id":', {}, 400],
      [new Uint8Array([0x22, 0xff, 0x22]), {}, 400],
      ['[]', {}, 400],
      ['"a\\u0000b"', {}, 400],
      ['{"title":"\\ud800"}', {}, 400],
      [deep, {}, 400],
      ['['.repeat(200_000), {}, 400],
      ['{"secretColumn":1}', {}, 400],
      ['{"__proto__":{"id":"x"}}', {}, 400],
      [JSON.stringify({ title: 'x'.repeat(600_000) }), {}, 413],
      [new Blob(['"', 'x'.repeat(600_000), '"']).stream(), {}, 413],
      ['{}', { 'content-encoding': 'gzip' }, 415],
    ]
    for (const [body, over, status] of bodies) {
      const headers = { 'content-type': 'application/json', 'idempotency-key': uuid(), ...bearer('ada'), ...over }
      // A streamed body wants to be called so; the types of fetch do not know it.
      const init = { method: 'POST', headers, body, duplex: 'half' } as RequestInit
      const response = await fetch(`${server.url}/headwater/mutate/projects.insert`, init)
      expect([response.status, response.headers.get('content-type')], String(body).slice(0, 40)).toEqual([status, 'application/problem+json'])
      expect(await response.text()).not.toMatch(/secretColumn|xxx/)
    }
  })

  test('the description of it all is valid OpenAPI 3.1, and names every table and mutator', async () => {
    const response = await fetch(`${server.url}/headwater/openapi.json`, { headers: bearer('ada') })
    const description = (await response.json()) as { readonly paths: Record<string, Json>; readonly components: { readonly schemas: Record<string, Json> } }
    const validator = new Validator()
    expect(await validator.validate(structuredClone(description))).toEqual({ valid: true })
    expect(validator.version).toBe('3.1')
    expect(Object.keys(description.paths)).toEqual(
      expect.arrayContaining(['/headwater/query/samples', '/headwater/mutate/projects.update', '/headwater/mutate/createProject']),
    )
    expect(description.paths['/headwater/mutate/createProject']).toMatchObject({
      post: { requestBody: { content: { 'application/json': { schema: { properties: { title: { type: 'string' } }, required: ['id', 'title', 'lines'] } } } } },
    })
    expect(description.components.schemas['projects.insert']).toMatchObject({
      required: ['id', 'ownerId', 'title'],
      properties: { status: { enum: ['active', 'archived'], default: 'active' }, title: { maxLength: 200 } },
    })
    expect((await fetch(`${server.url}/headwater/openapi.json`)).status).toBe(401)
  })

  // Embedded, one transaction at a time: nothing can hold a row.
  test.runIf(kind !== 'embedded')('a database that does not answer in time: 503, and the same key again is carried out once', async () => {
    const row = project()
    await post('projects.insert', row)
    const other = await openPostgres(opened.url ?? '')
    const hasty = await startServer(database, { ports: { clock: fastClock }, authenticate })
    const key = uuid()
    const visit = () => httpClient(() => hasty.url).post('visit', { id: row.id }, { key })
    await other.transaction('write', async (transaction) => {
      await transaction.query('update projects set title = title where id = $1::text::uuid', [row.id])
      const response = await visit()
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
    })
    expect(await answerOf(visit())).toMatchObject({ status: 200 })
    expect(await answerOf(visit())).toMatchObject({ status: 200 })
    expect(await database.query('select visits from projects where id = $1::text::uuid', [row.id])).toEqual([{ visits: 1 }])
    await hasty.close()
    await other.close()
  })

  test('who asks too often is told to wait, and nobody else is', async () => {
    // Time stands still: what is taken does not come back.
    const still = await startServer(database, { ports: { clock: { ...fastClock, now: () => 1_000 } }, authenticate })
    const ask = async (user: string) => {
      const { status, headers } = await httpClient(() => still.url).get('members', {}, user)
      return status === 429 ? `429 after ${headers.get('retry-after')} s` : status
    }
    const answers: (number | string)[] = []
    for (let n = 0; n < limits.personRate.burst + 3; n++) answers.push(await ask('hasty'))
    expect(answers.filter((answer) => answer === 200).length).toBe(limits.personRate.burst)
    expect(answers.slice(-3)).toEqual(['429 after 1 s', '429 after 1 s', '429 after 1 s'])
    expect(await ask('bob')).toBe(200)
    await still.close()
  })
})
