// What the form of a relation tells of whom a change concerns, and where it must tell nothing.
import type { Database } from '@headwater/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { install } from '../../packages/server/src/install/install.ts'
import { readRelations } from '../../packages/server/src/scopes/relation.ts'
import { grants, prepare, schema } from '../harness/app.ts'
import { databases } from '../harness/databases.ts'

const certain: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  [`select owner_id as "user", id as key, 'owner' as role from projects`, { projects: 'owner_id by id' }],
  [`select 'member' as role, m.project_id as key, m.user_id as "user" from members m where m.user_id <> 'eve'`, { members: 'user_id by project_id' }],
  [
    `select distinct owner_id as "user", id::text || '!' as key, status as role from projects where (status = 'active' or visits > 3) and slug is null`,
    { projects: 'owner_id by ' },
  ],
  [`select 'ada' as "user", id as key, status as role from projects`, { projects: ' by id' }],
  [
    `select owner_id as "user", id as key, 'a' as role from projects union select slug, id, 'b' from projects union select user_id, project_id, 'c' from members`,
    { projects: 'owner_id,slug by id', members: 'user_id by project_id' },
  ],
  [`select "Who" as "user", "the ""key""" as key, 'r' as role, until from "Odd, ""name"" FROM"`, { 'Odd, "name" FROM': 'Who by the "key"' }],
  [`select owner_id as "user", updated_at as key, 'r' as role from projects`, { projects: 'owner_id by ' }],
]

/** Something else than single rows of one table decides, or may. */
const uncertain = [
  `select p.owner_id as "user", m.project_id as key, 'r' as role from members m join projects p on p.id = m.project_id`,
  `select p.owner_id as "user", m.project_id as key, 'r' as role from members m, projects p`,
  `select owner_id as "user", id as key, 'r' as role from projects where exists (select from members where project_id = id)`,
  `select owner_id as "user", id as key, (select max(user_id) from members) as role from projects`,
  `select owner_id as "user", id as key, 'r' as role from projects where is_ours(owner_id)`,
  `select owner_id as "user", max(id::text) as key, 'r' as role from projects group by owner_id`,
  `select owner_id as "user", id as key, 'r' as role from projects where visits > 1 order by visits limit 3`,
  `select owner_id as "user", id as key, 'r' as role from projects limit 3`,
  `select distinct on (owner_id) owner_id as "user", id as key, 'r' as role from projects order by owner_id, visits`,
  `select owner_id as "user", id as key, 'r' as role from projects except select user_id, project_id, 'r' from members`,
  `select owner_id as "user", id as key, 'r' as role from projects union (select user_id, project_id, 'r' from members intersect select user_id, project_id, 'r' from members)`,
  `select owner_id as "user", id as key, 'a' as role from projects union all select slug, id, 'b' from projects union select user_id, project_id, 'c' from members`,
  `with chosen as (select * from projects) select owner_id as "user", id as key, 'r' as role from chosen`,
  `select lag(owner_id) over (order by id) as "user", id as key, 'r' as role from projects`,
  `select owner_id as "user", id as key, E'x,\\n y' as role from projects`,
]

describe.each(databases)('inferring on $name', ({ open }) => {
  let database: Database
  let close: () => Promise<void>

  beforeAll(async () => {
    const opened = await open()
    database = opened.database
    close = opened.close
    await prepare(database)
    await database.execute(`create table "Odd, ""name"" FROM" ("Who" text, "the ""key""" uuid, until timestamptz)`)
    await database.execute(`create function is_ours(person text) returns boolean language sql stable as 'select true'`)
    await install(database, { schema, serverSchema: schema, needs: [], capture: {} }, grants)
  })
  afterAll(() => close())

  const infer = async (text: string) => {
    class Undone extends Error {}
    let found: Record<string, string> = {}
    const run = database.transaction('write', async (transaction) => {
      const relations = await readRelations(transaction, schema, { ...grants, project: { text, parameters: [] } })
      const reads = relations.find(({ kind }) => kind === 'project')?.reads ?? []
      found = Object.fromEntries(reads.map(({ table, user, key }) => [table, `${user.toSorted()} by ${key}`]))
      throw new Undone()
    })
    await expect(run).rejects.toThrow(Undone)
    return found
  }

  test.each(certain)('%s', async (text, expected) => expect(await infer(text)).toEqual(expected))
  test.each(uncertain)('not of %s', async (text) => expect(new Set(Object.values(await infer(text)))).toEqual(new Set([' by '])))
})
