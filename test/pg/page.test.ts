// What server.page reads for a page: the rows that the person's device would show, of nobody else, with the columns that they see.
import { pageQueries } from '@headwater/schema'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { schema, startServer, type TestServer } from '../harness/app.ts'
import { databases, type OpenedDatabase } from '../harness/databases.ts'
import { authenticate } from '../harness/http.ts'

describe.each(databases)('a page on $name', ({ open }) => {
  let opened: OpenedDatabase
  let app: TestServer
  const one = '7d9f3c52-1e0b-4c57-9a57-0f4f6a1f2b3c'

  beforeAll(async () => {
    opened = await open()
    app = await startServer(opened.database, { authenticate })
    await app.database.query(
      `insert into projects (id, owner_id, title, visits) values ($1::text::uuid, 'ada', 'Mill', 3), (gen_random_uuid(), 'ada', 'Barn', 1), (gen_random_uuid(), 'bob', 'Secret', 9)`,
      [one],
    )
    await app.database.query(`insert into samples (id, owner_id, bigint, bytes) values (gen_random_uuid(), 'ada', 12345678901234, '\\x00ff')`)
  })
  afterAll(async () => {
    await app?.close()
    await opened?.close()
  })
  const asked = pageQueries(schema, (q) => [q.projects.orderBy('title'), q.samples.limit(5)])

  test('S1 each person gets their own, encoded, at a snapshot of this database', async () => {
    const [ada, bob, nobody] = await Promise.all(['ada', 'bob', `x' or true --`].map((user) => app.page(user, asked)))
    expect(ada?.results.map(({ rows }) => rows.map((row) => row.title ?? row.bigint))).toEqual([['Barn', 'Mill'], ['12345678901234']])
    expect(ada?.results[0]?.rows[1]).toEqual({ id: one, ownerId: 'ada', title: 'Mill', slug: null, status: 'active', visits: 3, updatedAt: null })
    expect(bob?.results[0]?.rows.map(({ title }) => title)).toEqual(['Secret'])
    expect(nobody?.results.flatMap(({ rows }) => rows)).toEqual([])
    expect(ada).toMatchObject({ user: 'ada', ...app.identity, snapshot: expect.stringMatching(/^\d+:\d+:/) })
  })

  test('what is shaped is refused by name', async () => {
    const [first] = asked
    if (!first) throw new Error('Nothing was asked.')
    await expect(app.page('ada', [{ ...first, definition: { ...first.definition, plan: {} } }])).rejects.toMatchObject({ code: 'query' })
    await expect(app.page('ada', [{ ...first, definition: { ...first.definition, table: 'gone' } }])).rejects.toMatchObject({ code: 'schema' })
  })
})
