import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineSchema, holdersMayWrite, integer, table, text, uuid } from '@headwater/schema'
import { migrate, sql } from '@headwater/server'
import { createTestApp } from '@headwater/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'

const schema = defineSchema({
  users: table({ id: text().primaryKey() }).in('user', 'id'),
  notes: table({ id: uuid().primaryKey(), ownerId: text(), title: text(), stars: integer().default(0) }).in('user', 'ownerId'),
})
const access = holdersMayWrite(schema)
const grants = { user: sql`select id as "user", id as key, 'self' as role from users` }

const open = () => createTestApp({ schema, access, grants })
let app: Awaited<ReturnType<typeof open>>
let migrations: string
beforeEach(async () => {
  migrations = await mkdtemp(join(tmpdir(), 'hw-page-'))
  app = await open()
  await app.sql`insert into users values ('ada')`
  await app.sql`insert into notes values (gen_random_uuid(), 'ada', 'first', 1)`
})
afterEach(async () => {
  await app.close()
  await rm(migrations, { recursive: true })
})

test('a file is run once, and what it wrote is loaded again', async () => {
  const ada = await app.device('ada')
  await writeFile(join(migrations, '0001-stars.sql'), 'update notes set stars = stars * 10')

  const migrated = await migrate(app.server.database, { schema, access, grants }, { folder: migrations })
  expect(migrated).toMatchObject({ files: ['0001-stars.sql'], loadedAgain: ['notes'] })
  await expect.poll(() => ada.query.notes.all(), { timeout: 10_000 }).toMatchObject([{ title: 'first', stars: 10 }])

  expect(await migrate(app.server.database, { schema, access, grants }, { folder: migrations })).toMatchObject({ files: [], loadedAgain: [] })
})

test('what destroys something has to be meant', async () => {
  await writeFile(join(migrations, '0001-drop.sql'), 'alter table notes drop column stars')
  const without = defineSchema({
    users: table({ id: text().primaryKey() }).in('user', 'id'),
    notes: table({ id: uuid().primaryKey(), ownerId: text(), title: text() }).in('user', 'ownerId'),
  })
  const next = { schema: without, access: holdersMayWrite(without), grants }
  await expect(migrate(app.server.database, next, { folder: migrations })).rejects.toMatchObject({ code: 'destructive' })
  expect(await migrate(app.server.database, next, { folder: migrations, isDryRun: true })).toMatchObject({ destructive: [{ file: '0001-drop.sql', line: 1 }] })
  await migrate(app.server.database, next, { folder: migrations, mayDestroy: true })
  expect(await app.sql`select * from notes`).toEqual([{ id: expect.any(String), owner_id: 'ada', title: 'first' }])
})

test('DDL by another way is noticed', async () => {
  const ada = await app.device('ada')
  await app.server.database.execute(`alter table notes disable trigger all; update notes set title = 'unseen'; alter table notes enable trigger all`)
  await expect.poll(() => ada.query.notes.all(), { timeout: 10_000 }).toMatchObject([{ title: 'unseen' }])

  await app.server.database.execute('alter table notes alter column stars type text')
  await expect
    .poll(async () => (await app.server.status()).troubles, { timeout: 10_000 })
    .toEqual({
      notes: 'notes.stars is text in the database, and integer in the schema',
    })
  await expect(app.sql`update notes set title = 'third'`).rejects.toMatchObject({ hint: expect.stringContaining('headwater migrate') })

  expect(app.troubles.splice(0).map(String)).toEqual([
    expect.stringContaining('Somebody changed table notes'),
    expect.stringContaining('Table notes cannot be served: notes.stars is text'),
  ])
})
