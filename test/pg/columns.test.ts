// Column sets over the whole road: who sees which columns, on the wire and on the device, while roles, rows and connections change.
import { createClient } from '@headwater/client'
import { bigint, defineSchema, holdersMayWrite, table, text, uuid } from '@headwater/schema'
import { createServer, type Database, type Server, sql } from '@headwater/server'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createMemoryDisks } from '../../packages/client/src/disk/memory.ts'
import { databases } from '../harness/databases.ts'
import { personPorts } from '../harness/person.ts'

const schema = defineSchema({
  campaigns: table({
    id: uuid().primaryKey(),
    ownerId: text().nullable(),
    teamId: text().nullable(),
    companyId: text().nullable(),
    name: text(),
    budget: bigint().nullable(),
    secret: text().nullable(),
  })
    .in('user', 'ownerId')
    .in('team', 'teamId', { columns: { viewer: ['name'], auditor: ['budget'] } })
    .in('company', 'companyId', { columns: ['name'] }),
  notes: table({ id: uuid().primaryKey(), teamId: text(), body: text(), author: text() }).in('team', 'teamId', {
    load: 'onDemand',
    columns: { viewer: ['body'] },
  }),
})
const grant = (kind: string) => sql`select person as "user", key, role from holders where kind = ${kind}`
const uuidOf = () => crypto.randomUUID()

describe.each(databases)('column sets on $name', ({ open }) => {
  let database: Database
  let server: Server
  let url = ''
  let close: () => Promise<void>
  const clients: { close(): Promise<void> }[] = []
  // Names that no other test uses.
  let n = 0
  let [ada, team, company] = ['', '', '']
  const query = (text: string, ...parameters: string[]) => database.query(text, parameters)
  const give = (person: string, kind: string, key: string, role: string) =>
    query('insert into holders (person, kind, key, role) values ($1, $2, $3, $4)', person, kind, key, role)
  const make = async (values: Readonly<Record<string, string | null>>) => {
    const id = uuidOf()
    const all = { owner_id: null, team_id: null, company_id: null, name: 'a name', budget: '700700', secret: 'canary', ...values }
    await database.query(
      'insert into campaigns (id, owner_id, team_id, company_id, name, budget, secret) values ($1::text::uuid, $2, $3, $4, $5, $6::text::bigint, $7)',
      [id, all.owner_id, all.team_id, all.company_id, all.name, all.budget, all.secret],
    )
    return id
  }

  beforeAll(async () => {
    const opened = await open()
    database = opened.database
    await database.execute('create table holders (person text not null, kind text not null, key text not null, role text not null)')
    const authenticate = ({ headers }: { readonly headers: Headers }) => headers.get('x-user')
    server = await createServer({
      schema,
      access: holdersMayWrite(schema),
      database,
      authenticate,
      grants: { user: grant('user'), team: grant('team'), company: grant('company') },
    })
    url = (await server.listen({ port: 0 })).url
    close = async () => {
      for (const client of clients) await client.close()
      await server.close()
      await opened.close()
    }
  })
  afterAll(() => close())
  beforeEach(() => {
    n++
    ada = `ada-${n}`
    team = `team-${n}`
    company = `company-${n}`
  })

  function connect(user: string, disks = createMemoryDisks()) {
    const frames: string[] = []
    const ports = personPorts(user, (socket) => socket.on('message', (data) => frames.push(data.toString())))
    const client = createClient({ schema, url, user, ports: { ...ports, openDisk: disks.open } })
    clients.push(client)
    const rows = () => client.query.campaigns.orderBy('id').all()
    const row = (id: string) => client.query.campaigns.where({ id }).first()
    return { client, frames, rows, row, said: () => frames.join('\n') }
  }
  type Connected = ReturnType<typeof connect>
  const level = ({ client }: Connected) => expect.poll(() => client.status.get().phase, { timeout: 10_000 }).toBe('live')
  const until = (look: () => unknown, value: unknown) => expect.poll(look, { timeout: 10_000 }).toEqual(value)

  test('S6 S1: a column that a scope does not show is never on the wire, in loads, changes and catch-up, and what alters it alone sends nothing', async () => {
    await give(ada, 'company', company, 'any')
    const id = await make({ company_id: company })
    const disks = createMemoryDisks()
    const device = connect(ada, disks)
    await level(device)
    expect(device.rows()).toEqual([{ id, companyId: company, name: 'a name' }])
    const before = device.frames.length
    await query(`update campaigns set secret = 'canary 2', budget = 800800 where id = $1::text::uuid`, id)
    await query(`update campaigns set name = 'another', secret = 'canary 3' where id = $1::text::uuid`, id)
    await until(() => device.row(id)?.name, 'another')
    expect(device.frames.slice(before).filter((frame) => frame.includes('"campaigns"'))).toHaveLength(1)
    await device.client.close()
    await query(`update campaigns set secret = 'canary 4', budget = 900900 where id = $1::text::uuid`, id)
    await query(`update campaigns set name = 'third', team_id = 'hidden-team' where id = $1::text::uuid`, id)
    const again = connect(ada, disks)
    await until(() => again.row(id)?.name, 'third')
    for (const said of [device.said(), again.said()])
      for (const word of ['canary', '700700', '800800', '900900', 'hidden-team']) expect(said).not.toContain(word)
  })

  test('a role that shows more brings its columns by a load, one that shows less takes them at once; the row stays all the while', async () => {
    await give(ada, 'team', team, 'viewer')
    const id = await make({ team_id: team })
    const device = connect(ada)
    await level(device)
    const seen: unknown[] = []
    const live = device.client.query.campaigns.live()
    live.subscribe(() => seen.push(live.result().rows.map((row) => Object.keys(row).sort().join())))
    expect(device.row(id)).toEqual({ id, teamId: team, name: 'a name' })
    await query(`update holders set role = 'editor' where person = $1`, ada)
    await until(() => device.row(id)?.secret, 'canary')
    expect(device.row(id)).toMatchObject({ budget: 700700n, ownerId: null })
    await query(`update holders set role = 'auditor' where person = $1`, ada)
    await until(() => device.row(id), { id, teamId: team, budget: 700700n })
    const at = device.frames.length
    await query(`update campaigns set secret = 'unseen', name = 'unseen' where id = $1::text::uuid`, id)
    await give(ada, 'team', team, 'viewer')
    await until(() => device.row(id), { id, teamId: team, budget: 700700n, name: 'unseen' })
    expect(device.frames.slice(at).filter((frame) => frame.includes('canary') || frame.includes('"secret"'))).toEqual([])
    // Never without the row, and no moment with columns that the role of the moment did not show.
    expect(seen.every((rows) => Array.isArray(rows) && rows.length === 1)).toBe(true)
  })

  test('a device that was away while roles changed, or before its columns had come, is brought level on return', async () => {
    await give(ada, 'team', team, 'editor')
    await give(ada, 'company', company, 'any')
    const [id, other] = [await make({ team_id: team }), await make({ company_id: company })]
    const disks = createMemoryDisks()
    const first = connect(ada, disks)
    await level(first)
    expect(first.row(id)?.secret).toBe('canary')
    await first.client.close()
    await query(`update holders set role = 'viewer' where person = $1 and kind = 'team'`, ada)
    await query(`update campaigns set secret = 'later canary' where id = $1::text::uuid`, id)
    const second = connect(ada, disks)
    await until(() => second.row(id), { id, teamId: team, name: 'a name' })
    expect(second.row(other)).toEqual({ id: other, companyId: company, name: 'a name' })
    expect(second.said()).not.toContain('canary')
    await second.client.close()
    await query(`update holders set role = 'auditor' where person = $1 and kind = 'team'`, ada)
    const third = connect(ada, disks)
    await until(() => third.row(id), { id, teamId: team, budget: 700700n })
    await third.client.close()
    // Nothing has changed: the roles are not sent again, and nothing is loaded.
    const fourth = connect(ada, disks)
    await level(fourth)
    expect(fourth.frames.some((frame) => frame.includes('"replace":true') || frame.includes('"type":"load"'))).toBe(false)
  })

  test('hard case 12: a row that is held by several scopes has the columns of all, and those of the others when one goes', async () => {
    await give(ada, 'team', team, 'auditor')
    await give(ada, 'company', company, 'any')
    const id = await make({ team_id: team, company_id: company })
    const device = connect(ada)
    await level(device)
    const both = { id, teamId: team, companyId: company, name: 'a name', budget: 700700n }
    expect(device.row(id)).toEqual(both)
    await query(`delete from holders where person = $1 and kind = 'team'`, ada)
    await until(() => device.row(id), { id, companyId: company, name: 'a name' })
    await give(ada, 'team', team, 'auditor')
    await until(() => device.row(id), both)
    await query(`delete from holders where person = $1`, ada)
    await until(() => device.rows(), [])
    expect(device.client.status.get().phase).toBe('live')
  })

  test('S3: a row moves between scopes and column sets in one step', async () => {
    const eve = `eve-${n}`
    await give(ada, 'team', team, 'viewer')
    await give(ada, 'user', ada, 'self')
    await give(eve, 'company', company, 'any')
    const id = await make({ owner_id: ada })
    const [one, two] = [connect(ada), connect(eve)]
    await Promise.all([level(one), level(two)])
    expect(one.row(id)?.secret).toBe('canary')
    await database.transaction('write', async (transaction) => {
      await transaction.query(`update campaigns set owner_id = null, team_id = $2 where id = $1::text::uuid`, [id, team])
      await transaction.query(`update campaigns set company_id = $2, name = 'moved' where id = $1::text::uuid`, [id, company])
    })
    await until(() => one.row(id), { id, teamId: team, name: 'moved' })
    await until(() => two.row(id), { id, companyId: company, name: 'moved' })
    expect(one.rows()).toHaveLength(1)
    await query(`update campaigns set company_id = null, owner_id = $2 where id = $1::text::uuid`, id, ada)
    await until(() => two.rows(), [])
    await until(() => one.row(id)?.secret, 'canary')
    await query(`delete from campaigns where id = $1::text::uuid`, id)
    await until(() => one.rows(), [])
    expect(two.said()).not.toContain('canary')
  })

  test('on-demand rows come with the columns of the role, and follow', async () => {
    await give(ada, 'team', team, 'viewer')
    const id = uuidOf()
    await query(`insert into notes (id, team_id, body, author) values ($1::text::uuid, $2, 'hello', 'canary')`, id, team)
    const device = connect(ada)
    await level(device)
    await device.client.scope('team', team).ready
    expect(device.client.query.notes.all()).toEqual([{ id, teamId: team, body: 'hello' }])
    expect(device.said()).not.toContain('canary')
    await query(`update holders set role = 'editor' where person = $1`, ada)
    await until(() => device.client.query.notes.all(), [{ id, teamId: team, body: 'hello', author: 'canary' }])
  })

  test('a device knows by which roles its person holds scopes, and no name of a scope that was taken', async () => {
    await give(ada, 'team', team, 'viewer')
    await give(ada, 'team', team, 'auditor')
    const disks = createMemoryDisks()
    const device = connect(ada, disks)
    await level(device)
    const rolesOf = ({ frames }: Connected) => frames.flatMap((frame) => JSON.parse(frame).grants ?? []).map(({ replace, roles }) => ({ replace, roles }))
    expect(rolesOf(device)).toEqual([{ replace: true, roles: { [`team:${team}`]: ['auditor', 'viewer'] } }])
    await give(ada, 'company', company, 'any')
    await until(() => rolesOf(device).at(-1), { replace: false, roles: { [`company:${company}`]: ['any'] } })
    await query(`delete from holders where person = $1 and kind = 'company'`, ada)
    await until(() => rolesOf(device).at(-1), { replace: false, roles: { [`company:${company}`]: [] } })
    await device.client.close()
    const again = connect(ada, disks)
    await level(again)
    expect(rolesOf(again)).toEqual([])
  })
})
