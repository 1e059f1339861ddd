// Rows over HTTP: the same rows, operators, values and order as everywhere, page by page, and nothing of anybody else.
import { randomUUID as uuid } from 'node:crypto'
import type { Json } from '@headwater/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer, type TestServer } from '../harness/app.ts'
import { databases, type OpenedDatabase } from '../harness/databases.ts'
import { authenticate, bearer, httpClient } from '../harness/http.ts'

const nulls = {
  ...{ text: null, integer: null, bigint: null, numeric: null, float: null, boolean: null, json: null, timestamp: null, date: null, bytes: null, uuid: null },
  ...{ enumeration: null, texts: null, bigints: null, timestamps: null, floats: null, blobs: null, reference: null },
}

const rows = Array.from({ length: 23 }, (_, n) => ({
  id: uuid(),
  ownerId: 'eve',
  text: n % 4 === 0 ? null : ['z', 'a', 'Ä', 'b'][n % 4],
  integer: n % 3 === 0 ? null : n,
  bigint: '9007199254740993',
  numeric: '12.50',
  float: ['NaN', '-0', 1.5, null][n % 4],
  bytes: 'AAH/',
  json: { a: [1] },
  timestamp: '2026-11-21T03:43:43.123456Z',
  texts: ['x', 'y'],
}))

const noGroups: readonly Record<string, string>[] = [
  { where: '{' },
  { where: '{"or":{"text":"a"}}' },
  { where: '{"or":[1]}' },
  { where: '{"not":[]}' },
  { where: `${'{"not":'.repeat(12)}{}${'}'.repeat(12)}` },
]
const groups: readonly [Record<string, string>, (row: (typeof rows)[number]) => boolean][] = [
  [
    { where: '{"or":[{"integer":{"lt":3}},{"text":"a","integer":{"gt":8}}]}' },
    ({ integer, text }) => integer !== null && (integer < 3 || (text === 'a' && integer > 8)),
  ],
  [{ where: '{"not":{"text":"a"}}' }, ({ text }) => text !== null && text !== 'a'],
  [{ where: '{"or":[]}' }, () => false],
  [{ where: '{"and":[{"not":{"or":[{"integer":7},{"text":null}]}},{}]}' }, ({ integer, text }) => integer !== null && integer !== 7 && text !== null],
]

describe.each(databases)('queries over HTTP on $name', ({ open }) => {
  let opened: OpenedDatabase
  let server: TestServer
  const { post, get } = httpClient(() => server.url)

  beforeAll(async () => {
    opened = await open()
    server = await startServer({ ...opened.database, close: async () => {} }, { authenticate })
    for (const row of rows) expect((await post('samples.insert', row, { user: 'eve' })).status).toBe(200)
  })

  afterAll(async () => {
    await server.close()
    await opened.close()
  })

  const ask = async (parameters: Record<string, string>, user = 'eve') => {
    const response = await get('samples', parameters, user)
    expect(response.status, JSON.stringify(parameters)).toBe(200)
    return (await response.json()) as { readonly rows: readonly Readonly<Record<string, Json>>[]; readonly after: string | null }
  }
  const idsBy = (holds: (row: (typeof rows)[number]) => boolean) =>
    rows
      .filter(holds)
      .map(({ id }) => id)
      .sort()

  test('R9 values come as they were sent', async () => {
    const { rows: found } = await ask({ id: rows[1]?.id ?? '' })
    expect(found).toEqual([{ ...nulls, ...rows[1] }])
  })

  test.each<[Record<string, string>, (row: (typeof rows)[number]) => boolean]>([
    [{ text: 'a' }, ({ text }) => text === 'a'],
    [{ integer: '7' }, ({ integer }) => integer === 7],
    [{ float: 'NaN' }, ({ float }) => float === 'NaN'],
    [{ bigint: '9007199254740993' }, () => true],
    [{ bigint: '9007199254740992' }, () => false],
    [{ where: '{"text":null}' }, ({ text }) => text === null],
    [{ where: '{"text":{"ne":null}}' }, ({ text }) => text !== null],
    [{ where: '{"integer":{"gte":5,"lt":9}}' }, ({ integer }) => integer !== null && integer >= 5 && integer < 9],
    [{ where: '{"integer":{"in":[1,2,100]}}' }, ({ integer }) => integer === 1 || integer === 2],
    [{ where: '{"integer":{"in":[]}}' }, () => false],
    [{ where: '{"text":{"startsWith":"Ä"}}' }, ({ text }) => text === 'Ä'],
    [{ where: '{"text":{"contains":"%"}}' }, () => false],
    [{ where: '{"json":{"eq":{"a":[1]}}}' }, () => true],
    [{ where: '{"texts":["x","y"],"numeric":"12.5"}' }, () => true],
    [{ text: `' or true --` }, () => false],
    ...groups,
  ])('%j', async (parameters, holds) => {
    const { rows: found } = await ask({ ...parameters, limit: '1000' })
    expect(found.map(({ id }) => String(id)).sort()).toEqual(idsBy(holds))
  })

  test.each(['', 'integer', 'integer.desc', 'text.desc,integer', 'text,float.desc', 'float,text.desc', 'timestamp.desc,texts'])(
    'pages of %j add up to the whole, in order',
    async (orderBy) => {
      const order: Record<string, string> = orderBy === '' ? {} : { orderBy }
      const whole = await ask({ ...order, limit: '1000' })
      expect(whole).toMatchObject({ rows: { length: rows.length }, after: null })
      const paged: Readonly<Record<string, Json>>[] = []
      for (let after: string | null = ''; after !== null; ) {
        const page: Awaited<ReturnType<typeof ask>> = await ask({ ...order, limit: '4', ...(after !== '' && { after }) })
        expect(page.rows.length).toBeLessThanOrEqual(4)
        paged.push(...page.rows)
        after = page.after
      }
      expect(paged).toEqual(whole.rows)
    },
  )

  test("S1 others' rows are as if they were not there, whatever is asked", async () => {
    expect(await ask({}, 'bob')).toEqual({ rows: [], after: null })
    for (const parameters of [{ id: rows[0]?.id ?? '' }, { id: uuid() }]) expect(await ask(parameters, 'bob')).toEqual({ rows: [], after: null })
  })

  test.each<Record<string, string>>([
    { stats: 'active' },
    { limit: '0' },
    { limit: '1001' },
    { limit: '1e2' },
    { limit: '' },
    { orderBy: 'secret' },
    { orderBy: 'text.down' },
    { orderBy: 'text;drop table samples' },
    { orderBy: 'json' },
    { orderBy: 'text,' },
    { where: '[]' },
    { where: '{"text":{"like":"a"}}' },
    { where: '{"text":{"constructor":"a"}}' },
    { where: '{"none":1}' },
    ...noGroups,
    { where: '{"integer":"many"}' },
    { where: '{"integer":{"in":3}}' },
    { where: '{"text":{"eq":"a\\u0000"}}' },
    { integer: 'x' },
    { bigint: 'x' },
    { uuid: 'x' },
    { json: '1' },
    { after: 'AAAA' },
    { after: Buffer.from('["id.asc",[null,1]]').toString('base64url') },
    { after: Buffer.from('["id.asc",["no uuid"]]').toString('base64url') },
  ])('what cannot be asked is told: %j', async (parameters) => {
    const response = await get('samples', parameters, 'eve')
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([400, 'query'])
  })

  test('a parameter given twice is an error', async () => {
    const response = await fetch(`${server.url}/headwater/query/samples?text=a&text=b`, { headers: bearer('eve') })
    expect(response.status).toBe(400)
  })
})
