// S5 and S6 over the real road: what devices may write, of the row before and after, and what of the database no device ever hears of.
import type { Json } from '@headwater/protocol'
import { defineAccess, holdersMayWrite, role } from '@headwater/schema'
import { type Database, openPostgres, type Server, sql } from '@headwater/server'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { access, schema } from '../harness/campaigns.ts'
import { grants, startCampaigns } from '../harness/campaigns-server.ts'
import { databases } from '../harness/databases.ts'
import { connectWire, type WireDevice } from '../harness/wire-device.ts'

const keys = { campaigns: ['id'], reviews: ['id'], notices: ['id'] }
const uuid = () => crypto.randomUUID()

describe.each(databases)('rules on $name', ({ open }) => {
  let database: Database
  let url: string | null
  let server: Server & { readonly url: string }
  let close: () => Promise<void>
  let id: string
  const troubles: unknown[] = []
  const connect = (user: string) => connectWire({ url: server.url, user, keys })
  const outcomeOf = async (device: WireDevice, name: string, args: Json) => {
    const number = device.push(name, args)
    await device.until(() => device.outcomes.has(number), `the outcome of ${name}`)
    const { type, code, reason } = device.outcomes.get(number) ?? {}
    return type === 'applied' ? 'applied' : `${code}: ${reason}`
  }
  /** As one person does it, on a connection of their own. */
  const as = async (user: string, name: string, args: Json) => {
    const device = await connect(user)
    try {
      return await outcomeOf(device, name, args)
    } finally {
      device.close()
    }
  }
  const campaign = async () =>
    (await database.query('select team_id, name, budget_minor::int as budget, clicks from campaigns where id = $1::text::uuid', [id]))[0]

  beforeAll(async () => {
    const opened = await open()
    ;({ database, url } = opened)
    server = await startCampaigns(database, { onTrouble: (error) => troubles.push(error) })
    await database.execute(`insert into people (id) values ('vic'), ('edi'), ('ada'), ('own'), ('eve');
      insert into team_members values ('vic', 't1', 'viewer'), ('edi', 't1', 'editor'), ('edi', 't2', 'viewer'), ('ada', 't1', 'admin'), ('own', 't1', 'owner'), ('own', 't2', 'owner')`)
    close = async () => {
      await server.close()
      await opened.close()
    }
  })
  afterAll(() => close())
  beforeEach(async () => {
    id = uuid()
    await database.query(`insert into campaigns (id, team_id, owner_id, name, note, fraud_memo) values ($1::text::uuid, 't1', 'vic', 'First', 'a note', $2)`, [
      id,
      `memo-${id}`.slice(0, 40),
    ])
  })

  test('S5 a role may do what it may, and those below it may not', async () => {
    const rename = { row: { id, name: 'Renamed' } }
    expect(await as('vic', 'campaigns.update', rename)).toBe('forbidden: You may not write name of campaigns.')
    expect(await as('edi', 'campaigns.update', rename)).toBe('applied')
    expect(await as('edi', 'campaigns.update', { row: { id, budgetMinor: '5' } })).toBe('forbidden: You may not write budgetMinor of campaigns.')
    expect(await as('ada', 'campaigns.update', { row: { id, budgetMinor: '5' } })).toBe('applied')
    expect(await as('own', 'campaigns.update', { row: { id, budgetMinor: '6', name: 'Both' } })).toBe('applied')
    expect(await campaign()).toEqual({ team_id: 't1', name: 'Both', budget: 6, clicks: 0 })
  })

  test('S5 a column that is named is written, whatever its value: unchanged as well', async () => {
    expect(await as('edi', 'campaigns.update', { row: { id, name: 'Renamed', budgetMinor: '0' } })).toBe(
      'forbidden: You may not write budgetMinor of campaigns.',
    )
    expect(await campaign()).toMatchObject({ name: 'First' })
  })

  test('S5 a row is not moved into a scope, nor out of one: the rule holds before and after', async () => {
    for (const [person, teamId] of [
      ['edi', 't2'],
      ['edi', 'elsewhere'],
      ['own', 't2'],
    ] as const) {
      expect(await as(person, 'campaigns.update', { row: { id, teamId } }), person).toMatch(
        /^forbidden: You may not (change this row of campaigns so|write teamId of campaigns)\.$/,
      )
      expect(await as(person, 'moveTo', { id, teamId })).toMatch(/^forbidden/)
    }
    expect(await campaign()).toMatchObject({ team_id: 't1' })
    const insert = (teamId: string) => ({ row: { id: uuid(), teamId, ownerId: 'edi', name: 'New', status: 'draft', budgetMinor: '0', note: null } })
    expect(await as('edi', 'campaigns.insert', insert('t2'))).toBe('forbidden: You may not add this row to campaigns.')
    expect(await as('edi', 'campaigns.insert', insert('t1'))).toBe('applied')
  })

  test('S5 the row is judged before and after: a rule that the change itself breaks or makes', async () => {
    expect(await as('edi', 'campaigns.update', { row: { id, status: 'live' } })).toBe('applied')
    expect(await as('edi', 'campaigns.update', { row: { id, status: 'draft', note: null } })).toBe('forbidden: You may not write status of campaigns.')
    expect(await as('edi', 'campaigns.update', { row: { id, note: null } })).toBe('applied')
    expect(await as('edi', 'campaigns.update', { row: { id, status: 'draft', note: 'again' } })).toBe('forbidden: You may not write status of campaigns.')
  })

  test('S5 deleting has a rule of its own; what is not there, or not to be seen, is deleted by nobody in the same words', async () => {
    expect(await as('ada', 'campaigns.delete', { row: { id } })).toBe('forbidden: You may not delete this row of campaigns.')
    expect(await as('eve', 'campaigns.delete', { row: { id } })).toBe('applied')
    expect(await as('eve', 'campaigns.delete', { row: { id: uuid() } })).toBe('applied')
    expect(await campaign()).toMatchObject({ name: 'First' })
    expect(await as('own', 'campaigns.delete', { row: { id } })).toBe('applied')
    expect(await campaign()).toBeUndefined()
  })

  test('S5 probing: a row that is hidden answers as one that is missing, in every verb', async () => {
    const missing = uuid()
    for (const row of [{ name: 'x' }, { budgetMinor: '1' }, { teamId: 't9' }, { clicks: 1 }]) {
      const [hidden, absent] = [
        await as('eve', 'campaigns.update', { row: { id, ...row } }),
        await as('eve', 'campaigns.update', { row: { id: missing, ...row } }),
      ]
      expect(hidden).toBe(absent)
      expect(hidden).toBe('absent: There is no such row in campaigns that you may change.')
    }
    expect(await as('eve', 'campaigns.update', { row: { id, name: 'x' }, expect: { name: 'First' } })).toMatch(/^absent/)
  })

  test('S5 a rule on a related row, which need not be seen by who writes', async () => {
    const review = () => ({ row: { id: uuid(), campaignId: id, reviewerId: 'eve', stars: 5 } })
    expect(await as('eve', 'reviews.insert', review())).toBe('forbidden: You may not add this row to reviews.')
    await database.query(`update campaigns set status = 'live' where id = $1::text::uuid`, [id])
    expect(await as('eve', 'reviews.insert', { row: { ...review().row, reviewerId: 'own' } })).toMatch(/^forbidden/)
    expect(await as('eve', 'reviews.insert', review())).toBe('applied')
  })

  test('S5 mass assignment: every column of every table is injected, and only those that a rule allows are written', async () => {
    const values: Readonly<Record<string, Json>> = {
      teamId: 't1',
      ownerId: 'eve',
      name: 'x',
      status: 'live',
      budgetMinor: '9',
      note: 'x',
      clicks: 9,
    }
    const allowed: Readonly<Record<string, readonly string[]>> = {
      eve: [],
      vic: [],
      edi: ['teamId', 'ownerId', 'name', 'status', 'note'],
      ada: ['teamId', 'ownerId', 'name', 'status', 'note', 'budgetMinor'],
      own: ['teamId', 'ownerId', 'name', 'status', 'note', 'budgetMinor'],
    }
    for (const [person, columns] of Object.entries(allowed)) {
      const device = await connect(person)
      const written: string[] = []
      for (const [column, value] of Object.entries(values))
        if ((await outcomeOf(device, 'campaigns.update', { row: { id, [column]: value } })) === 'applied') written.push(column)
      expect(written.toSorted(), person).toEqual(columns.toSorted())
      device.close()
    }
    expect(await as('own', 'campaigns.update', { row: { id, clicks: 1 } })).toBe('forbidden: You may not write clicks of campaigns.')
    const insert = { id: uuid(), teamId: 't1', ownerId: 'own', name: 'x', note: null }
    expect(await as('own', 'campaigns.insert', { row: { ...insert, clicks: 1 } })).toBe('forbidden: You may not write clicks of campaigns.')
    expect(await as('own', 'campaigns.insert', { row: insert })).toBe('applied')
  })

  test('S5 a table without a rule is written by nobody', async () => {
    const notice = uuid()
    expect(await as('own', 'notices.insert', { row: { id: notice, teamId: 't1', line: 'x' } })).toMatch(/^forbidden/)
    await database.query(`insert into notices (id, team_id, line) values ($1::text::uuid, 't1', 'x')`, [notice])
    expect(await as('own', 'notices.update', { row: { id: notice, line: 'y' } })).toMatch(/^forbidden/)
    expect(await as('own', 'notices.delete', { row: { id: notice } })).toMatch(/^forbidden/)
    expect(await database.query('select line from notices')).toEqual([{ line: 'x' }])
    await database.query('delete from notices')
  })

  test('S5 a role that is taken away binds what starts after: the next mutation is refused', async () => {
    const device = await connect('edi')
    expect(await outcomeOf(device, 'rename', { id, name: 'One' })).toBe('applied')
    await database.query(`update team_members set role = 'viewer' where person = 'edi' and team = 't1'`)
    expect(await outcomeOf(device, 'rename', { id, name: 'Two' })).toMatch(/^forbidden/)
    await database.query(`delete from team_members where person = 'edi' and team = 't1'`)
    expect(await outcomeOf(device, 'rename', { id, name: 'Three' })).toMatch(/^absent/)
    await database.query(`insert into team_members values ('edi', 't1', 'editor')`)
    expect(await outcomeOf(device, 'rename', { id, name: 'Four' })).toBe('applied')
    expect(await campaign()).toMatchObject({ name: 'Four' })
  })

  test('S5 revoked at the same time: what is judged is the snapshot, and a revocation that has not committed binds nobody', async () => {
    // An embedded database has one connection: there is no same time.
    if (url === null) return
    const other = await openPostgres(url)
    const device = await connect('edi')
    await other.transaction('write', async (transaction) => {
      await transaction.query(`delete from team_members where person = 'edi' and team = 't1'`)
      expect(await outcomeOf(device, 'rename', { id, name: 'Before the commit' })).toBe('applied')
    })
    expect(await outcomeOf(device, 'rename', { id, name: 'After the commit' })).toMatch(/^absent/)
    expect(await campaign()).toMatchObject({ name: 'Before the commit' })
    await other.query(`insert into team_members values ('edi', 't1', 'editor')`)
    await other.close()
  })

  test("S5 the server's own mutators go past the rules only where they say so, and the log tells which rows", async () => {
    expect(await as('eve', 'click', { id })).toBe('applied')
    expect(await campaign()).toMatchObject({ clicks: 1 })
    expect(await as('eve', 'investigate', { id, memo: 'by eve', name: 'By eve' })).toMatch(/^absent/)
    expect(await as('edi', 'investigate', { id, memo: 'by edi', name: 'By edi' })).toBe('applied')
    const logged = await database.query(
      `select new ->> 'name' as name, (new ->> 'clicks')::int as clicks, actor, unchecked from headwater.log where table_name = 'campaigns' and op = 'u' and new ->> 'id' = $1 order by seq`,
      [id],
    )
    expect(logged).toEqual([
      { name: 'First', clicks: 1, actor: 'eve', unchecked: true },
      { name: 'By edi', clicks: 1, actor: 'edi', unchecked: false },
    ])
    expect(await database.query('select fraud_memo as memo, risk_score as risk from campaigns where id = $1::text::uuid', [id])).toEqual([
      { memo: 'by edi', risk: 8 },
    ])
  })

  test('S6 what only the server has is not on the wire: no name, no value, in no error, and a change of it alone sends nothing', async () => {
    const [owner, editor] = [await connect('own'), await connect('edi')]
    const canary = `canary-${id.slice(0, 8)}`
    const logRows = async () => (await database.query(`select count(*)::int as n from headwater.log where op <> 'm'`))[0]?.n
    const before = await logRows()
    await database.query('update campaigns set fraud_memo = $1, risk_score = 4711 where id = $2::text::uuid', [canary, id])
    expect(await logRows()).toBe(before)
    const taken = uuid()
    await database.query(`insert into campaigns (id, team_id, owner_id, name) values ($1::text::uuid, 't1', 'own', 'Other')`, [taken])
    expect(await outcomeOf(owner, 'investigate', { id: taken, memo: canary, name: 'x' })).toBe('unique: campaigns: a value is already taken.')
    expect(await outcomeOf(owner, 'investigate', { id: taken, memo: 'x'.repeat(41), name: 'x' })).toBe('failed: The mutator failed.')
    expect(troubles.at(-1)).toMatchObject({ message: expect.stringContaining('fraudMemo') })
    for (const device of [owner, editor]) {
      expect(await outcomeOf(device, 'campaigns.update', { row: { id, name: 'Seen' } })).toBe('applied')
      await device.until(() => device.rows('campaigns').some((row) => row.name === 'Seen'), 'the change')
    }
    for (const device of [owner, editor, await connect('edi')]) {
      const heard = device.frames.join('\n')
      for (const word of ['fraud', 'riskScore', 'risk_score', canary, '4711', 'memo-']) expect(heard).not.toContain(word)
    }
    expect(
      await database.query(`select count(*)::int as n from headwater.log where new::text like '%' || $1 || '%' or old::text like '%' || $1 || '%'`, [canary]),
    ).toEqual([{ n: 0 }])
  })

  test('S6 a column that only the server has cannot be named: it is answered as one that does not exist', async () => {
    const cases = ['fraudMemo', 'riskScore', 'nonsense'].flatMap((column) => [
      { row: { id, [column]: null } },
      { row: { id, name: 'x' }, expect: { [column]: null } },
    ])
    const answers = await Promise.all(
      cases.map(async (args) => {
        const device = await connect('own')
        device.push('campaigns.update', args)
        await device.until(device.isClosed, 'the end')
        return JSON.stringify(device.messages.at(-1))
      }),
    )
    expect([...new Set(answers)]).toEqual([expect.stringContaining('does not know campaigns.update')])
    expect(await campaign()).toMatchObject({ name: 'First' })
  })

  test('a column that only the server has can decide grants: its change is acted upon', async () => {
    const device = await connect('vic')
    await device.until(() => device.rows('campaigns').some((row) => row.id === id), 'the row')
    await database.query(`update people set is_banned = true where id = 'vic'`)
    const lost = (scope: string) => device.messages.some((message) => message.type === 'checkpoint' && message.left.granted.includes(scope as never))
    await device.until(() => lost('user:vic'), 'the loss')
    await database.query(`update people set is_banned = false where id = 'vic'`)
  })

  const startWith = (over: Parameters<typeof startCampaigns>[1]) =>
    startCampaigns({ ...database, close: async () => {} }, over).then((started) => started.close())
  const naming = (name: string) => defineAccess(schema, { campaigns: { insert: role('team', name) } })

  test('a role that no grant can give is found at the start: by a check on the column, and by a constant', async () => {
    await expect(startWith({ access: naming('boss') })).rejects.toMatchObject({
      code: 'grants',
      message: 'A rule names the role boss of team, which no grant of that kind gives.',
    })
    await expect(startWith({ access: naming('former') })).rejects.toMatchObject({ code: 'grants', message: expect.stringContaining('former') })
    const constant = {
      ...grants,
      team: sql`select person as "user", team as key, ${'member'} as role from team_members union select id, id, 'self' from people`,
    }
    await expect(startWith({ grants: constant, access: naming('editor') })).rejects.toMatchObject({
      code: 'grants',
      message: expect.stringContaining('editor'),
    })
    await expect(startWith({ grants: constant, access: naming('self') })).resolves.toBeUndefined()
    const unprovable = { ...grants, team: sql`select person as "user", team as key, lower(role) as role from team_members` }
    await expect(startWith({ grants: unprovable, access: naming('boss') })).resolves.toBeUndefined()
    await startWith({ access })
  })

  test('a server says what it needs: who may write, and what its own mutators take', async () => {
    await expect(startWith({ access: undefined as never })).rejects.toMatchObject({ code: 'access', hint: expect.stringContaining('holdersMayWrite') })
    await expect(startWith({ access: holdersMayWrite(schema), serverMutators: { unheardOf: async () => {} } })).rejects.toMatchObject({
      message: expect.stringContaining('unheardOf'),
    })
  })
})
