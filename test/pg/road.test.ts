import { type Json, limits, mutationId } from '@headwater/protocol'
import type { Database } from '@headwater/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keys, startServer, type TestServer } from '../harness/app.ts'
import { databases, throughPooler } from '../harness/databases.ts'
import { connectWire, openWire, type WireDevice } from '../harness/wire-device.ts'

const uuid = () => crypto.randomUUID()

describe.each([...databases, throughPooler])('the road on $name', ({ open }) => {
  let database: Database
  let server: TestServer
  let close: () => Promise<void>
  const connect = (user: string, more: Partial<Parameters<typeof connectWire>[0]> = {}) => connectWire({ url: server.url, user, keys, ...more })
  const project = (id: string, ownerId: string, title: string, more: Record<string, Json> = {}) => ({
    row: { id, ownerId, title, slug: null, status: 'active', visits: 0, updatedAt: null, ...more },
  })
  const titlesOf = (device: WireDevice) => device.rows('projects').map((row) => row.title)
  const confirmed = async (device: WireDevice, number: number) => {
    await device.until(() => device.outcomes.has(number), `the outcome of ${number}`)
    return device.outcomes.get(number)
  }

  beforeAll(async () => {
    const opened = await open()
    database = opened.database
    server = await startServer(database)
    close = async () => {
      await server.close()
      await opened.close()
    }
  })
  afterAll(() => close())

  test('a mutation of one device is in the database once, and on another device of the same person', async () => {
    const [one, other] = [await connect('ada'), await connect('ada')]
    const id = uuid()
    const number = one.push('projects.insert', project(id, 'ada', 'Road'))
    expect(await confirmed(one, number)).toMatchObject({ type: 'applied' })
    expect(titlesOf(one)).toContain('Road')
    await other.until(() => titlesOf(other).includes('Road'), 'the row on the other device')
    const rows = await database.query('select title from projects where id = $1::text::uuid', [id])
    expect(rows).toEqual([{ title: 'Road' }])
  })

  test('R8 a row changed by SQL arrives like any other', async () => {
    const device = await connect('ada')
    const id = uuid()
    await server.database.query(`insert into projects (id, owner_id, title) values ($1::text::uuid, 'ada', 'Typed')`, [id])
    await device.until(() => titlesOf(device).includes('Typed'), 'the inserted row')
    await server.database.query(`update projects set title = 'Typed again' where id = $1::text::uuid`, [id])
    await device.until(() => titlesOf(device).includes('Typed again'), 'the updated row')
    await server.database.query('delete from projects where id = $1::text::uuid', [id])
    await device.until(() => !device.rows('projects').some((row) => row.id === id), 'the deletion')
  })

  test('the confirmation is in the checkpoint that holds the rows', async () => {
    const device = await connect('ada')
    const number = device.push('createProject', { id: uuid(), title: 'Several', lines: ['one', 'two'] })
    await confirmed(device, number)
    const holding = device.messages.find((message) => message.type === 'checkpoint' && message.outcomes.some((one) => one.number === number))
    expect(holding?.type === 'checkpoint' && holding.tables.get('projects')?.put).toHaveLength(1)
  })

  test('W2 a mutation that is sent again is applied once', async () => {
    const device = await connect('ada')
    const id = uuid()
    await confirmed(device, device.push('projects.insert', project(id, 'ada', 'Counter')))
    const again = mutationId(uuid())
    const number = device.push('visit', { id }, { id: again })
    device.push('visit', { id }, { id: again, number })
    device.push('visit', { id }, { id: again, number })
    await confirmed(device, device.push('visit', { id }, { number: number + 1 }))
    expect(await database.query('select visits from projects where id = $1::text::uuid', [id])).toEqual([{ visits: 2 }])
  })

  test('W2 a mutation that comes back under another device and number is applied once, and answered again', async () => {
    const [one, copy] = [await connect('ada'), await connect('ada')]
    const id = uuid()
    await confirmed(one, one.push('projects.insert', project(id, 'ada', 'Copied')))
    const same = mutationId(uuid())
    await confirmed(one, one.push('visit', { id }, { id: same }))
    expect(await confirmed(copy, copy.push('visit', { id }, { id: same }))).toMatchObject({ type: 'applied' })
    expect(await database.query('select visits from projects where id = $1::text::uuid', [id])).toEqual([{ visits: 1 }])
  })

  test('W3 mutations take effect in the order of their numbers, and a gap is refused', async () => {
    const device = await connect('ada')
    const id = uuid()
    device.push('projects.insert', project(id, 'ada', '0'))
    let last = 0
    for (let i = 1; i <= 20; i++) last = device.push('projects.update', { row: { id, title: String(i) } })
    await confirmed(device, last)
    expect(await database.query('select title from projects where id = $1::text::uuid', [id])).toEqual([{ title: '20' }])
    const logged = await database.query(`select new ->> 'title' as title from headwater.log where table_name = 'projects' and new ->> 'id' = $1 order by seq`, [
      id,
    ])
    expect(logged.map((row) => Number(row.title))).toEqual(Array.from({ length: 21 }, (_, i) => i))
    device.push('projects.update', { row: { id, title: 'gap' } }, { number: last + 2 })
    await device.until(device.isClosed, 'the close')
    expect(device.messages.at(-1)).toMatchObject({ type: 'failure', code: 'forked' })
  })

  test('W4 a refusal has its code and its reason, is final, and changes nothing', async () => {
    const device = await connect('ada')
    const [id, slug] = [uuid(), uuid().slice(0, 8)]
    await confirmed(device, device.push('projects.insert', project(id, 'ada', 'First', { slug })))
    const refused = async (name: string, args: Json) => confirmed(device, device.push(name, args))
    expect(await refused('projects.insert', project(uuid(), 'ada', 'Second', { slug }))).toMatchObject({
      type: 'refused',
      code: 'unique',
      reason: expect.stringContaining('slug'),
    })
    expect(await refused('projects.insert', project(id, 'ada', 'Same key'))).toMatchObject({ code: 'unique' })
    expect(await refused('projects.update', { row: { id: uuid(), title: 'Nobody' } })).toMatchObject({ code: 'absent' })
    expect(await refused('projects.insert', project(uuid(), 'ada', 'x'.repeat(201)))).toMatchObject({ code: 'invalid' })
    expect(await refused('projects.insert', project(uuid(), 'ada', 'x', { status: 'gone' }))).toMatchObject({ code: 'invalid' })
    expect(await refused('projects.insert', { row: { id: uuid(), ownerId: 'ada' } })).toMatchObject({ code: 'required' })
    expect(await refused('messages.insert', { row: { id: uuid(), projectId: uuid(), content: 'x', sequence: 1 } })).toMatchObject({
      code: expect.stringMatching(/reference|forbidden/),
    })
    expect(await refused('addMessage', { projectId: id, content: 'forbidden words' })).toMatchObject({ code: 'language', reason: 'Mind your language.' })
    expect(await refused('addMessage', { projectId: 'no uuid' })).toMatchObject({ code: 'invalid' })
    const odd = device.push('projects.insert', project(uuid(), 'ada', 'Odd id'), { id: mutationId('../../etc') })
    expect(await confirmed(device, odd)).toMatchObject({ type: 'refused', code: 'invalid' })
    expect(await refused('projects.update', { row: { id, title: 'Expected' }, expect: { title: 'Other' } })).toMatchObject({ code: 'conflict' })
    expect(await refused('projects.update', { row: { id, title: 'Expected' }, expect: { title: 'First' } })).toMatchObject({ type: 'applied' })
    expect(await refused('projects.delete', { row: { id: uuid() } })).toMatchObject({ type: 'applied' })
    expect(await database.query('select title from projects where slug = $1', [slug])).toEqual([{ title: 'Expected' }])
  })

  test('W8 the same number with another payload is an error, and recorded', async () => {
    const device = await connect('ada')
    const number = device.push('projects.insert', project(uuid(), 'ada', 'One'))
    await confirmed(device, number)
    device.push('projects.insert', project(uuid(), 'ada', 'Two'), { number })
    await device.until(device.isClosed, 'the close')
    expect(device.messages.at(-1)).toMatchObject({ type: 'failure', code: 'forked' })
    expect(await database.query(`select kind from headwater.incidents where device = $1`, [device.id])).toEqual([{ kind: 'mismatch' }])
  })

  test('S1 two people see their own rows only, and a shared project both', async () => {
    const [ada, bob, eve] = [await connect('ada'), await connect('bob'), await connect('eve')]
    const [secret, shared] = [uuid(), uuid()]
    const canary = `canary-${uuid()}`
    await confirmed(ada, ada.push('projects.insert', project(secret, 'ada', canary)))
    await confirmed(ada, ada.push('createProject', { id: shared, title: 'Shared', lines: ['hello'] }))
    await confirmed(ada, ada.push('projects.update', { row: { id: secret, title: `${canary} again` } }))
    expect(titlesOf(bob)).not.toContain('Shared')
    await confirmed(ada, ada.push('members.insert', { row: { projectId: shared, userId: 'bob' } }))
    await bob.until(() => titlesOf(bob).includes('Shared'), 'the shared project')
    await confirmed(bob, bob.push('projects.update', { row: { id: shared, title: 'Ours' } }))
    await ada.until(() => titlesOf(ada).includes('Ours'), "bob's change")
    const writes = await confirmed(eve, eve.push('projects.update', { row: { id: shared, title: 'Mine' } }))
    expect(writes).toMatchObject({ type: 'refused', code: 'absent' })
    expect(await confirmed(eve, eve.push('projects.update', { row: { id: uuid(), title: 'Mine' } }))).toEqual({ ...writes, number: 2 })
    expect(await confirmed(eve, eve.push('projects.delete', { row: { id: secret } }))).toMatchObject({ type: 'applied' })
    expect(await confirmed(eve, eve.push('projects.insert', project(uuid(), 'ada', 'Planted')))).toMatchObject({ code: 'forbidden' })
    expect(await database.query('select title from projects where id = $1::text::uuid', [secret])).toEqual([{ title: `${canary} again` }])
    for (const [device, forbidden] of [
      [bob, [canary, secret]],
      [eve, [canary, secret, shared, 'Shared', 'Ours']],
    ] as const) {
      for (const word of forbidden) expect(device.frames.join('\n')).not.toContain(word)
    }
  })

  test('S1 removing a member takes the rows from the member, and nothing of them is sent after', async () => {
    const [ada, bob] = [await connect('ada'), await connect('bob')]
    const id = uuid()
    await confirmed(ada, ada.push('createProject', { id, title: 'For a while', lines: ['a'] }))
    await confirmed(ada, ada.push('members.insert', { row: { projectId: id, userId: 'bob' } }))
    await bob.until(() => titlesOf(bob).includes('For a while'), 'the shared project')
    await confirmed(ada, ada.push('members.delete', { row: { projectId: id, userId: 'bob' } }))
    const left = () => bob.messages.some((message) => message.type === 'checkpoint' && message.left.granted.includes(`project:${id}` as never))
    await bob.until(left, 'the loss of the scope')
    const seen = bob.frames.length
    await confirmed(ada, ada.push('projects.update', { row: { id, title: 'After bob' } }))
    await confirmed(bob, bob.push('projects.insert', project(uuid(), 'bob', 'Own')))
    expect(bob.frames.slice(seen).join('\n')).not.toContain('After bob')
  })

  test('S1 a device that claims to have held a scope is told nothing of it, not even which rows are gone', async () => {
    const [ada, eve] = [await connect('ada'), await connect('eve')]
    const id = uuid()
    const scopes = [`project:${id}`, 'user:ada'] as never[]
    await confirmed(ada, ada.push('createProject', { id, title: 'Hidden', lines: ['a'] }))
    eve.close()
    await confirmed(ada, ada.push('projects.update', { row: { id, title: 'Hidden still' } }))
    const liar = openWire({ url: server.url, user: 'eve', id: eve.id, keys, from: eve })
    const { hello } = liar
    liar.hello = () => hello({ granted: scopes, held: scopes })
    await liar.until(() => liar.messages.some((message) => message.type === 'checkpoint'), 'the catch-up')
    const checkpoint = liar.messages.find((message) => message.type === 'checkpoint')
    expect(checkpoint?.type === 'checkpoint' && checkpoint.tables.size).toBe(0)
  })

  test('on-demand rows come when they are asked for, and are denied to others in the same words', async () => {
    const [ada, eve] = [await connect('ada'), await connect('eve')]
    const id = uuid()
    await confirmed(ada, ada.push('createProject', { id, title: 'Thread', lines: ['first line', 'second line'] }))
    expect(ada.rows('messages').filter((row) => row.projectId === id)).toHaveLength(0)
    ada.send({ type: 'hold', scopes: [`project:${id}` as never] })
    await ada.until(() => ada.rows('messages').filter((row) => row.projectId === id).length === 2, 'the messages')
    await confirmed(ada, ada.push('addMessage', { projectId: id, content: 'third line' }))
    expect(ada.rows('messages').find((row) => row.content === 'third line')).toMatchObject({ sequence: 3 })
    eve.send({ type: 'hold', scopes: [`project:${id}` as never, `project:${uuid()}` as never, 'nonsense' as never] })
    await eve.until(() => eve.messages.some((message) => message.type === 'denied'), 'the denial')
    expect(eve.messages.find((message) => message.type === 'denied')).toMatchObject({ scopes: { length: 3 } })
    expect(eve.frames.join('\n')).not.toContain('line')
  })

  test('a scope that was asked for before it was granted comes by itself when it is', async () => {
    const [ada, eve] = [await connect('ada'), await connect('eve')]
    const id = uuid()
    eve.send({ type: 'hold', scopes: [`project:${id}` as never] })
    await eve.until(() => eve.messages.some((message) => message.type === 'denied'), 'the denial')
    await confirmed(ada, ada.push('createProject', { id, title: 'Later', lines: ['for eve as well'] }))
    await confirmed(ada, ada.push('members.insert', { row: { projectId: id, userId: 'eve' } }))
    await eve.until(() => eve.rows('messages').some((row) => row.content === 'for eve as well'), 'the messages')
  })

  test('R7 a device that was away gets what it missed, and a new one everything', async () => {
    const first = await connect('ada')
    const [id, other] = [uuid(), uuid()]
    await confirmed(first, first.push('projects.insert', project(id, 'ada', 'Before')))
    first.close()
    await database.query(`update projects set title = 'While away' where id = $1::text::uuid`, [id])
    await database.query(`insert into projects (id, owner_id, title) values ($1::text::uuid, 'ada', 'New while away')`, [other])
    const back = openWire({ url: server.url, user: 'ada', id: first.id, keys, from: first })
    await back.until(() => back.messages.some((message) => message.type === 'checkpoint'), 'the catch-up')
    expect(back.messages[0]).toMatchObject({ type: 'welcome', resumed: true, reason: '' })
    const fresh = await connect('ada')
    expect(fresh.messages[0]).toMatchObject({ type: 'welcome', resumed: false, reason: 'new' })
    for (const device of [back, fresh]) expect(titlesOf(device)).toEqual(expect.arrayContaining(['While away', 'New while away']))
  })

  test('W5 an outcome whose checkpoint was lost is told again on return', async () => {
    const device = await connect('ada')
    const number = device.push('projects.insert', project(uuid(), 'ada', 'Answered'))
    await confirmed(device, number)
    const back = openWire({ url: server.url, user: 'ada', id: device.id, keys, from: { ...device, outcomes: new Map(), cursor: device.cursor } })
    await back.until(() => back.outcomes.has(number), 'the outcome')
    expect(back.outcomes.get(number)).toMatchObject({ type: 'applied' })
  })

  test('R9 every value comes back as it was', async () => {
    const device = await connect('ada')
    const id = uuid()
    const row: Record<string, Json> = {
      id,
      ownerId: 'ada',
      text: 'ünïcödé 😀 \u2028 "quoted" \\ back',
      integer: -2_147_483_648,
      bigint: '9223372036854775807',
      numeric: '12345678901234567890.123456789000',
      float: 'NaN',
      boolean: false,
      json: { a: [1, 'two', null, { deep: true }], '': 'empty key' },
      timestamp: '2026-11-21T03:43:43.123456Z',
      date: '0001-01-01',
      bytes: 'AP8Q',
      uuid: uuid(),
      enumeration: 'b',
      texts: ['a,b', '"c"', '', 'null', '{}'],
      bigints: ['-9223372036854775808', '0'],
      timestamps: ['1999-12-31T23:59:59.999999Z', 'infinity'],
      floats: ['-Infinity', '-0', 1e-300],
      blobs: ['AA==', ''],
      reference: null,
    }
    expect(await confirmed(device, device.push('samples.insert', { row }))).toMatchObject({ type: 'applied' })
    const live = () => device.rows('samples').find((one) => one.id === id)
    expect(live()).toEqual(row)
    const loaded = await connect('ada')
    expect(loaded.rows('samples').find((one) => one.id === id)).toEqual(row)
    for (const float of ['-0', 'Infinity', 0.1 + 0.2, 5e-324, 1.7976931348623157e308] as const) {
      await confirmed(device, device.push('samples.update', { row: { id, float } }))
      expect(live()?.float).toBe(float)
    }
  })

  test('F5 what is malformed closes the connection with a clear error, changes nothing, and disturbs nobody', async () => {
    const bystander = await connect('ada')
    const before = await database.query('select count(*)::int as n from projects')
    const id = uuid()
    const mutation = { number: 1, id: uuid(), name: 'projects.insert', args: project(id, 'ada', 'x'), at: 'x' }
    const corpus: readonly (string | Buffer)[] = [
      'garbage',
      '{"type":"push"',
      '[]',
      'null',
      '{"type":"hello"}',
      '{"type":"drop"}',
      '{"type":"__proto__"}',
      Buffer.from([1, 2, 3]),
      JSON.stringify({ type: 'push', mutations: [{ ...mutation, number: -1 }] }),
      JSON.stringify({ type: 'push', mutations: [{ ...mutation, number: 1.5 }] }),
      JSON.stringify({ type: 'push', mutations: [{ ...mutation, args: 'a\u0000b' }] }),
      '{"type":"push","mutations":[{"number":1,"id":"x","name":"projects.insert","args":"\\ud800","at":"x"}]}',
      `{"type":"push","mutations":[{"number":1,"id":"x","name":"x","args":${'['.repeat(40)}${']'.repeat(40)},"at":"x"}]}`,
    ]
    for (const frame of corpus) {
      const device = await connect('ada')
      device.sendText(frame)
      await device.until(device.isClosed, `the close after ${String(frame).slice(0, 40)}`)
      expect(device.messages.at(-1)).toMatchObject({ type: 'failure', code: 'malformed', message: expect.any(String) })
    }
    const large = await connect('ada')
    large.sendText(`{"type":"push","mutations":[],"x":"${'x'.repeat(limits.upBytesMax)}"}`)
    await large.until(large.isClosed, 'the close after an oversized frame')
    expect(large.messages.at(-1)).toMatchObject({ type: 'failure', code: 'too-large', message: expect.stringContaining(String(limits.upBytesMax)) })
    const huge = await connect('ada')
    huge.sendText(`"${'x'.repeat(limits.upBytesMax * 6)}"`)
    await huge.until(huge.isClosed, 'the close after a huge frame')
    expect(await database.query('select count(*)::int as n from projects')).toEqual(before)
    const number = bystander.push('projects.insert', project(uuid(), 'ada', 'Undisturbed'))
    expect(await confirmed(bystander, number)).toMatchObject({ type: 'applied' })
  })

  test('a wrong version, a wrong person and nobody are told so', async () => {
    const greeted = async (user: string, over: Record<string, unknown>) => {
      const device = openWire({ url: server.url, user, keys })
      const { hello } = device
      device.hello = () => hello(over)
      await device.until(device.isClosed, 'the close')
      return device.messages.at(-1)
    }
    expect(await greeted('ada', { version: 99 })).toMatchObject({ type: 'failure', code: 'version', message: expect.stringContaining('99') })
    expect(await greeted('ada', { user: 'bob' })).toMatchObject({ type: 'failure', code: 'wrong-user' })
    expect(await greeted('ada', { nonce: 'stale', cursor: null })).toMatchObject({ type: 'failure', code: 'forked' })
  })

  test('a cursor that cannot be read, or is of another history, means: load again', async () => {
    const good = await connect('ada')
    const [database, , ...rest] = String(good.cursor()).split(' ')
    const [, , snapshot, since, count, sum] = String(good.cursor()).split(' ')
    const ahead = `${BigInt(String(snapshot).split(':')[1] ?? 0) + 1_000_000n}`
    const cases = [
      ['nonsense', 'unreadable'],
      ["1'; drop table projects; --", 'unreadable'],
      [[database, uuid(), ...rest].join(' '), 'history'],
      [[...String(good.cursor()).split(' ').slice(0, 2), `${ahead}:${ahead}:`, since, count, sum].join(' '), 'ahead'],
      [[...String(good.cursor()).split(' ').slice(0, 4), count, `${BigInt(sum ?? 0) + 1n}`].join(' '), 'fingerprint'],
      [[...String(good.cursor()).split(' ').slice(0, 3), '1:1:', count, sum].join(' '), 'pruned'],
    ] as const
    for (const [cursor, reason] of cases) {
      const device = openWire({ url: server.url, user: 'ada', keys })
      const { hello } = device
      device.hello = () => hello({ cursor: cursor as never })
      await device.until(() => device.messages.some((message) => message.type === 'checkpoint'), 'the load')
      expect(device.messages[0], cursor).toMatchObject({ type: 'welcome', resumed: false, reason })
      expect(device.rows('projects')).toHaveLength(good.rows('projects').length)
    }
  })
})
