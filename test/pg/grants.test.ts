// Who holds what, followed precisely: what was worked out again from a batch is what the relation says in its snapshot.
import { type ScopeKey, type UserId, userId } from '@headwater/protocol'
import { defineSchema, ref, table, text, uuid } from '@headwater/schema'
import { type Database, type Grants, grant, sql } from '@headwater/server'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createFeed, type Feed } from '../../packages/server/src/feed/feed.ts'
import { install } from '../../packages/server/src/install/install.ts'
import type { Clock } from '../../packages/server/src/ports.ts'
import { areSame, type Granted, type Regrants, regranted } from '../../packages/server/src/scopes/grants.ts'
import { createRegranting, type Regranting } from '../../packages/server/src/scopes/regrants.ts'
import type { People } from '../../packages/server/src/scopes/rework.ts'
import { databases } from '../harness/databases.ts'

const schema = defineSchema({
  teams: table({ id: uuid().primaryKey(), ownerId: text(), state: text() }).in('team', 'id').in('user', 'ownerId'),
  members: table({ teamId: ref('teams', { onDelete: 'cascade' }), userId: text(), role: text() })
    .primaryKey('teamId', 'userId')
    .in('team', 'teamId'),
  notes: table({ id: uuid().primaryKey(), teamId: uuid(), roomId: text() }).in('room', 'roomId'),
})

const own = sql`select person as "user", person as key, 'owner' as role from people`
const teamOf = (i: number) => `00000000-0000-4000-8000-00000000000${i}`

/** The same tables, asked in ways of which a change can be told more and less precisely. */
const relations: readonly (readonly [string, Grants])[] = [
  [
    'inferred of a union',
    {
      user: own,
      team: sql`select user_id as "user", team_id as key, role from members where role <> 'banned' union all select owner_id, id, 'owner' from teams where state = ${'open'}`,
      room: sql`select person as "user", room as key, role from seats`,
    },
  ],
  [
    'named: people, keys, and both',
    {
      user: own,
      team: grant(sql`select m.user_id as "user", t.id as key, m.role from members m join teams t on t.id = m.team_id and t.state = 'open'`, {
        by: { members: { user: 'user_id', key: 'team_id' }, teams: { key: 'id' } },
      }),
      room: grant(sql`select s.person as "user", s.room as key, p.role from seats s join people p using (person)`, {
        by: { seats: { key: ['room'] }, people: { user: ['person'] } },
      }),
    },
  ],
  [
    'unknown: everybody',
    {
      user: own,
      team: sql`select m.user_id as "user", t.id as key, m.role from members m join teams t on t.id = m.team_id where t.state = 'open' and (select count(*) from seats) < 4`,
      room: grant(sql`select s.person as "user", s.room as key, p.role from seats s join people p using (person)`, { by: { seats: { user: 'person' } } }),
    },
  ],
]

const clock: Clock = {
  now: () => Date.now(),
  timer: (afterMs, run) => {
    const timer = setTimeout(run, afterMs)
    return () => clearTimeout(timer)
  },
}

/** People without devices: what is worked out again is put together as a device's connection does it. */
interface Followed {
  readonly feed: Feed<Regrants>
  readonly regranting: Regranting
  readonly granted: Map<UserId, Granted>
  readonly batches: Regrants[]
  all(users: readonly UserId[]): Promise<ReadonlyMap<UserId, Granted>>
  stop(): Promise<void>
}

async function follow(database: Database, grants: Grants, people: readonly string[]): Promise<Followed> {
  const { identity, relations: found } = await install(database, { schema, serverSchema: schema, needs: [], capture: {} }, grants)
  const granted = new Map<UserId, Granted>()
  const connected: People = new Map(people.map(userId).map((user) => [user, [{ user, granted: () => granted.get(user) ?? null }]]))
  const onTrouble = (error: unknown) => {
    throw error
  }
  const regranting = createRegranting({ grants, relations: found, people: () => connected, clock, onTrouble, wake: () => feed.wake() })
  const feed: Feed<Regrants> = createFeed({
    database,
    clock,
    schema,
    identity,
    along: regranting.along,
    listened: () => [],
    check: async () => false,
    onWithheld: () => {},
    onTrouble,
  })
  const batches: Regrants[] = []
  feed.onBatch(({ along }) => {
    if (along === null) return
    regranting.published(along)
    batches.push(along)
    for (const [user, regrant] of along) granted.set(user, regranted(granted.get(user) ?? new Map(), regrant))
  })
  await feed.start()
  const all = (users: readonly UserId[]) => database.transaction('read', (transaction) => regranting.reader.of(transaction, users))
  for (const [user, holds] of await all([...connected.keys()])) granted.set(user, holds)
  const stop = async () => {
    regranting.stop()
    await feed.stop()
  }
  return { feed, regranting, granted, batches, all, stop }
}

const people = ['ada', 'bob', 'eve', `zoë "o'hara"`]
const person = fc.constantFrom(...people)
const team = fc.integer({ min: 1, max: 3 }).map(teamOf)
const role = fc.constantFrom('viewer', 'editor', 'banned')
const quote = (value: string) => `'${value.replaceAll("'", "''")}'`
const statement = fc.oneof(
  fc
    .tuple(team, person)
    .map(([id, owner]) => `insert into teams values ('${id}', ${quote(owner)}, 'open') on conflict (id) do update set owner_id = excluded.owner_id`),
  fc.tuple(team, fc.constantFrom('open', 'closed')).map(([id, state]) => `update teams set state = '${state}' where id = '${id}'`),
  team.map((id) => `delete from teams where id = '${id}'`),
  fc
    .tuple(team, person, role)
    .map(
      ([id, user, as]) =>
        `insert into members select id, ${quote(user)}, '${as}' from teams where id = '${id}' on conflict (team_id, user_id) do update set role = excluded.role`,
    ),
  fc.tuple(team, person).map(
    ([to, user]) =>
      `update members set team_id = '${to}' where ctid = (select ctid from members where user_id = ${quote(user)} and team_id <> '${to}' limit 1)
          and exists (select from teams where id = '${to}') and not exists (select from members where team_id = '${to}' and user_id = ${quote(user)})`,
  ),
  person.map((user) => `delete from members where user_id = ${quote(user)}`),
  fc.tuple(person, fc.constantFrom('hall', 'attic'), role).map(([user, room, as]) => `insert into seats values (${quote(user)}, '${room}', '${as}')`),
  fc.tuple(person, fc.constantFrom('hall', 'attic')).map(([user, room]) => `update seats set room = '${room}' where person = ${quote(user)}`),
  person.map((user) => `delete from seats where person = ${quote(user)}`),
  fc.tuple(person, role).map(([user, as]) => `insert into people values (${quote(user)}, '${as}') on conflict (person) do update set role = excluded.role`),
  person.map((user) => `delete from people where person = ${quote(user)}`),
  fc.constantFrom('truncate seats', 'truncate teams cascade', 'truncate people'),
)

describe.each(databases)('grants on $name', ({ open }) => {
  let database: Database
  let close: () => Promise<void>
  let followed: Followed | null = null

  const start = async (grants: Grants, connected: readonly string[]): Promise<Followed> => {
    followed = await follow(database, grants, connected)
    return followed
  }

  beforeEach(async () => {
    const opened = await open()
    database = opened.database
    close = opened.close
    await database.execute('create table people (person text primary key, role text); create table seats (person text, room text, role text)')
  })
  afterEach(async () => {
    await followed?.stop()
    followed = null
    await close()
  })

  test.each(relations)('what is worked out again from a batch is all that there is to know: %s', async (_, grants) => {
    const { feed, granted, all } = await start(grants, people)
    await fc.assert(
      fc.asyncProperty(fc.array(statement, { minLength: 1, maxLength: 4 }), async (statements) => {
        const one = statements.join(';\n')
        await database.execute(one)
        await feed.reach()
        for (const [user, holds] of await all([...granted.keys()])) expect([user, show(granted.get(user)), one]).toEqual([user, show(holds), one])
      }),
      { numRuns: 120, endOnFailure: true },
    )
  })

  test('rows of a partitioned table are followed, however they are written', async () => {
    await database.execute(`create table posts (person text, room text) partition by list (room);
      create table posts_hall partition of posts for values in ('hall'); create table posts_rest partition of posts default`)
    const { feed, granted } = await start({ ...relations[0]?.[1], room: sql`select person as "user", room as key, 'guest' as role from posts` }, ['ada', 'bob'])
    const rooms = () => ['ada', 'bob'].map((user) => Object.keys(show(granted.get(userId(user)))).join())
    await database.execute(`insert into posts values ('ada', 'hall'); insert into posts_rest values ('bob', 'attic')`)
    await feed.reach()
    expect(rooms()).toEqual(['room:hall', 'room:attic'])
    await database.execute(`update posts set room = 'cellar' where person = 'ada'; delete from posts_rest where person = 'bob'`)
    await feed.reach()
    expect(rooms()).toEqual(['room:cellar', ''])
  })

  test('one new member among 10,000 who are connected is one person to be worked out again, and a stranger is none', async () => {
    const crowd = Array.from({ length: 10_000 }, (_, i) => `person-${i}`)
    const grants = relations[0]?.[1] ?? {}
    const { feed, batches, regranting, granted } = await start(grants, crowd)
    await database.execute(`insert into teams values ('${teamOf(1)}', 'person-0', 'open')`)
    await feed.reach()
    expect(regranting.count()).toBe(1)
    await database.execute(`insert into members values ('${teamOf(1)}', 'person-7', 'viewer')`)
    await feed.reach()
    expect(regranting.count()).toBe(2)
    expect([...(batches.at(-1)?.keys() ?? [])]).toEqual(['person-7'])
    expect(show(granted.get(userId('person-7')))).toEqual({ [`team:${teamOf(1)}`]: ['viewer'] })
    await database.execute(`insert into members values ('${teamOf(1)}', 'nobody', 'viewer'); update members set role = 'editor' where user_id = 'nobody'`)
    await feed.reach()
    expect(regranting.count()).toBe(2)
    // A role alone is a change of grants, too.
    await database.execute(`update members set role = 'editor' where user_id = 'person-7'`)
    await feed.reach()
    expect(show(granted.get(userId('person-7')))).toEqual({ [`team:${teamOf(1)}`]: ['editor'] })
  })

  test('a scope that 10,000 people hold is worked out for them alone when its table changes', async () => {
    const grants = relations[1]?.[1] ?? {}
    await database.execute(`insert into people select 'person-' || i, 'viewer' from generate_series(0, 10499) i`)
    await database.execute(`insert into seats select 'person-' || i, 'hall', 'viewer' from generate_series(0, 9999) i`)
    const crowd = Array.from({ length: 10_500 }, (_, i) => `person-${i}`)
    const { feed, regranting, granted } = await start(grants, crowd)
    await database.execute(`update seats set room = 'attic' where person = 'person-3'; insert into seats values ('person-10400', 'hall', 'viewer')`)
    await feed.reach()
    expect(regranting.count()).toBe(10_001)
    expect(show(granted.get(userId('person-3')))).toEqual({ 'room:attic': ['viewer'], 'user:person-3': ['owner'] })
    expect(show(granted.get(userId('person-10400')))).toEqual({ 'room:hall': ['viewer'], 'user:person-10400': ['owner'] })
    expect(show(granted.get(userId('person-4')))).toEqual({ 'room:hall': ['viewer'], 'user:person-4': ['owner'] })
  })

  test('a person may hold 10,000 scopes, and somebody may ask with a name that cannot be', async () => {
    const grants = relations[0]?.[1] ?? {}
    const { all } = await start(grants, ['ada'])
    await database.execute(`insert into teams select gen_random_uuid(), 'ada', 'open' from generate_series(1, 10000)`)
    const names = ['ada', 'nu\0ll', 'lone \ud800', '', `'; drop table teams; --`].map(userId)
    const answer = await all(names)
    expect(names.map((name) => answer.get(name)?.size)).toEqual([10_000, 0, 0, 0, 0])
  })

  test('a batch that concerns more people than can be told apart concerns everybody', async () => {
    const grants = relations[0]?.[1] ?? {}
    const { feed, granted, regranting } = await start(grants, ['ada', 'person-5'])
    await database.execute(`insert into seats select 'person-' || i, 'hall', 'viewer' from generate_series(0, 20000) i`)
    await feed.reach()
    expect(regranting.count()).toBe(2)
    expect(show(granted.get(userId('person-5')))).toEqual({ 'room:hall': ['viewer'] })
  })
})

test('the same scopes with the same roles are the same grants', () => {
  const grants = (roles: Record<string, readonly string[]>): Granted => new Map(Object.entries(roles).map(([scope, of]) => [scope as ScopeKey, new Set(of)]))
  expect(areSame(grants({ a: ['x', 'y'] }), grants({ a: ['y', 'x'] }))).toBe(true)
  expect(areSame(grants({ a: ['x'] }), grants({ a: ['y'] }))).toBe(false)
  expect(areSame(grants({ a: ['x'] }), grants({ b: ['x'] }))).toBe(false)
  expect(areSame(grants({ a: ['x'] }), grants({}))).toBe(false)
})

const show = (granted: Granted | undefined) => Object.fromEntries([...(granted ?? [])].map(([scope, roles]) => [scope, [...roles].sort()]).sort())
