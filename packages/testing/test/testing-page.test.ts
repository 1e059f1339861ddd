import { defineMutators, defineSchema, holdersMayWrite, mutator, refuse, table, text, uuid } from '@headwater/schema'
import { sql } from '@headwater/server'
import { createTestApp, type TestApp } from '@headwater/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'

const schema = defineSchema({
  users: table({ id: text().primaryKey() }).in('user', 'id'),
  notes: table({ id: uuid().primaryKey(), ownerId: text(), line: text() }).in('user', 'ownerId'),
})
const mutators = defineMutators(schema, {
  write: mutator(z.object({ id: z.uuid(), line: z.string() }), async (tx, { id, line }) => {
    if (line === '') refuse('empty', 'A note needs a line.')
    await tx.notes.insert({ id, line, ownerId: tx.user })
  }),
})
const grants = { user: sql`select id as "user", id as key, 'owner' as role from users` }

let app: TestApp<typeof schema, typeof mutators>
beforeEach(async () => {
  app = await createTestApp({ schema, access: holdersMayWrite(schema), mutators, grants })
  await app.sql`insert into users (id) values ('ada'), ('bob')`
})
afterEach(() => app.close())

test('a note is on all devices of its person, and of nobody else', async () => {
  const [laptop, phone, bob] = [await app.device('ada'), await app.device('ada'), await app.device('bob')]
  laptop.mutate.write({ id: laptop.id(), line: 'Buy milk' })
  await app.settled()
  expect(phone.query.notes.all()).toMatchObject([{ line: 'Buy milk' }])
  expect(bob.query.notes.all()).toEqual([])
})

test('a note without a line is refused', async () => {
  const ada = await app.device('ada')
  expect(await ada.mutate.write({ id: ada.id(), line: '' }).confirmed).toEqual({ type: 'refused', code: 'empty', reason: 'A note needs a line.' })
})

test('what is written on a train arrives later, in spite of a restart', async () => {
  const [laptop, phone] = [await app.device('ada'), await app.device('ada')]
  phone.offline()
  await phone.mutate.write({ id: phone.id(), line: 'Buy milk' }).saved
  await phone.restart()
  expect(phone.status.get().pending).toBe(1)
  phone.online()
  await app.settled()
  expect(laptop.query.notes.all()).toMatchObject([{ line: 'Buy milk' }])
})

test('a line typed into psql is on the device', async () => {
  const ada = await app.device('ada')
  await app.sql`insert into notes (id, owner_id, line) values (gen_random_uuid(), 'ada', 'From psql')`
  await app.settled()
  expect(ada.query.notes.all()).toMatchObject([{ line: 'From psql' }])
})
