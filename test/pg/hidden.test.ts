// S6: what a person does not see of a row cannot be found out by a mutation either: not by expect, filters, order, or what a mutator reads.
import type { Json } from '@headwater/protocol'
import { bigint, defineMutators, defineSchema, gt, holdersMayWrite, mutator, ne, refuse, table, text, uuid } from '@headwater/schema'
import { createServer, type Server, sql } from '@headwater/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { databases } from '../harness/databases.ts'
import { connectWire, type WireDevice } from '../harness/wire-device.ts'

const schema = defineSchema({
  campaigns: table({ id: uuid().primaryKey(), teamId: text(), companyId: text(), name: text(), budget: bigint(), secret: text().nullable() })
    .in('team', 'teamId', { columns: { viewer: ['name'], auditor: ['budget'] } })
    .in('company', 'companyId', { columns: ['name'] }),
})
const mutators = defineMutators(schema, {
  /** Refuses with everything that it can find out. */
  tell: mutator<typeof schema, Record<string, never>>(z.object({}), async (tx) => {
    const all = await tx.query.campaigns.orderBy('name').all()
    const told = {
      rows: all.map((row) => Object.keys(row).sort().join()),
      isNull: (await tx.query.campaigns.where({ secret: null }).all()).length,
      // What is tested for null has the type of what is not.
      isNotNull: (await tx.query.campaigns.where({ secret: ne(null as never) }).all()).length,
      equal: (await tx.query.campaigns.where({ secret: 'canary' }).all()).length,
      more: (await tx.query.campaigns.where({ budget: gt(0n) }).all()).length,
      order: (await tx.query.campaigns.orderBy('budget', 'desc').all()).map(({ name, id }) => name ?? id.slice(-1)).join(),
    }
    refuse('told', JSON.stringify(told))
  }),
})
const grant = (kind: string) => sql`select person as "user", key, role from holders where kind = ${kind}`
const idOf = (n: number) => `00000000-0000-4000-8000-00000000000${n}`

describe.each(databases)('S6 what is hidden on $name', ({ open }) => {
  let server: Server
  let url = ''
  let close: () => Promise<void>

  beforeAll(async () => {
    const { database, close: closeDatabase } = await open()
    await database.execute(`create table holders (person text not null, kind text not null, key text not null, role text not null);
      insert into holders values ('vera', 'team', 't', 'viewer'), ('aude', 'team', 't', 'auditor'), ('both', 'team', 't', 'viewer'), ('both', 'team', 't', 'auditor'),
        ('edith', 'team', 't', 'editor'), ('carl', 'company', 'c', 'any'), ('mixed', 'company', 'c', 'any'), ('mixed', 'team', 'u', 'editor');`)
    server = await createServer({
      schema,
      mutators,
      database,
      access: holdersMayWrite(schema),
      authenticate: ({ headers }) => headers.get('x-user'),
      grants: { team: grant('team'), company: grant('company') },
    })
    url = (await server.listen({ port: 0 })).url
    await database.execute(`insert into campaigns (id, team_id, company_id, name, budget, secret)
      values ('${idOf(1)}', 't', 'c', 'a', 5, 'canary'), ('${idOf(2)}', 't', 'c', 'b', 9, null), ('${idOf(3)}', 'u', 'c', 'c', 7, 'canary')`)
    close = async () => {
      await server.close()
      await closeDatabase()
    }
  })
  afterAll(() => close())

  async function outcomeOf(device: WireDevice, name: string, args: Json) {
    const number = device.push(name, args)
    await device.until(() => device.outcomes.has(number), 'the outcome')
    return device.outcomes.get(number)
  }

  test('a mutator reads the columns that its person sees, and knows nothing of the others', async () => {
    const whole = 'budget,companyId,id,name,secret,teamId'
    const nothing = { isNull: 0, isNotNull: 0, equal: 0, more: 0 }
    const expected = {
      vera: { rows: ['id,name,teamId', 'id,name,teamId'], ...nothing, order: 'a,b' },
      carl: { rows: ['companyId,id,name', 'companyId,id,name', 'companyId,id,name'], ...nothing, order: 'a,b,c' },
      aude: { rows: ['budget,id,teamId', 'budget,id,teamId'], ...nothing, more: 2, order: '2,1' },
      both: { rows: ['budget,id,name,teamId', 'budget,id,name,teamId'], ...nothing, more: 2, order: 'b,a' },
      edith: { rows: [whole, whole], isNull: 1, isNotNull: 1, equal: 1, more: 2, order: 'b,a' },
      mixed: { rows: ['companyId,id,name', 'companyId,id,name', whole], isNull: 0, isNotNull: 1, equal: 1, more: 1, order: 'a,b,c' },
    }
    for (const [user, told] of Object.entries(expected)) {
      const device = await connectWire({ url, user, keys: {} })
      const outcome = await outcomeOf(device, 'tell', {})
      expect([user, JSON.parse(outcome?.reason ?? 'null')]).toEqual([user, told])
      device.close()
    }
  })

  test('expect of a column that is not seen is refused in the same words, whether it is right or not', async () => {
    const device = await connectWire({ url, user: 'vera', keys: {} })
    const id = idOf(1)
    const update = (row: Json, more: Json) => outcomeOf(device, 'campaigns.update', { row, expect: more })
    const right = await update({ id, name: 'a' }, { secret: 'canary' })
    expect(right).toMatchObject({ type: 'refused', code: 'hidden', reason: 'You do not see campaigns.secret.' })
    for (const guess of ['wrong', null]) expect(await update({ id, name: 'a' }, { secret: guess })).toEqual({ ...right, number: expect.any(Number) })
    const gone = await outcomeOf(device, 'campaigns.delete', { row: { id }, expect: { secret: 'canary' } })
    expect(gone).toEqual({ ...right, number: expect.any(Number) })
    expect(await update({ id, name: 'a' }, { name: 'z' })).toMatchObject({ code: 'conflict' })
    expect(await update({ id, name: 'a' }, { name: 'a' })).toMatchObject({ type: 'applied' })
    expect(await update({ id: idOf(3), name: 'a' }, { secret: 'canary' })).toMatchObject({ code: 'absent' })
    device.close()
  })
})
