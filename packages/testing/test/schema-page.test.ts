// What docs/schema.md shows.
import {
  array,
  bigint,
  bytes,
  date,
  defineSchema,
  enumeration,
  holdersMayWrite,
  json,
  numeric,
  type Row,
  ref,
  table,
  text,
  timestamp,
  uuid,
} from '@headwater/schema'
import { sql, withServerColumns } from '@headwater/server'
import { createTestApp, type TestApp } from '@headwater/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'

const schema = defineSchema({
  people: table({
    id: text().primaryKey(),
    name: text().max(100),
    email: text().unique(),
    passwordChangedAt: timestamp().nullable().serverOwned(),
  }).in('person', 'id'),

  invoices: table({
    id: uuid().primaryKey(),
    ownerId: ref('people', { onDelete: 'cascade' }),
    number: bigint().nullable().provisional(),
    status: enumeration('draft', 'sent', 'paid').default('draft'),
    total: numeric(),
    dueOn: date(),
    settings: json(z.object({ currency: z.enum(['EUR', 'USD']) })),
    tags: array(text()).default([]),
    seal: bytes().nullable(),
  })
    .in('person', 'ownerId')
    .unique('ownerId', 'number')
    .index('ownerId', 'dueOn'),
})

const serverSchema = withServerColumns(schema, { people: { passwordHash: text().nullable() } })

let app: TestApp<typeof serverSchema, Record<never, never>>
beforeEach(async () => {
  app = await createTestApp({
    schema: serverSchema,
    settleMsMax: 25_000,
    access: holdersMayWrite(schema),
    grants: { person: sql`select id as "user", id as key, 'self' as role from people` },
  })
  await app.sql`insert into people (id, name, email) values ('ada', 'Ada', 'ada@example.org')`
}, 120_000)
afterEach(() => app.close())

test('what is read has the types that were declared', async () => {
  const ada = await app.device('ada')
  ada.mutate.invoices.insert({ id: ada.id(), ownerId: 'ada', total: '12.50', dueOn: '2026-12-24', settings: { currency: 'EUR' }, seal: new Uint8Array([1, 2]) })
  const invoice: Row<(typeof schema)['tables']['invoices']> | undefined = ada.query.invoices.first()
  expect(invoice).toMatchObject({ status: 'draft', total: '12.50', number: null, tags: [], seal: new Uint8Array([1, 2]) })
  await app.settled()
  expect(await app.sql`select status, total::text from invoices`).toEqual([{ status: 'draft', total: '12.50' }])
})

test('what cannot be stored is refused at once', async () => {
  const ada = await app.device('ada')
  const invoice = { id: ada.id(), ownerId: 'ada', total: '1', dueOn: '2026-12-24', settings: { currency: 'EUR' } } as const
  await expect(ada.mutate.invoices.insert({ ...invoice, dueOn: '2026-02-30' }).saved).rejects.toMatchObject({ code: 'invalid' })
  await expect(ada.mutate.people.update({ id: 'ada', name: 'a'.repeat(101) }).saved).rejects.toMatchObject({ code: 'invalid' })
  expect(ada.query.invoices.all()).toEqual([])
  await expect(app.sql`update people set name = repeat('a', 101)`).rejects.toMatchObject({ code: 'sql' })
})

test('a column of the server is on no device', async () => {
  const ada = await app.device('ada')
  await app.sql`update people set password_hash = 'secret' where id = 'ada'`
  await app.settled()
  expect(ada.query.people.all()).toEqual([{ id: 'ada', name: 'Ada', email: 'ada@example.org', passwordChangedAt: null }])
})
