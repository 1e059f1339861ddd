// What becomes of a mutation: which failures refuse it, which are tried again, and what a number, a discard and a copy mean.
import { randomUUID as uuid } from 'node:crypto'
import { type Json, mutationId } from '@headwater/protocol'
import type { Database } from '@headwater/server'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { limits } from '../../packages/server/src/limits.ts'
import { keys, startServer, type TestServer } from '../harness/app.ts'
import { databases } from '../harness/databases.ts'
import { lowerLimits } from '../harness/limits.ts'
import { connectWire, openWire, type WireDevice } from '../harness/wire-device.ts'

/** Waits in the server are a twentieth of what they are. */
const clock = {
  now: () => Date.now(),
  timer: (afterMs: number, run: () => void) => {
    const timer = setTimeout(run, afterMs / 20)
    return () => clearTimeout(timer)
  },
}

describe.each(databases)('mutations on $name', ({ open }) => {
  let database: Database
  let server: TestServer
  let close: () => Promise<void>
  const troubles: unknown[] = []

  beforeAll(async () => {
    const opened = await open()
    database = opened.database
    server = await startServer(database, { ports: { clock }, onTrouble: (error) => troubles.push(error) })
    close = async () => {
      await server.close()
      await opened.close()
    }
    // A project called `raise <sqlstate> <times>` fails so often. A sequence counts, which no rollback takes back.
    await database.execute(`create sequence tries;
      create function raise_it() returns trigger language plpgsql as $$
      begin
        if new.title like 'raise %' and nextval('tries') <= split_part(new.title, ' ', 3)::int then
          raise exception using errcode = split_part(new.title, ' ', 2), message = 'the secret of a row';
        end if;
        return new;
      end $$;
      create trigger raise_it before insert on projects for each row execute function raise_it()`)
  })
  afterAll(() => close())

  const connect = (user: string, from?: WireDevice) => connectWire({ url: server.url, user, keys, ...(from && { from, id: from.id }) })
  const project = (id: string, title: string): Json => ({ row: { id, ownerId: 'ada', title } })
  const outcomeOf = async (device: WireDevice, number: number) => {
    await device.until(() => device.outcomes.has(number), `the outcome of ${number}`)
    return device.outcomes.get(number)
  }
  const titleOf = async (id: string) => (await database.query('select title from projects where id = $1::text::uuid', [id]))[0]?.title
  const tries = async () => Number((await database.query(`select case when is_called then last_value else 0 end::text as n from tries`))[0]?.n)

  test('a mutation that writes more rows than one may is refused as a whole; one that writes as many goes through', async () => {
    const restore = lowerLimits({ mutationWritesMax: 3 })
    const device = await connect('ada')
    const [small, large] = [uuid(), uuid()]
    const fits = device.push('createProject', { id: small, title: 'fits', lines: ['a', 'b'] })
    expect(await outcomeOf(device, fits)).toMatchObject({ type: 'applied' })
    const tooMany = device.push('createProject', { id: large, title: 'does not', lines: ['a', 'b', 'c'] })
    expect(await outcomeOf(device, tooMany)).toMatchObject({ type: 'refused', code: 'too-large', reason: 'It writes more than 3 rows.' })
    expect([await titleOf(small), await titleOf(large)]).toEqual(['fits', undefined])
    device.close()
    restore()
  })

  const always = 1_000
  test.each<[sqlstate: string, times: number, outcome: string, tries: number]>([
    ['23505', always, 'unique', 1],
    ['23503', always, 'reference', 1],
    ['23502', always, 'required', 1],
    ['23514', always, 'check', 1],
    ['23P01', always, 'check', 1],
    ['23000', always, 'invalid', 1],
    ['22001', always, 'invalid', 1],
    ['22P02', always, 'invalid', 1],
    ['40001', 5, 'applied', 6],
    ['40P01', 5, 'applied', 6],
    ['40002', 5, 'applied', 6],
    ['53100', 4, 'applied', 5],
    ['53300', 4, 'applied', 5],
    ['55P03', 4, 'applied', 5],
    ['57P03', 4, 'applied', 5],
    ['58030', 4, 'applied', 5],
    ['25006', 4, 'applied', 5],
    ['08006', 4, 'applied', 5],
    // A statement timeout, an exception of the app's own SQL, and a bug: so many tries, then refused.
    ['57014', 2, 'applied', 3],
    ['57014', always, 'failed', limits.failureRetriesMax],
    ['P0001', always, 'failed', limits.failureRetriesMax],
    ['XX000', 2, 'applied', 3],
    ['XX000', always, 'failed', limits.failureRetriesMax],
  ])('HC21 %s, %i times: %s after %i tries', async (sqlstate, times, outcome, expected) => {
    await database.query(`select setval('tries', 1, false)::text`)
    const device = await connect('ada')
    const id = uuid()
    const answer = await outcomeOf(device, device.push('projects.insert', project(id, `raise ${sqlstate} ${times}`)))
    if (outcome === 'applied') expect(answer).toMatchObject({ type: 'applied' })
    else expect(answer).toMatchObject({ type: 'refused', code: outcome, reason: expect.not.stringContaining('secret') })
    expect(await tries()).toBe(expected)
    expect(await titleOf(id)).toBe(outcome === 'applied' ? `raise ${sqlstate} ${times}` : undefined)
    // It blocks nothing behind it.
    expect(await outcomeOf(device, device.push('projects.insert', project(uuid(), 'behind')))).toMatchObject({ type: 'applied' })
    device.close()
  })

  test.each<[string, string, Json]>([
    ['mutator', 'dropEverything', { a: 1 }],
    ['verb', 'projects.truncate', { row: { id: uuid() } }],
    ['column', 'projects.insert', { row: { id: uuid(), ownerId: 'ada', title: 'x', 'title" = 1; --': 1 } }],
  ])('HC21 an unknown %s waits on the device for a server that knows it, so many times, and is then refused', async (_, name, args) => {
    let device = await connect('ada')
    const number = device.push(name, args)
    const id = mutationId(uuid())
    let connections = 1
    for (;;) {
      await device.until(() => device.isClosed() || device.outcomes.has(number), 'the end')
      if (device.outcomes.has(number)) break
      expect(device.messages.at(-1)).toMatchObject({ type: 'failure', code: 'unavailable', message: expect.stringContaining(name) })
      device = await connect('ada', device)
      connections++
      device.push(name, args, { number, id })
    }
    expect(device.outcomes.get(number)).toMatchObject({ type: 'refused', code: 'unknown-mutator' })
    expect(connections).toBe(limits.unknownTriesMax)
    expect(await outcomeOf(device, device.push('projects.insert', project(uuid(), 'behind'), { number: number + 1 }))).toMatchObject({ type: 'applied' })
  })

  test('HC20 a void takes its number, does nothing, and is told as refused; what is behind it goes on', async () => {
    const device = await connect('ada')
    const number = device.push('void', null)
    expect(await outcomeOf(device, number)).toMatchObject({ type: 'refused', code: 'void' })
    expect(await outcomeOf(device, device.push('projects.insert', project(uuid(), 'behind')))).toMatchObject({ type: 'applied' })
  })

  test('HC20 a void that comes too late changes nothing: what was carried out stands, and nobody is called a copy', async () => {
    const device = await connect('ada')
    const [id, mutation] = [uuid(), mutationId(uuid())]
    const number = device.push('projects.insert', project(id, 'Done'), { id: mutation })
    await outcomeOf(device, number)
    const incidents = async () => (await database.query('select count(*)::int as n from headwater.incidents'))[0]?.n
    const before = await incidents()
    device.close()
    const back = await connect('ada', device)
    back.push('void', null, { number, id: mutation })
    expect(await outcomeOf(back, back.push('projects.insert', project(uuid(), 'behind'), { number: number + 1 }))).toMatchObject({ type: 'applied' })
    expect(back.outcomes.get(number)).toMatchObject({ type: 'applied' })
    // The other way round: what was sent before it was discarded arrives after the void.
    back.push('void', null, { number: number + 2, id: mutationId(uuid()) })
    await outcomeOf(back, number + 2)
    expect(await titleOf(id)).toBe('Done')
    expect(await incidents()).toBe(before)
  })

  test('W8 the same number with another payload is an error, is recorded, and changes nothing', async () => {
    const device = await connect('ada')
    const id = uuid()
    const number = device.push('projects.insert', project(id, 'First'))
    await outcomeOf(device, number)
    device.push('projects.update', { row: { id, title: 'Another' } }, { number })
    await device.until(device.isClosed, 'the close')
    expect(device.messages.at(-1)).toMatchObject({ type: 'failure', code: 'forked' })
    expect(await titleOf(id)).toBe('First')
    expect(await database.query('select kind, detail from headwater.incidents where device = $1', [device.id])).toEqual([
      { kind: 'mismatch', detail: expect.stringContaining(`number ${number}`) },
    ])
  })

  test('HC25 a copied store: the one that greets second is told so, and as another device its mutations are carried out exactly once', async () => {
    const first = await connect('ada')
    const [id, mutation] = [uuid(), mutationId(uuid())]
    await outcomeOf(first, first.push('projects.insert', project(id, 'Once'), { id: mutation }))
    const nonces = first.messages.flatMap((message) => (message.type === 'welcome' ? [message.nonce] : []))
    // Two greetings of the original, so that the copy's nonce is older than the one before.
    const second = await connect('ada', first)
    const third = await connect('ada', second)
    third.close()
    const copy = openWire({ url: server.url, user: 'ada', keys, id: first.id })
    const { hello } = copy
    copy.hello = () => hello({ nonce: nonces[0] ?? null, cursor: null })
    await copy.until(copy.isClosed, 'the close')
    expect(copy.messages.at(-1)).toMatchObject({ type: 'failure', code: 'forked' })
    const renamed = await connect('ada')
    expect(await outcomeOf(renamed, renamed.push('projects.insert', project(id, 'Once'), { id: mutation }))).toMatchObject({ type: 'applied' })
    expect(await database.query('select count(*)::int as n from projects where id = $1::text::uuid', [id])).toEqual([{ n: 1 }])
  })

  test('W11 transactions on the same row, of many devices at once, lose no update', async () => {
    const devices = await Promise.all(Array.from({ length: 6 }, () => connect('ada')))
    const id = uuid()
    const [first] = devices
    if (first) await outcomeOf(first, first.push('projects.insert', project(id, 'Visited')))
    const each = 15
    const outcomes = await Promise.all(
      devices.map(async (device) => {
        let last = 0
        for (let n = 0; n < each; n++) last = device.push('visit', { id })
        await outcomeOf(device, last)
        return [...device.outcomes.values()].filter(({ type }) => type === 'applied').length
      }),
    )
    expect(outcomes.reduce((sum, n) => sum + n, 0)).toBe(devices.length * each + 1)
    expect(await database.query('select visits from projects where id = $1::text::uuid', [id])).toEqual([{ visits: devices.length * each }])
    for (const device of devices) device.close()
  })
})
