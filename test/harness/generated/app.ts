// A random app: which tables exist, in which scopes their rows are and how these are loaded, and who is granted what. Teams,
// members and projects are always there, because grants read them; what else there is, and what belongs to whom, is drawn.
import { type Access, defineSchema, type Schema, type Table, table, text, uuid } from '@headwater/schema'
import { type Sql, sql } from '@headwater/server'
import type { Random } from './random.ts'
import { drawAccess } from './rules.ts'

export const people = ['ada', 'bob', 'eve', 'joe'] as const
export const roles = ['viewer', 'editor', 'owner'] as const

export interface GeneratedApp {
  readonly schema: Schema
  readonly grants: Readonly<Record<string, Sql>>
  readonly access: Access
  /** Tables of the app's own drawing, with the columns by which their rows belong to scopes. */
  readonly things: readonly Thing[]
}
export interface Thing {
  readonly name: string
  readonly links: readonly Link[]
}
export interface Link {
  readonly column: 'ownerId' | 'teamId' | 'projectId' | 'companyId'
  readonly kind: 'user' | 'team' | 'project' | 'company'
}

const links: readonly Link[] = [
  { column: 'ownerId', kind: 'user' },
  { column: 'teamId', kind: 'team' },
  { column: 'projectId', kind: 'project' },
  { column: 'companyId', kind: 'company' },
]

export function generateApp(random: Random): GeneratedApp {
  const load = () => (random.is(0.4) ? ('onDemand' as const) : ('eager' as const))
  const things = Array.from({ length: 2 + random.int(2) }, (_, i) => ({ name: `things${i}`, links: drawLinks(random) }))
  const schema = defineSchema({
    teams: table({ id: uuid().primaryKey(), companyId: text().nullable(), note: text() }).in('team', 'id').in('company', 'companyId', { load: load() }),
    members: table({ teamId: uuid(), userId: text(), role: text(), note: text() })
      .primaryKey('teamId', 'userId')
      .in('team', 'teamId', { load: load() })
      .in('user', 'userId'),
    projects: table({ id: uuid().primaryKey(), ownerId: text().nullable(), teamId: uuid().nullable(), note: text() })
      .in('user', 'ownerId')
      .in('project', 'id')
      .in('team', 'teamId', { load: load() }),
    ...Object.fromEntries(
      things.map(({ name, links: mine }) => {
        const made = table({
          id: uuid().primaryKey(),
          ownerId: text().nullable(),
          teamId: uuid().nullable(),
          projectId: uuid().nullable(),
          companyId: text().nullable(),
          note: text(),
          secret: text().nullable(),
        })
        return [name, mine.reduce<Table>((all, { kind, column }) => all.in(kind, column, { load: load(), columns: drawColumns(random) }), made)]
      }),
    ),
  })
  return { schema, grants: drawGrants(random), access: drawAccess(schema, things, roles, random), things }
}

function drawLinks(random: Random): readonly Link[] {
  const drawn = random.some(links, 0.5)
  return drawn.length > 0 ? drawn : [random.pick(links)]
}

/** What holders of a scope see of a row: mostly all of it, sometimes a part, sometimes a part by role. */
function drawColumns(random: Random) {
  const some = () => random.some(['ownerId', 'teamId', 'projectId', 'note', 'secret'] as const, 0.5)
  if (random.is(0.6)) return undefined
  return random.is(0.5) ? some() : { [random.pick(roles)]: some() }
}

/** Table names are not qualified: the oracle puts the past in their place. */
function drawGrants(random: Random): GeneratedApp['grants'] {
  const climbing = sql`select owner_id as "user", id as key, 'owner' as role from projects where owner_id is not null
    union all select m.user_id, p.id, m.role from projects p join members m on m.team_id = p.team_id`
  const owned = sql`select owner_id as "user", id as key, 'owner' as role from projects where owner_id is not null`
  return {
    user: sql`select id as "user", id as key, 'owner' as role from people`,
    team: sql`select user_id as "user", team_id as key, role from members`,
    project: random.is(0.7) ? climbing : owned,
    company: random.is(0.5)
      ? sql`select m.user_id as "user", t.company_id as key, 'staff' as role from members m join teams t on t.id = m.team_id where t.company_id is not null`
      : sql`select m.user_id as "user", t.company_id as key, m.role from members m join teams t on t.id = m.team_id where t.company_id is not null and m.role <> 'viewer'`,
  }
}
