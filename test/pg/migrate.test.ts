// Hard case 5: what an app changes of its tables, with devices that are connected and some that were away with unsent work.
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@headwater/client'
import { createMemoryDisks } from '@headwater/client/node'
import { defineSchema, holdersMayWrite, integer, type Schema, table, text, uuid } from '@headwater/schema'
import { createServer, type Database, type MigrateOptions, migrate, type Server, sql, uninstall } from '@headwater/server'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { freePort } from '../../packages/server/src/database/native/process.ts'
import { databases } from '../harness/databases.ts'
import { personPorts } from '../harness/person.ts'

const soon = { timeout: 20_000 }
const key = { id: uuid().primaryKey(), ownerId: text() }
const first = defineSchema({ notes: table({ ...key, title: text(), stars: integer() }).in('user', 'ownerId') })
/** Of the first, all but `stars` is as it was. */
const grown = defineSchema({
  notes: table({ ...key, title: text(), stars: integer(), colour: text().default('red') }).in('user', 'ownerId'),
  tags: table({ ...key, label: text() }).in('user', 'ownerId'),
})
const changed = defineSchema({ notes: table({ ...key, name: text(), stars: text() }).in('user', 'ownerId') })
const people = sql`select id as "user", id as key, 'self' as role from people`
const appOf = <S extends Schema>(schema: S) => ({ schema, access: holdersMayWrite(schema), grants: { user: people } })

describe.each(databases)('migrating on $name', ({ open }) => {
  let database: Database
  let url: string | null
  let folder: string
  let port: number
  let close: () => Promise<void>
  let server: Server | null = null
  const clients: { close(): Promise<void> }[] = []

  beforeEach(async () => {
    const opened = await open()
    database = opened.database
    url = opened.url
    folder = await mkdtemp(join(tmpdir(), 'hw-migrate-'))
    port = await freePort()
    await database.execute(`create table people (id text primary key); insert into people values ('ada')`)
    close = async () => {
      for (const client of clients.splice(0)) await client.close()
      await server?.close()
      server = null
      await opened.close()
      await rm(folder, { recursive: true })
    }
  })
  afterEach(() => close())

  const file = (name: string, script: string) => writeFile(join(folder, name), script)
  const run = (schema: Schema, options: MigrateOptions = {}) => migrate(database, appOf(schema), { folder, ...options })
  /** A server of this schema in the place of the one before, at the same address. */
  async function serve<S extends Schema>(schema: S): Promise<void> {
    await server?.close()
    server = await createServer({ ...appOf(schema), database: { ...database, close: async () => {} }, authenticate: ({ headers }) => headers.get('x-user') })
    await server.listen({ port })
  }
  const device = <S extends Schema>(schema: S, disks = createMemoryDisks()) => {
    const client = createClient({
      schema,
      url: `http://127.0.0.1:${port}`,
      user: 'ada',
      ports: { ...personPorts('ada'), openDisk: disks.open },
    })
    clients.push(client)
    return client
  }
  const level = (client: { readonly status: { get(): { readonly phase: string } } }) => expect.poll(() => client.status.get().phase, soon).toBe('live')
  const barriers = async () => (await database.query(`select table_name as name from headwater.log where op = 'b' order by seq`)).map(({ name }) => name)
  const insertNote = (title: string, stars: number) =>
    database.query(`insert into notes (id, owner_id, title, stars) values (gen_random_uuid(), 'ada', $1, $2::int)`, [title, stars])

  test('a column with a default and a new table: on new devices at once, and old ones beside a newer server go on and lose nothing of their outbox', async () => {
    await serve(first)
    await insertNote('one', 1)
    const disks = createMemoryDisks()
    const [online, away] = [device(first), device(first, disks)]
    await Promise.all([level(online), level(away)])
    await server?.close()
    server = null
    // Made without a network, by the old build.
    const id = crypto.randomUUID()
    await away.mutate.notes.insert({ id, ownerId: 'ada', title: 'made away', stars: 2 }).saved
    await away.close()
    const migrated = await run(grown)
    expect(migrated).toMatchObject({ files: [], loadedAgain: ['notes'], sql: expect.stringContaining(`add column "colour"`) })
    expect(await run(grown)).toEqual({ files: [], sql: '', destructive: [], loadedAgain: [] })
    await database.query(`insert into tags (id, owner_id, label) values (gen_random_uuid(), 'ada', 'urgent')`)
    await serve(grown)
    expect(await barriers()).toEqual(['notes'])
    const back = device(grown, disks)
    await expect
      .poll(
        () =>
          back.query.notes
            .orderBy('title')
            .all()
            .map(({ title, colour }) => [title, colour]),
        soon,
      )
      .toEqual([
        ['made away', 'red'],
        ['one', 'red'],
      ])
    await expect.poll(() => back.query.tags.all().map(({ label }) => label), soon).toEqual(['urgent'])
    await expect.poll(() => back.pending.get().length, soon).toBe(0)
    await expect
      .poll(
        () =>
          online.query.notes
            .orderBy('title')
            .all()
            .map(({ title }) => title),
        soon,
      )
      .toEqual(['made away', 'one'])
    // The old build writes what it knows.
    expect(await online.mutate.notes.update({ id, stars: 5 }).confirmed).toEqual({ type: 'applied' })
    await expect.poll(() => back.query.notes.where({ id }).first(), soon).toMatchObject({ stars: 5, colour: 'red' })
    // And a server of the old build, started again, leaves what the new one needs.
    await serve(first)
    await database.query(`update notes set colour = 'blue' where id = $1::text::uuid`, [id])
    await serve(grown)
    await expect.poll(() => back.query.notes.where({ id }).first()?.colour, soon).toBe('blue')
  })

  test('W10 renamed, retyped and dropped columns: every device has what SQL has, and what was made for the old tables is kept', async () => {
    await serve(first)
    await insertNote('one', 3)
    const disks = createMemoryDisks()
    const [old, away] = [device(first), device(first, disks)]
    await Promise.all([level(old), level(away)])
    await file('0001-names.sql', `alter table notes rename column title to name; alter table notes alter column stars type text using repeat('*', stars);`)
    await file('0002-twice.sql', `update notes set name = name || ' twice';`)
    await expect(run(changed)).rejects.toMatchObject({
      code: 'destructive',
      message: expect.stringContaining('0001-names.sql:1 alter table notes alter column stars type'),
    })
    const migrated = await run(changed, { mayDestroy: true })
    expect(migrated).toMatchObject({ files: ['0001-names.sql', '0002-twice.sql'], loadedAgain: ['notes'] })
    // Made by old builds, one connected to the old server and one that is away.
    const kept = [old, away].map((client, i) => client.mutate.notes.insert({ id: crypto.randomUUID(), ownerId: 'ada', title: `kept ${i}`, stars: 1 }))
    await Promise.all(kept.map(({ saved }) => saved))
    await away.close()
    await serve(changed)
    const [fresh, back] = [device(changed), device(changed, disks)]
    for (const client of [fresh, back]) {
      await expect
        .poll(
          () =>
            client.query.notes
              .all()
              .map(({ name, stars }) => [name, stars])
              .filter(([name]) => name === 'one twice'),
          soon,
        )
        .toEqual([['one twice', '***']])
    }
    expect(back.pending.get().length + back.setAside.list().length).toBe(1)
    expect(old.pending.get().length + old.setAside.list().length).toBe(1)
    await database.query(`update notes set name = 'three'`)
    await expect.poll(() => fresh.query.notes.all().map(({ name }) => name), soon).toEqual(['three'])
    await expect
      .poll(
        () =>
          back.query.notes
            .all()
            .map(({ name }) => name)
            .filter((name) => name === 'three'),
        soon,
      )
      .toEqual(['three'])
  })

  test('thousands of rows of a migration are no changes of the log but one barrier; a dry run leaves nothing', async () => {
    await serve(first)
    await insertNote('one', 1)
    const online = device(first)
    await expect.poll(() => online.query.notes.all().length, soon).toBe(1)
    await file('0001-many.sql', `insert into notes select gen_random_uuid(), 'bob', 'many', 1 from generate_series(1, 2000); update notes set stars = 7;`)
    expect(await run(first, { isDryRun: true })).toMatchObject({
      files: ['0001-many.sql'],
      sql: expect.stringContaining('generate_series'),
      loadedAgain: ['notes'],
    })
    expect(await barriers()).toEqual([])
    expect(await database.query('select count(*)::int as n from notes')).toEqual([{ n: 1 }])
    await run(first)
    expect(await database.query('select op::text as op, count(*)::int as n from headwater.log group by 1 order by 1')).toEqual([
      { op: 'b', n: 1 },
      { op: 'i', n: 1 },
    ])
    await expect.poll(() => online.query.notes.all().map(({ stars }) => stars), soon).toEqual([7])
    await database.query('update notes set stars = 8')
    await expect.poll(() => online.query.notes.all().map(({ stars }) => stars), soon).toEqual([8])
  })

  test('what cannot be is refused by name, and nothing of it stays', async () => {
    await run(first)
    await file('0001-broken.sql', `alter table notes add column extra int; select nonsense`)
    await expect(run(first)).rejects.toMatchObject({ code: 'migration', message: expect.stringContaining('0001-broken.sql: column "nonsense" does not exist') })
    expect(await database.query(`select count(*)::int as n from information_schema.columns where column_name = 'extra'`)).toEqual([{ n: 0 }])
    await file('0001-broken.sql', `alter table notes add column extra int; rollback; create table left_over (id int)`)
    await expect(run(first)).rejects.toMatchObject({ code: 'migration', message: expect.stringContaining('ended its transaction') })
    await file('0001-broken.sql', `create index concurrently on notes (title)`)
    await expect(run(first)).rejects.toMatchObject({ code: 'migration', hint: expect.stringContaining('by hand') })
    await file('0001-broken.sql', 'alter table notes add column extra int')
    await run(first)
    await file('0001-broken.sql', 'alter table notes add column other int')
    await expect(run(first)).rejects.toMatchObject({ code: 'migration', message: expect.stringContaining('changed after it had been run') })
    await file('1-same.sql', 'select 1')
    await expect(run(first)).rejects.toMatchObject({ message: expect.stringContaining('the same number') })
    await rm(join(folder, '1-same.sql'))
    await file('more.sql', 'select 1')
    await expect(run(first)).rejects.toMatchObject({ message: expect.stringContaining('more.sql has no number') })
    await expect(migrate(database, appOf(changed))).rejects.toMatchObject({
      code: 'schema',
      message: expect.stringContaining('notes.stars is integer in the database, and text in the schema'),
    })
    expect(await database.query(`select count(*)::int as n from information_schema.columns where column_name = 'name' and table_name = 'notes'`)).toEqual([
      { n: 0 },
    ])
  })

  test('two that migrate at once: one does it, the other finds it done', async () => {
    await run(first)
    await file('0001-once.sql', 'alter table notes add column extra int')
    const both = await Promise.all([run(grown), run(grown)])
    expect(both.map(({ files }) => files.length).sort()).toEqual([0, 1])
  })

  test('uninstalled, the database is as it was before: not while a server runs, and then whole', async () => {
    await migrate(database, appOf(grown))
    await uninstall(database)
    const [before, dumped] = [await catalogue(database), dump(url)]
    await serve(grown)
    await database.query(`insert into tags (id, owner_id, label) values (gen_random_uuid(), 'ada', 'stays')`)
    expect(await catalogue(database)).not.toEqual(before)
    if (database.kind === 'postgres') {
      await expect.poll(() => uninstall(database).catch((error: { code?: string }) => error.code), soon).toBe('in-use')
      await expect(uninstall(database)).rejects.toMatchObject({ message: expect.stringContaining(String(process.pid)) })
    }
    await server?.close()
    server = null
    expect(await uninstall(database)).toEqual({ tables: ['notes', 'people', 'tags'] })
    expect(await catalogue(database)).toEqual(before)
    expect(dump(url)).toEqual(dumped)
    expect(await database.query('select label from tags')).toEqual([{ label: 'stays' }])
    await expect(uninstall(database)).rejects.toMatchObject({ code: 'not-installed' })
    await serve(grown)
    const again = device(grown)
    await expect.poll(() => again.query.tags.all().map(({ label }) => label), soon).toEqual(['stays'])
  })
})

/** What pg_dump says of definitions; null where there is no server, or none that it understands. */
function dump(url: string | null): string | null {
  const ran = url === null ? null : spawnSync('pg_dump', ['--schema-only', '--dbname', url], { encoding: 'utf8' })
  // From 2025 on a dump holds a word that is another one each time.
  return ran?.status === 0 ? ran.stdout.replace(/^\\(un)?restrict .*$/gm, '') : null
}

/** Everything that a dump would have of definitions: of every schema but PostgreSQL's own, and roles. */
async function catalogue(database: Database): Promise<readonly unknown[]> {
  const own = `n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg_t%'`
  return database.query(`
    select 'schema' as kind, concat_ws(' ', n.nspname, n.nspacl) as what from pg_namespace n where ${own}
    union all select 'class', concat_ws(' ', c.oid::regclass, c.relkind, c.relacl, c.relrowsecurity, c.reloptions) from pg_class c join pg_namespace n on n.oid = c.relnamespace where ${own}
    union all select 'column', concat_ws(' ', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attacl, pg_get_expr(d.adbin, d.adrelid))
      from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where ${own} and a.attnum > 0
    union all select 'constraint', concat_ws(' ', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid)) from pg_constraint c join pg_namespace n on n.oid = c.connamespace where ${own}
    union all select 'trigger', concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled) from pg_trigger t where not t.tgisinternal
    union all select 'function', concat_ws(' ', pg_get_functiondef(p.oid), p.proacl) from pg_proc p join pg_namespace n on n.oid = p.pronamespace where ${own} and p.prokind <> 'a'
    union all select 'type', t.oid::regtype::text from pg_type t join pg_namespace n on n.oid = t.typnamespace where ${own}
    union all select 'comment', d.description from pg_description d where d.classoid = 'pg_class'::regclass and d.objoid > 16384
    union all select 'privileges', defaclacl::text from pg_default_acl
    -- A server has other databases, whose tests make roles.
    union all select 'role', rolname from pg_roles where current_setting('port') = '5432' or rolname !~ '^(plain_|headwater_capture)'
    union all select 'setting', setconfig::text from pg_db_role_setting
    union all select 'event', evtname from pg_event_trigger
    union all select 'extension', extname from pg_extension order by 1, 2`)
}
