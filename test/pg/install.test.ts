import { defineSchema, holdersMayWrite, integer, table, text, uuid } from '@headwater/schema'
import { createServer, type Database, grant, openPostgres, type ServerOptions, sql } from '@headwater/server'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { access, grants, prepare, schema } from '../harness/app.ts'
import { databases } from '../harness/databases.ts'

const authenticate = () => null

describe.each(databases)('installing on $name', ({ open }) => {
  let database: Database
  let url: string | null
  let close: () => Promise<void>

  beforeEach(async () => {
    const opened = await open()
    database = opened.database
    url = opened.url
    close = opened.close
    await prepare(database)
  })
  afterEach(() => close())

  /** Starts and stops a server on the same database, which stays open. */
  const install = async (over: Partial<ServerOptions> = {}) => {
    const app: ServerOptions = { schema, access, grants, authenticate, database: { ...database, close: async () => {} } }
    const server = await createServer({ ...app, ...over })
    const { identity, isNew } = server
    await server.close()
    return { identity, isNew }
  }
  const catalogue = () =>
    database.query(
      `select p.oid::text as oid, p.xmin::text as xmin from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'headwater' order by 1`,
    )

  test('is done once: the second start changes nothing, and it is the same database', async () => {
    const first = await install()
    const before = await catalogue()
    const second = await install()
    expect(first.isNew).toBe(true)
    expect(second).toEqual({ identity: first.identity, isNew: false })
    expect(await catalogue()).toEqual(before)
  })

  test('a column that was added to the schema is added to the table, and captured', async () => {
    const notes = (more: object) => defineSchema({ notes: table({ id: uuid().primaryKey(), ownerId: text(), ...more }).in('user', 'ownerId') })
    const users = { grants: { user: sql`select id as "user", id as key, 'owner' as role from people` } }
    await install({ schema: notes({}), access: holdersMayWrite(notes({})), ...users })
    await database.query(`insert into notes (id, owner_id) values (gen_random_uuid(), 'ada')`)
    await install({ schema: notes({ stars: integer().default(3) }), access: holdersMayWrite(notes({})), ...users })
    await database.query('update notes set stars = 5')
    expect(await database.query('select stars from notes')).toEqual([{ stars: 5 }])
    expect(await database.query(`select old ->> 'stars' as old, new ->> 'stars' as new from headwater.log where op = 'u'`)).toEqual([{ old: '3', new: '5' }])
  })

  test.each([
    [{ ...grants, project: sql`select nothing` }, 'The grants of kind project'],
    [{ user: grants.user }, 'kind project, but no grants'],
    [{ ...grants, project: sql`select id as "user", id as key, 'r' as role from people_view` }, 'people_view'],
    [{ ...grants, team: grants.user }, 'kind team are given, but no table'],
    [{ ...grants, project: sql`select id as "user", id as key, 'r' as role, now() as untill from people` }, 'have a column untill'],
    [{ ...grants, project: sql`select id as "user", id as key, 'r' as role, localtimestamp as until from people` }, 'until of type timestamp'],
    [{ ...grants, project: grant(grants.project, { by: { projekts: { user: 'owner_id' } } }) }, 'name table projekts in by'],
    [{ ...grants, project: grant(grants.project, { by: { samples: { user: 'owner_id' } } }) }, 'name table samples in by, which their SQL does not read'],
    [{ ...grants, project: grant(grants.project, { by: { projects: { user: 'ownerId' } } }) }, 'projects.ownerId in by, which does not exist'],
    [{ ...grants, project: grant(grants.project, { by: { projects: { user: ['owner_id', 'updated_at'] } } }) }, 'projects.updated_at in by, whose type'],
    [{ ...grants, project: grant(grants.project, { by: { projects: {} } }) }, 'neither user nor key'],
  ])('grants that cannot be are refused at the start, and named: %#', async (wrong, message) => {
    await database.execute('create view people_view as select id from people')
    await expect(install({ grants: wrong })).rejects.toMatchObject({ code: 'grants', message: expect.stringContaining(message) })
  })

  test('a trigger that somebody dropped or disabled is put back at the next start, and what came meanwhile is loaded', async () => {
    await install()
    await database.execute('drop trigger "0_headwater_rows" on projects; alter table members disable trigger "0_headwater_rows"')
    await install()
    await database.query(`insert into projects (id, owner_id, title) values ('00000000-0000-4000-8000-000000000001', 'ada', 'Caught')`)
    await database.query(`insert into members (project_id, user_id) values ('00000000-0000-4000-8000-000000000001', 'bob')`)
    expect(await database.query('select table_name as name, op::text as op from headwater.log order by seq')).toEqual([
      { name: 'projects', op: 'b' },
      { name: 'members', op: 'b' },
      { name: 'projects', op: 'i' },
      { name: 'members', op: 'i' },
    ])
  })

  test('a database that a newer version has migrated is left alone', async () => {
    await install()
    await database.query(`insert into headwater.migrations (number, name) values (99, 'from the future')`)
    await expect(install()).rejects.toMatchObject({ code: 'version', message: expect.stringContaining('99') })
  })

  test('a table that grants read and no device holds is followed too', async () => {
    await install()
    await database.query(`insert into people (id) values ('zoe')`)
    expect(await database.query(`select op::text as op, old, new ->> 'id' as id from headwater.log where table_name = 'people'`)).toEqual([
      { op: 'g', old: null, id: 'zoe' },
    ])
  })

  test('a column whose type somebody changed is looked at again by the next start', async () => {
    await database.execute('create table badges (person text, project uuid)')
    const badges = { grants: { ...grants, project: sql`select person as "user", project as key, 'guest' as role from badges` } }
    const keyType = async () => {
      const rows = await database.query(`select value::json -> 'relations' -> 1 ->> 'keyType' as type from headwater.marks where name = 'installed'`)
      return rows[0]?.type
    }
    await install(badges)
    expect(await keyType()).toBe('uuid')
    await database.execute('alter table badges alter project type text')
    await install(badges)
    expect(await keyType()).toBe('text')
  })

  test('a table that only grants read becomes one of the schema, and is captured as such', async () => {
    await install()
    const withPeople = defineSchema({ ...schema.tables, people: table({ id: text().primaryKey() }).in('user', 'id') })
    await install({ schema: withPeople })
    await database.query(`insert into people (id) values ('zoe')`)
    expect(await database.query(`select op::text as op, key from headwater.log where table_name = 'people' order by seq`)).toEqual([
      { op: 'b', key: null },
      { op: 'i', key: '["zoe"]' },
    ])
    // What covers more stays: a server that needs it may still run.
    await install({ grants: { ...grants, user: sql`select distinct lower(id) as "user", id as key, 'owner' as role from people` } })
    await database.query(`insert into people (id) values ('yves')`)
    expect(await database.query(`select op::text as op, new ->> 'id' as id from headwater.log where table_name = 'people' and new ->> 'id' = 'yves'`)).toEqual([
      { op: 'i', id: 'yves' },
    ])
  })

  test('a temporary table cannot forge rows of the log', async () => {
    await install()
    const forged = `create temp table projects (id uuid, owner_id text); create trigger t after insert on projects for each row execute function headwater.capture_projects();`
    await expect(database.execute(`${forged} insert into projects values (gen_random_uuid(), 'ada');`)).rejects.toMatchObject({
      code: 'sql',
      message: expect.stringContaining('captures'),
    })
    expect(await database.query('select count(*)::int as n from headwater.log')).toEqual([{ n: 0 }])
  })

  test('servers that start at the same moment on a fresh database all start', async () => {
    if (url === null) {
      // An embedded database has one server.
      await expect(install()).resolves.toMatchObject({ isNew: true })
      return
    }
    const opened = await Promise.all([1, 2, 3].map(() => openPostgres(url ?? '')))
    const servers = await Promise.all(opened.map((one) => createServer({ schema, access, grants, authenticate, database: one })))
    expect(new Set(servers.map(({ identity }) => identity.database)).size).toBe(1)
    await Promise.all(servers.map((server) => server.close()))
  })
})
