// An app that nobody would write: tables, scopes, columns, grants and rules are drawn from the seed, as test/pg/generated.test.ts draws them.
import { defineMutators, defineSchema, holdersMayWrite, mutator } from '@headwater/schema'
import { z } from 'zod'
import { snakeCase } from '../../../packages/server/src/sql/name.ts'
import { generateApp, type Link, people, roles, type Thing } from '../../harness/generated/app.ts'
import { createRandom, type Random } from '../../harness/generated/random.ts'
import { type Foreign, leaveMark, mark, marks, type Workload } from './workload.ts'

const companies = ['acme', 'umbrella']
const teams = Array.from({ length: 3 }, (_, i) => `70000000-0000-4000-8000-00000000000${i}`)
const projects = Array.from({ length: 5 }, (_, i) => `60000000-0000-4000-8000-00000000000${i}`)

export function random(seed: number): Workload {
  const app = generateApp(createRandom(seed))
  const schema = defineSchema({ ...app.schema.tables, marks })
  const mutators = defineMutators(schema, {
    tick: mutator(z.object({ mark }), async (tx, args) => leaveMark(tx, args.mark)),
  })
  const known = new Map<string, string[]>(app.things.map(({ name }) => [name, []]))
  let texts = 0
  const canary = () => `§${++texts}§`

  function drawn(by: Random, column: string): string | null {
    if (column === 'ownerId') return by.is(0.2) ? null : by.pick(people)
    if (column === 'teamId') return by.is(0.3) ? null : by.pick(teams)
    if (column === 'projectId') return by.is(0.3) ? null : by.pick(projects)
    return by.is(0.3) ? null : by.pick(companies)
  }

  function fresh(by: Random, { name, links }: Thing): Readonly<Record<string, string | null>> {
    const id = by.uuid()
    known.get(name)?.push(id)
    return { id, ...Object.fromEntries(links.map(({ column }) => [column, drawn(by, column)])), note: canary(), secret: canary() }
  }

  function writeThing(by: Random, thing: Thing): Foreign {
    const { name, links } = thing
    const mine = known.get(name) ?? []
    if (mine.length === 0 || by.is(0.4)) {
      const row = fresh(by, thing)
      const columns = Object.keys(row)
      return {
        text: `insert into ${name} (${columns.map(snakeCase).join(', ')}) values (${columns.map((column, i) => bound(column, i + 1)).join(', ')})`,
        parameters: Object.values(row),
      }
    }
    if (by.is(0.15)) return { text: `delete from ${name} where id = $1::text::uuid`, parameters: [by.pick(mine)] }
    const column = by.pick<Link['column'] | 'note' | 'secret'>([...links.map((link) => link.column), 'note', 'secret'])
    const value = column === 'note' || column === 'secret' ? canary() : drawn(by, column)
    return { text: `update ${name} set ${snakeCase(column)} = ${bound(column, 2)} where id = $1::text::uuid`, parameters: [by.pick(mine), value] }
  }

  function writeGrants(by: Random): Foreign {
    const [team, project, person] = [by.pick(teams), by.pick(projects), by.pick(people)]
    return by.pick<Foreign>([
      {
        text: 'insert into members (team_id, user_id, role, note) values ($1::text::uuid, $2, $3, $4) on conflict (team_id, user_id) do update set role = excluded.role',
        parameters: [team, person, by.pick(roles), canary()],
      },
      { text: 'delete from members where team_id = $1::text::uuid and user_id = $2', parameters: [team, person] },
      { text: 'update projects set team_id = $2::text::uuid where id = $1::text::uuid', parameters: [project, drawn(by, 'teamId')] },
      { text: 'update projects set owner_id = $2 where id = $1::text::uuid', parameters: [project, drawn(by, 'ownerId')] },
      { text: 'update teams set company_id = $2 where id = $1::text::uuid', parameters: [team, drawn(by, 'companyId')] },
      {
        text: 'insert into teams (id, company_id, note) values ($1::text::uuid, $2, $3) on conflict do nothing',
        parameters: [team, drawn(by, 'companyId'), canary()],
      },
      {
        text: 'insert into projects (id, owner_id, team_id, note) values ($1::text::uuid, $2, $3::text::uuid, $4) on conflict do nothing',
        parameters: [project, drawn(by, 'ownerId'), drawn(by, 'teamId'), canary()],
      },
      { text: 'delete from projects where id = $1::text::uuid', parameters: [project] },
    ])
  }

  return {
    name: 'random',
    schema,
    mutators,
    grants: app.grants,
    isFixed: false,
    // The marks are no table of the drawn rules: whoever they belong to may write them.
    access: { ...app.access, tables: new Map([...app.access.tables, ...[...holdersMayWrite(schema).tables].filter(([name]) => name === 'marks')]) },
    rows: [],
    act: (by) => {
      if (by.is(0.2)) return { name: 'tick', args: {} }
      const thing = by.pick(app.things)
      const mine = known.get(thing.name) ?? []
      if (mine.length === 0 || by.is(0.4)) return { name: `${thing.name}.insert`, args: fresh(by, thing) }
      if (by.is(0.2)) return { name: `${thing.name}.delete`, args: { id: by.pick(mine) } }
      const column = by.pick<Link['column'] | 'note'>([...thing.links.map((link) => link.column), 'note', 'note'])
      return { name: `${thing.name}.update`, args: { id: by.pick(mine), [column]: column === 'note' ? canary() : drawn(by, column) } }
    },
    foreign: (by) => {
      const writes = Array.from({ length: 1 + by.int(4) }, () => (by.is(0.4) ? writeGrants(by) : writeThing(by, by.pick(app.things))))
      return by.is(0.06) ? [{ text: `truncate ${by.pick(app.things).name}`, parameters: [] }, ...writes] : writes
    },
    use: (by) =>
      by.pick([
        { kind: 'project', key: by.pick(projects) },
        { kind: 'team', key: by.pick(teams) },
        { kind: 'company', key: by.pick(companies) },
      ]),
  }
}

const casts: Readonly<Record<string, string>> = { id: '::uuid', teamId: '::uuid', projectId: '::uuid' }
const bound = (column: string, i: number) => `$${i}::text${casts[column] ?? ''}`
