// What access rules cost a mutation: an update by a rule with a ladder of roles, column rules and a `when`, beside the same update that asks
// nobody, taking turns on one connection. Each is a whole mutation: its guard, its statement, its record, its durable commit.
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { and, defineAccess, deny, eq, role, tableOf } from '@headwater/schema'
import { createServer, type Database, openEmbedded, openPostgres, sql } from '@headwater/server'
import type { Guard } from '../../packages/server/src/sql/rule.ts'
import { updateStatement } from '../../packages/server/src/sql/write.ts'
import { itemId, mutators, person, schema } from '../app.ts'
import { withDatabase } from '../database.ts'
import { type Figure, median } from '../figure.ts'
import { fillSql, prepare } from '../server-app.ts'

const [rounds, rows] = [600, 10_000]

const access = defineAccess(
  schema,
  {
    items: {
      update: {
        columns: { title: role('user', 'owner'), '*': deny },
        when: ({ before, after, row, person: writer }) => and(eq(before.ownerId, after.ownerId), eq(row.ownerId, writer)),
      },
    },
  },
  { roles: { user: ['viewer', 'editor', 'owner'] } },
)
const grants = { user: sql`select id as "user", id as key, 'owner' as role from people` }

export async function accessRules(): Promise<readonly Figure[]> {
  const native = await withDatabase(async (bed) => {
    await bed.fill(fillSql(rows))
    const database = await openPostgres(bed.url)
    const figure = await compare(database, 'PostgreSQL')
    await database.close()
    return figure
  })
  const directory = await mkdtemp(join(tmpdir(), 'hw-bench-'))
  try {
    const database = await openEmbedded({ directory })
    await prepare(database)
    const server = await createServer({ schema, access, mutators, grants, database: { ...database, close: async () => {} }, authenticate: () => null })
    await server.close()
    await database.execute(`${fillSql(rows)}; analyze`)
    const figure = await compare(database, 'embedded')
    await database.close()
    return [native, figure]
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function compare(database: Database, name: string): Promise<Figure> {
  const device = randomUUID()
  await database.query('select answer from headwater.greet($1, $2, null, $3)', [device, person, 'nonce'])
  let number = 0
  const update = async (guard: Guard | null) => {
    const row = { id: itemId(1 + (number % rows)), title: `Title ${number}` }
    const write = updateStatement({ name: 'items', table: tableOf(schema, 'items'), row, expect: {}, guard })
    const [id, next] = [randomUUID(), String(++number)]
    const begin = { text: 'select headwater.begin_mutation($1, $2::text::bigint, $3, $4)::text', parameters: [device, next, id, person] }
    const end = {
      text: 'select headwater.end_mutation($1, $2::text::bigint, $3, $4, $5, $6, $7, $8, $9, $10)::text',
      parameters: [device, next, id, person, 'items.update', id, 'applied', null, null, true],
    }
    const start = performance.now()
    await database.batch([begin, write, end])
    return performance.now() - start
  }
  const [judged, unasked]: [number[], number[]] = [[], []]
  for (let round = -50; round < rounds; round++) {
    const [one, other] = [await update({ schema, access, grants, user: person }), await update(null)]
    if (round < 0) continue
    judged.push(one)
    unasked.push(other)
  }
  return { name: `mutation by access rules, ${name}, p50`, unit: 'ms', value: median(judged), limit: median(unasked) }
}
