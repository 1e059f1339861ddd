// What the rules and the schema keep from people is kept over HTTP, too: columns of the server, columns not seen, verbs that are nobody's.
import { allow, defineAccess, defineMutators, defineSchema, role, table, text, uuid } from '@headwater/schema'
import { createServer, type Server, serverMutator, sql, withServerColumns } from '@headwater/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { databases, type OpenedDatabase } from '../harness/databases.ts'
import { answerOf, authenticate, bearer, httpClient } from '../harness/http.ts'

const schema = defineSchema({
  people: table({ id: text().primaryKey(), name: text(), salary: text(), badge: text().nullable().serverOwned() })
    .in('user', 'id')
    .in('company', 'name', { columns: ['id', 'name'] }),
  notes: table({ id: uuid().primaryKey(), ownerId: text() }).in('user', 'ownerId'),
})
const serverSchema = withServerColumns(schema, { people: { passwordHash: text().nullable() } })
const access = defineAccess(schema, {
  people: { insert: allow, update: { columns: { name: role('user', 'owner') } } },
})
const canary = 'canary-7f3a'

describe.each(databases)('access over HTTP on $name', ({ open }) => {
  let opened: OpenedDatabase
  let server: Server
  let url = ''
  const { post, get } = httpClient(() => url)

  beforeAll(async () => {
    opened = await open()
    await opened.database.execute('create table staff (id text primary key)')
    await opened.database.execute(`insert into staff values ('ada'), ('bob')`)
    server = await createServer({
      schema: serverSchema,
      access,
      mutators: defineMutators(schema, {}),
      serverMutators: {
        setPassword: serverMutator(z.object({ hash: z.string() }), async (tx, { hash }) => {
          await tx.unchecked.people?.update({ id: tx.user, passwordHash: hash })
        }),
      },
      database: opened.database,
      authenticate,
      grants: {
        user: sql`select id as "user", id as key, 'owner' as role from staff`,
        company: sql`select id as "user", 'Same' as key, 'member' as role from staff`,
      },
    })
    url = (await server.listen({ port: 0 })).url
    for (const user of ['ada', 'bob']) await post('people.insert', { id: user, name: 'Same', salary: `${user} ${canary}` }, { user })
  })
  afterAll(async () => {
    await server.close()
    await opened.close()
  })

  test('S6 a column of the server is written by its mutator, and is in no answer', async () => {
    expect(await answerOf(post('setPassword', { hash: canary }))).toMatchObject({ status: 200 })
    expect(await server.database.query(`select password_hash from people where id = 'ada'`)).toEqual([{ password_hash: canary }])
    const asked: ((column: string) => Promise<Response>)[] = [
      (column) => get('people', { [column]: canary }),
      (column) => get('people', { where: JSON.stringify({ [column]: { ne: null } }) }),
      (column) => get('people', { orderBy: column }),
      (column) => post('people.update', { id: 'ada', [column]: 'x' }),
      (column) => post('people.update', { id: 'ada', name: 'Same', expect: { [column]: canary } }),
    ]
    for (const ask of asked) {
      // It is answered as a name that there is not.
      const [secret, made] = await Promise.all(
        ['passwordHash', 'madeUp'].map(async (column) => (await (await ask(column)).text()).replaceAll(column, 'COLUMN')),
      )
      expect(secret).toBe(made)
    }
    for (const response of [await get('people', {}, 'ada'), await fetch(`${url}/headwater/openapi.json`, { headers: bearer('ada') })])
      expect(await response.text()).not.toMatch(new RegExp(`passwordHash|password_hash|"${canary}"`))
  })

  test('S1 a column that a person does not see of a row is not there, and cannot be found by filters or order', async () => {
    const { rows } = (await (await get('people', { orderBy: 'id' })).json()) as { readonly rows: unknown }
    expect(rows).toEqual([
      { id: 'ada', name: 'Same', salary: `ada ${canary}`, badge: null },
      { id: 'bob', name: 'Same' },
    ])
    for (const where of [{ salary: `bob ${canary}` }, { salary: { gt: 'b' } }, { id: 'bob', salary: null }, { id: 'bob', salary: { ne: null } }])
      expect(await answerOf(get('people', { where: JSON.stringify(where) })), JSON.stringify(where)).toEqual({ status: 200, rows: [], after: null })
    expect(await answerOf(get('people', { orderBy: 'salary' }))).toMatchObject({ status: 400, code: 'query' })
  })

  test('S5 the rules decide, by verb and by column', async () => {
    const refused = { status: 422, type: 'refused', code: 'forbidden' }
    expect(await answerOf(post('people.update', { id: 'ada', name: 'Ada' }))).toMatchObject({ status: 200 })
    expect(await answerOf(post('people.update', { id: 'ada', salary: 'more' }))).toMatchObject(refused)
    expect(await answerOf(post('people.update', { id: 'ada', badge: 'gold' }))).toMatchObject(refused)
    expect(await answerOf(post('people.delete', { id: 'ada' }))).toMatchObject(refused)
    expect(await answerOf(post('notes.insert', { id: '7d9f3c52-1e0b-4c57-9a57-0f4f6a1f2b3c', ownerId: 'ada' }))).toMatchObject(refused)
  })

  test('the description leaves out what nobody may, and names the mutators of the server', async () => {
    const description = await answerOf(fetch(`${url}/headwater/openapi.json`, { headers: bearer('ada') }))
    expect(Object.keys(Object(description.paths)).sort()).toEqual([
      '/headwater/mutate/people.insert',
      '/headwater/mutate/people.update',
      '/headwater/mutate/setPassword',
      '/headwater/query/notes',
      '/headwater/query/people',
    ])
    const { schemas } = Object(description.components)
    expect(Object.keys(schemas['people.update'].properties)).toEqual(['id', 'name', 'expect'])
    expect(Object.keys(schemas['people.insert'].properties)).toEqual(['id', 'name', 'salary'])
    expect(schemas.people.required).toEqual(['id', 'name'])
  })
})
