// What is explained is what is enforced: the answers of `explain.can` against mutations that are tried, and undone.
import { type Json, userId } from '@headwater/protocol'
import { and, defineAccess, defineSchema, deny, enumeration, eq, integer, isNull, ne, not, or, ref, role, table, text, uuid } from '@headwater/schema'
import { createServer, type Database, type Explained, type Part, readKey, type Server, sql } from '@headwater/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { builtinStatement } from '../../packages/server/src/mutate/tx.ts'
import { databases } from '../harness/databases.ts'

const schema = defineSchema({
  teams: table({ id: integer().primaryKey(), name: text() }).in('team', 'id'),
  members: table({ teamId: ref('teams'), userId: text(), role: enumeration('viewer', 'editor', 'admin') })
    .primaryKey('teamId', 'userId')
    .in('team', 'teamId'),
  campaigns: table({
    id: uuid().primaryKey(),
    teamId: ref('teams'),
    ownerId: text().nullable(),
    name: text(),
    status: enumeration('draft', 'live').default('draft'),
    budget: integer().default(0),
    spent: integer().default(0).serverOwned(),
  })
    .in('team', 'teamId', { columns: { viewer: ['name', 'status'] } })
    .in('user', 'ownerId'),
  notes: table({ id: uuid().primaryKey(), teamId: ref('teams'), line: text() }).in('team', 'teamId'),
})
const access = defineAccess(
  schema,
  {
    teams: { update: role('team', 'admin') },
    members: { insert: role('team', 'admin'), delete: role('team', 'admin') },
    campaigns: {
      insert: ({ row, person }) => and(role('team', 'editor'), eq(row.ownerId, person)),
      update: {
        columns: { budget: role('team', 'admin'), name: ({ row, person }) => or(role('team', 'admin'), eq(row.ownerId, person)), '*': role('team', 'editor') },
        when: ({ before, after }) => and(eq(before.teamId, after.teamId), ne(before.status, 'live')),
      },
      delete: ({ row, exists }) =>
        and(
          role('team', 'editor'),
          not(isNull(row.ownerId)),
          exists('members', (member) => and(eq(member.teamId, row.teamId), eq(member.role, 'admin'))),
        ),
    },
    notes: { insert: deny, update: { columns: { line: role('team', 'viewer'), teamId: deny } } },
  },
  { roles: { team: ['viewer', 'editor', 'admin'] } },
)
const grants = {
  team: sql`select user_id as "user", team_id as key, role, until from members join ends using (user_id)`,
  user: sql`select id as "user", id as key, 'self' as role from people`,
}

const idOf = (i: number) => `00000000-0000-4000-8000-00000000000${i}`
const people = ['ada', 'bob', 'eve', 'zoe', 'old', 'nobody']

describe.each(databases)('explaining on $name', ({ open }) => {
  let database: Database
  let server: Server
  let close: () => Promise<void>

  beforeAll(async () => {
    const opened = await open()
    database = opened.database
    await database.execute('create table people (id text primary key); create table ends (user_id text primary key, until timestamptz)')
    await database.execute(
      'create table teams (id integer primary key, name text not null); create table members (team_id integer not null, user_id text not null, role text not null, primary key (team_id, user_id))',
    )
    server = await createServer({ schema, access, mutators: {}, grants, database, authenticate: () => null })
    await database.execute(`
      insert into people select unnest(array['ada', 'bob', 'eve', 'zoe', 'old']);
      insert into ends select id, case id when 'old' then now() - interval '1 hour' when 'bob' then '2100-01-01 00:00+00'::timestamptz end from people;
      insert into teams values (1, 'One'), (2, 'Two');
      insert into members values (1, 'ada', 'admin'), (1, 'bob', 'editor'), (1, 'eve', 'viewer'), (1, 'old', 'admin'), (2, 'zoe', 'editor');
      insert into campaigns (id, team_id, owner_id, name, status) values
        ('${idOf(1)}', 1, 'bob', 'Spring', 'draft'), ('${idOf(2)}', 1, 'ada', 'Summer', 'live'), ('${idOf(3)}', 1, null, 'Autumn', 'draft'), ('${idOf(4)}', 2, 'zoe', 'Winter', 'draft');
      insert into notes values ('${idOf(9)}', 1, 'A note')`)
    close = async () => {
      await server.close()
      await opened.close()
    }
  })
  afterAll(() => close())

  const can = (user: string, verb: string, name: string, key: string, columns?: readonly string[]) =>
    server.explain.can(user, verb, name, readKey(schema, name, key), columns)

  /** Whether the database lets the person do it. Nothing of it stays. */
  async function isLet(user: string, verb: string, name: string, row: Readonly<Record<string, Json>>): Promise<boolean> {
    const writer = {
      schema,
      access,
      grants: { ...grants, team: sql`select e."user", e.key, e.role from (${grants.team}) e where e.until is null or e.until > now()` },
      user: userId(user),
    }
    const statement = builtinStatement(writer, name, verb, { row })
    if (statement === null) throw new Error('no statement')
    let rows = -1
    const undo = new Error('undo')
    const said = await database
      .transaction('write', async (transaction) => {
        const before = await transaction.query(`select count(*)::int as n from ${name}`)
        await transaction.query(statement.text, statement.parameters)
        const after = await transaction.query(`select count(*)::int as n from ${name}`)
        rows = Number(before[0]?.n) - Number(after[0]?.n)
        throw undo
      })
      .catch((error: unknown) => error)
    // To delete what one does not see is no error, and does nothing.
    return said === undo && (verb !== 'delete' || rows === 1)
  }

  test('S5 what explain says is what mutations meet: everybody, every verb, every campaign, every column', async () => {
    const answers = { allowed: 0, denied: 0 }
    const compare = async (user: string, verb: string, row: Readonly<Record<string, Json>>, columns?: readonly string[]) => {
      const { id = null } = row
      const { allowed } = await server.explain.can(user, verb, 'campaigns', verb === 'insert' ? row : { id }, columns)
      expect({ user, verb, row, allowed: await isLet(user, verb, 'campaigns', row) }).toEqual({ user, verb, row, allowed })
      answers[allowed ? 'allowed' : 'denied']++
    }
    for (const user of people) {
      for (const teamId of [1, 2]) for (const ownerId of [user, 'ada', null]) await compare(user, 'insert', { id: idOf(8), teamId, ownerId, name: 'New' })
      await compare(user, 'insert', { id: idOf(8), teamId: 1, ownerId: user, name: 'New', spent: 5 })
      for (const row of await database.query(
        'select id::text, team_id as "teamId", owner_id as "ownerId", name, status, budget, spent from campaigns order by id',
      )) {
        for (const columns of [['name'], ['budget'], ['status'], ['ownerId', 'name'], ['teamId'], ['spent'], []]) {
          // The values that are there: what explain takes the row after to be.
          await compare(user, 'update', { id: String(row.id), ...Object.fromEntries(columns.map((column) => [column, row[column] as Json])) }, columns)
        }
        await compare(user, 'delete', { id: String(row.id) })
      }
    }
    expect(answers).toEqual({ allowed: expect.any(Number), denied: expect.any(Number) })
    expect(Math.min(answers.allowed, answers.denied)).toBeGreaterThan(20)
  })

  test('a denial says which rule it was, what the person holds, and what would have done', async () => {
    const { allowed, because } = await can('bob', 'update', 'campaigns', idOf(1), ['budget', 'status'])
    expect(allowed).toBe(false)
    expect(because.map(({ asked, columns, isFulfilled }) => ({ asked, columns, isFulfilled }))).toEqual([
      { asked: 'see', columns: [], isFulfilled: true },
      { asked: 'write', columns: [], isFulfilled: true },
      { asked: 'write', columns: ['budget'], isFulfilled: false },
      { asked: 'write', columns: ['status'], isFulfilled: true },
    ])
    expect(because[2]?.part).toEqual({
      rule: `role('team', 'admin')`,
      value: false,
      parts: [],
      found: null,
      held: { needed: ['admin'], scopes: [{ scope: 'team:1', roles: ['editor'] }] },
    })
    expect(because[3]?.part.held).toEqual({ needed: ['editor', 'admin'], scopes: [{ scope: 'team:1', roles: ['editor'] }] })
  })

  const parts = ({ because }: Explained) => because.flatMap(({ part }) => flat(part))
  const flat = (part: Part): readonly string[] => [`${part.value} ${part.rule}${part.found ? ` (${part.found.value})` : ''}`, ...part.parts.flatMap(flat)]

  test('every part of a rule has its own answer, with what is in the row', async () => {
    expect(parts(await can('bob', 'delete', 'campaigns', idOf(3)))).toEqual([
      `true or(holds('team'), holds('user'))`,
      `true holds('team')`,
      `false holds('user')`,
      `false and(role('team', 'editor'), not(isNull(row.ownerId)), exists('members', (related1) => and(eq(related1.teamId, row.teamId), eq(related1.role, "admin"))))`,
      `true role('team', 'editor')`,
      'false not(isNull(row.ownerId))',
      'true isNull(row.ownerId)',
      `true exists('members', (related1) => and(eq(related1.teamId, row.teamId), eq(related1.role, "admin")))`,
    ])
    expect(parts(await can('ada', 'update', 'campaigns', idOf(2), ['name']))).toContain('false ne(before.status, "live") (live)')
  })

  test('what has no rule is denied, what a device never writes too, and a grant that has ended is none', async () => {
    expect(await can('ada', 'delete', 'notes', idOf(9))).toMatchObject({ allowed: false, because: [{}, { part: { rule: 'deny' } }] })
    expect(await can('ada', 'update', 'campaigns', idOf(1), ['spent', 'name'])).toMatchObject({ allowed: false, because: [{}, { columns: ['spent'] }] })
    expect(await can('old', 'update', 'teams', '1')).toMatchObject({
      allowed: false,
      because: [{ part: { parts: [{ held: { scopes: [{ scope: 'team:1', roles: [] }] } }] } }, {}],
    })
    expect(await can('nobody', 'update', 'teams', '1')).toMatchObject({ allowed: false })
    // A column that nobody may write is not asked about unless it is named.
    expect(await can('ada', 'update', 'notes', idOf(9))).toMatchObject({
      allowed: true,
      because: [{ isFulfilled: true }, { columns: ['line'], isFulfilled: true }],
    })
    expect(await can('ada', 'update', 'notes', idOf(9), ['line', 'teamId'])).toMatchObject({ allowed: false })
    expect(await can('ada', 'update', 'teams', '1')).toMatchObject({
      allowed: true,
      because: [{ isFulfilled: true }, { columns: ['name'], isFulfilled: true }],
    })
  })

  test('a composite key, in three ways to write it', async () => {
    for (const key of ['teamId=1,userId=eve', 'userId=eve, teamId=1', '{"teamId":1,"userId":"eve"}'])
      expect((await can('ada', 'delete', 'members', key)).allowed).toBe(true)
    expect((await can('bob', 'delete', 'members', 'teamId=1,userId=eve')).allowed).toBe(false)
  })

  test('who sees a row: person, scope, role, end, and columns', async () => {
    expect(await server.explain.whoSees('campaigns', { id: idOf(1) })).toEqual([
      { user: 'ada', scope: 'team:1', role: 'admin', until: null, columns: null },
      { user: 'bob', scope: 'team:1', role: 'editor', until: '2100-01-01T00:00:00.000000Z', columns: null },
      { user: 'eve', scope: 'team:1', role: 'viewer', until: null, columns: ['id', 'teamId', 'name', 'status'] },
      { user: 'bob', scope: 'user:bob', role: 'self', until: null, columns: null },
    ])
    expect(await server.explain.whoSees('campaigns', { id: idOf(3) })).toHaveLength(3)
  })

  test('what is not there is said, with what there is', async () => {
    await expect(can('ada', 'read', 'teams', '1')).rejects.toMatchObject({ code: 'usage', message: 'read is not insert, update or delete.' })
    await expect(server.explain.can('ada', 'update', 'nothing', {})).rejects.toMatchObject({ code: 'usage', hint: expect.stringContaining('campaigns') })
    await expect(can('ada', 'update', 'teams', '1', ['colour'])).rejects.toMatchObject({ code: 'usage', message: 'There is no column colour in teams.' })
    await expect(can('ada', 'update', 'teams', '1', ['id'])).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('part of the key') })
    await expect(can('ada', 'update', 'teams', '99')).rejects.toMatchObject({ code: 'absent', message: 'There is no row {"id":99} in teams.' })
    await expect(can('ada', 'update', 'campaigns', 'no-uuid')).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('campaigns.id') })
    await expect(server.explain.whoSees('members', { teamId: 1 })).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('userId is not given'),
    })
    await expect(server.explain.whoSees('teams', { id: 1, name: 'One' })).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('name is not part'),
    })
    expect(() => readKey(schema, 'members', 'eve')).toThrow('teamId, userId')
    expect(() => readKey(schema, 'members', '{"teamId":')).toThrow('no JSON')
    expect(() => readKey(schema, 'members', 'teamId=1,person=eve')).toThrow('no column person')
    await expect(server.explain.can("ada' or true --", 'update', 'teams', { id: 1 })).resolves.toMatchObject({ allowed: false })
  })
})
