// What Headwater needs of a database: a role that owns it, or less, and never a superuser. Roles are a server's: there are none to try on an embedded one.
import { defineSchema, holdersMayWrite, table, text, uuid } from '@headwater/schema'
import { createServer, type Database, migrate, openPostgres, type Server, sql, uninstall } from '@headwater/server'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startServer } from '../harness/app.ts'
import { native, type OpenedDatabase } from '../harness/databases.ts'
import { openDevice, untilLevel } from '../harness/device.ts'
import { startNative } from '../harness/native.ts'

describe('a role without rights beyond its own', () => {
  let opened: OpenedDatabase
  let role: string
  let database: Database
  let server: Server | null = null

  beforeEach(async () => {
    opened = await native.open()
    role = `plain_${process.pid}_${Date.now()}`
    await opened.database.execute(`create role ${role} login nosuperuser nocreatedb nocreaterole`)
  })
  afterEach(async () => {
    await server?.close()
    server = null
    await database.close()
    await opened.database.execute(`reassign owned by ${role} to current_user; drop owned by ${role}`)
    await opened.database.execute(`drop role ${role}`)
    await opened.close()
  })

  const name = () => new URL(opened.url ?? '').pathname.slice(1)
  async function connect(): Promise<void> {
    const url = new URL(opened.url ?? '')
    url.username = role
    database = await openPostgres(url.href)
  }
  /** A server closes what it was given. */
  const kept = (): Database => ({ ...database, close: async () => {} })
  /** A device writes, SQL writes, both come back. */
  async function tried(): Promise<void> {
    const running = await startServer(kept())
    server = running
    const device = openDevice({ url: running.url, user: 'ada' })
    await untilLevel(device)
    const id = crypto.randomUUID()
    expect(await device.mutate.projects.insert({ id, ownerId: 'ada', title: 'made' }).confirmed).toEqual({ type: 'applied' })
    await database.query(`update projects set title = 'typed' where id = $1::text::uuid`, [id])
    await expect.poll(() => device.query.projects.all().map(({ title }) => title), { timeout: 15_000 }).toEqual(['typed'])
    await device.close()
  }

  test('owns its database: installs, captures, follows, serves devices, migrates and uninstalls', async () => {
    await opened.database.execute(`alter database ${name()} owner to ${role}; alter schema public owner to ${role}`)
    await connect()
    await tried()
    await server?.close()
    server = null
    await uninstall(database)
    expect(await database.query(`select count(*)::int as n from pg_trigger where not tgisinternal`)).toEqual([{ n: 0 }])
  })

  test('owns its schema alone: is told the line that is missing, and installs with it', async () => {
    await opened.database.execute(`alter schema public owner to ${role}`)
    await connect()
    const refused = await startServer(kept()).catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'rights', hint: `Let an administrator run: grant create on database "${name()}" to "${role}";` })
    await opened.database.execute(`grant create on database ${name()} to ${role}`)
    await tried()
  })

  test('owns nothing, and captures tables of somebody else: every line that is missing is named in turn, and then it works', async () => {
    await opened.database.execute(`create table people (id text primary key); insert into people values ('ada')`)
    const notes = defineSchema({ notes: table({ id: uuid().primaryKey(), ownerId: text(), line: text() }).in('user', 'ownerId') })
    const app = { schema: notes, access: holdersMayWrite(notes), grants: { user: sql`select id as "user", id as key, 'self' as role from people` } }
    await migrate(opened.database, app)
    await uninstall(opened.database)
    await opened.database.execute(`insert into notes values (gen_random_uuid(), 'ada', 'before')`)
    await connect()
    const lines: string[] = []
    for (let tries = 0; tries < 10; tries++) {
      const refused = await migrate(database, app).then(
        () => null,
        (error: { code: string; hint: string }) => error,
      )
      if (refused === null) break
      expect(refused).toMatchObject({ code: 'rights' })
      const line = refused.hint.replace('Let an administrator run: ', '')
      lines.push(line)
      await opened.database.execute(line)
    }
    const rights = 'grant select, insert, update, delete, references, trigger on table'
    expect(lines).toEqual([`grant create on database "${name()}" to "${role}";`, `${rights} people to "${role}";`, `${rights} notes to "${role}";`])
    server = await createServer({ ...app, database: kept(), authenticate: () => 'ada' })
    await opened.database.query(`update notes set line = 'after'`)
    expect(await database.query(`select op::text as op, session_user_name as who from headwater.log where table_name = 'notes'`)).toEqual([
      { op: 'u', who: expect.not.stringContaining(role) },
    ])
  })
})

test('HC34 what captures belongs to a role that nobody logs in as, where one may be made; nobody else runs it, and it goes with the last database', async () => {
  // Of its own: roles are a server's, and the other tests' databases have made this one.
  const server = await startNative({ durable: false })
  const name = await server.createDatabase()
  const admin = await openPostgres(server.url(name))
  await admin.execute(
    `create role maker login nosuperuser createrole; alter database ${name} owner to maker; alter schema public owner to maker; create role other`,
  )
  const url = new URL(server.url(name))
  url.username = 'maker'
  const database = await openPostgres(url.href)
  const running = await startServer({ ...database, close: async () => {} })
  await database.query(`insert into projects (id, owner_id, title) values (gen_random_uuid(), 'ada', 'captured')`)
  expect(await database.query('select table_name as name from headwater.log')).toEqual([{ name: 'projects' }])
  const owners = `select distinct r.rolname as owner, r.rolcanlogin as login, r.rolsuper as super from pg_proc p join pg_roles r on r.oid = p.proowner
    where p.pronamespace = 'headwater'::regnamespace and p.prosecdef`
  expect(await database.query(owners)).toEqual([{ owner: 'headwater_capture', login: false, super: false }])
  const forged = `set local role other; create temp table projects (id uuid); create trigger t after insert on projects for each row execute function headwater.capture_projects()`
  await expect(admin.execute(forged)).rejects.toMatchObject({ details: { sqlstate: '42501' } })
  // What the server calls as it does, by right.
  await running.authenticateAgain('ada')
  expect(await database.query(`select key from headwater.log where op = 's'`)).toEqual([{ key: '["ada"]' }])
  await running.close()
  await uninstall(database)
  expect(await database.query(`select count(*)::int as n from pg_roles where rolname = 'headwater_capture'`)).toEqual([{ n: 0 }])
  await Promise.all([database.close(), admin.close()])
  await server.stop()
})
