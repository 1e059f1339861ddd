// `capture: 'keys'`: the log has a row's key, and devices get the row as its table has it in the snapshot of the step. The ways to write, and
// generated apps, are run with it in ways.test.ts and generated.test.ts.
import { type Down, decodeDown, HeadwaterError } from '@headwater/protocol'
import { type Database, migrate, sql } from '@headwater/server'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createMemoryDisks } from '../../packages/client/src/disk/memory.ts'
import { access, grants, schema, startServer, type TestServer } from '../harness/app.ts'
import { databases } from '../harness/databases.ts'
import { openDevice, untilLevel } from '../harness/device.ts'
import { lowerLimits } from '../harness/limits.ts'

const capture = { samples: 'keys', projects: 'keys' } as const

describe.each(databases)('keys in the log, on $name', ({ open }) => {
  let database: Database
  let server: TestServer
  let restoreLimits = () => {}
  const closing: (() => Promise<void> | void)[] = []

  beforeEach(async () => {
    const opened = await open()
    database = opened.database
    closing.push(opened.close)
  })
  afterEach(async () => {
    for (const close of closing.splice(0)) await close()
    restoreLimits()
    restoreLimits = () => {}
  })

  async function start(over: Parameters<typeof startServer>[1] = { capture }): Promise<void> {
    server = await startServer({ ...database, close: async () => {} }, over)
    const { close } = server
    closing.unshift(() => close())
  }
  async function watch(user: string, disks = createMemoryDisks()) {
    const messages: Down[] = []
    const device = openDevice({
      url: server.url,
      user,
      disks: { ...disks, open: () => disks.open('one') },
      onSocket: (socket) => socket.prependListener('message', (data) => messages.push(decodeDown(String(data)))),
    })
    closing.unshift(() => device.close())
    await untilLevel(device)
    return { device, messages, disks, close: () => device.close() }
  }
  type Watched = Awaited<ReturnType<typeof watch>>

  const insert = (count: number, text: string) =>
    `insert into samples (id, owner_id, "integer", text) select gen_random_uuid(), 'ada', i, ${text} from generate_series(1, ${count}) i`
  const shown = ({ device }: Watched) =>
    device.query.samples
      .all()
      .map(({ id, text }) => `${id} ${text}`)
      .sort()
  const stored = async () =>
    (await database.query(`select id::text || ' ' || coalesce(text, 'null') as line from samples where owner_id = 'ada'`))
      .map(({ line }) => String(line))
      .sort()
  const untilEqual = async (watched: Watched) => {
    const wanted = await stored()
    await expect.poll(() => shown(watched), { timeout: 60_000, interval: 20 }).toEqual(wanted)
    expect(await watched.device.verify()).toEqual([])
  }

  test('no value is in the log but those by which grants find people, and every device gets the rows', async () => {
    await start()
    const ada = await watch('ada')
    await database.execute(insert(3, `'first ' || i`))
    await database.execute(`update samples set text = 'second' where "integer" < 3; delete from samples where "integer" = 1`)
    await ada.device.mutate.samples.insert({ id: crypto.randomUUID(), ownerId: 'ada', text: 'by a device' }).confirmed
    await untilEqual(ada)
    const rows = await database.query(
      `select op::text as op, old::text as old, new::text as new, by_key from headwater.log where table_name = 'samples' order by seq`,
    )
    expect(rows.map(({ op, old, new: now, by_key }) => [op, old, now, by_key])).toEqual([
      ...[1, 2, 3].map(() => ['i', null, '{"owner_id":"ada"}', true]),
      ...[1, 2].map(() => ['u', '{"text":null}', '{"owner_id":"ada"}', true]),
      ['d', '{"owner_id":"ada"}', null, false],
      ['i', null, '{"owner_id":"ada"}', true],
    ])
  })

  test('R7 from rows to keys and back, by a start and by migrate: nothing is loaded again, and who was away is told out of a log of both', {
    timeout: 60_000,
  }, async () => {
    await start({})
    await database.execute(insert(3, `'first ' || i`))
    const here = await watch('ada')
    await untilEqual(here)
    await here.close()
    await database.execute(`update samples set text = 'rows' where "integer" = 1; ${insert(2, `'rows ' || i`)}`)
    await server.close()
    await start()
    await database.execute(`update samples set text = 'keys' where "integer" = 2; delete from samples where "integer" = 3; ${insert(1, `'keys ' || i`)}`)
    await server.close()
    expect(await migrate(database, { schema, access, grants })).toMatchObject({ loadedAgain: [] })
    await database.execute(`update samples set text = text || ', and rows again'`)
    await start({ log: { recentBytes: 0 } })
    const back = await watch('ada', here.disks)
    await untilEqual(back)
    expect(back.messages.filter(({ type }) => type === 'load')).toEqual([])
    const kinds = await database.query(`select distinct by_key from headwater.log where table_name = 'samples'`)
    expect(kinds).toHaveLength(2)
  })

  test('F10 rows that are more than memory should hold, where their keys are not: whole on arrival, for who is there and who was away', {
    timeout: 120_000,
  }, async () => {
    restoreLimits = lowerLimits({ stepBytesMax: 400_000, toldBytesMax: 200_000 })
    await start()
    const [here, gone] = [await watch('ada'), await watch('ada')]
    await gone.close()
    const counts = new Set<number>()
    const live = here.device.query.samples.live()
    live.subscribe(() => void counts.add(live.result().rows.length))
    await database.execute(insert(60, `repeat('w', 10000) || i`))
    await untilEqual(here)
    expect([...counts]).toEqual([60])
    await untilEqual(await watch('ada', gone.disks))
    // It was too much in all, and is little for each: told row by row.
    const before = here.messages.filter(({ type }) => type === 'load').length
    await database.execute(`update samples set text = 'little' where "integer" <= 10`)
    await untilEqual(here)
    expect(here.messages.filter(({ type }) => type === 'load')).toHaveLength(before)
  })

  test('S1 a change of what a person may not see sends nothing, and a row that leaves takes its values with it', async () => {
    await start()
    const [ada, bob] = [await watch('ada'), await watch('bob')]
    await database.execute(insert(1, `'of ada'`))
    await untilEqual(ada)
    await database.execute(`update samples set text = 'of bob now', owner_id = 'bob'`)
    await expect.poll(() => bob.device.query.samples.all().map(({ text }) => text), { timeout: 20_000 }).toEqual(['of bob now'])
    await untilEqual(ada)
    expect(JSON.stringify(ada.messages)).not.toContain('of bob now')
    const before = ada.messages.length
    await database.execute(`update samples set text = 'still of bob'`)
    await expect.poll(() => bob.device.query.samples.all().map(({ text }) => text), { timeout: 20_000 }).toEqual(['still of bob'])
    expect(ada.messages.slice(before).filter((message) => JSON.stringify(message).includes('samples'))).toEqual([])
  })

  test('grants that read such a table follow it: who is given a project gets it, and who loses it does not keep it', async () => {
    await start({ capture, grants: { ...grants, project: sql`select owner_id as "user", id as key, 'owner' as role from projects` } })
    const bob = await watch('bob')
    await database.execute(`insert into projects (id, owner_id, title) values (gen_random_uuid(), 'ada', 'a gift')`)
    await database.execute(`update projects set owner_id = 'bob'`)
    await expect.poll(() => bob.device.query.projects.all().map(({ title }) => title), { timeout: 20_000 }).toEqual(['a gift'])
    await database.execute(`update projects set owner_id = 'eve'`)
    await expect.poll(() => bob.device.query.projects.all(), { timeout: 20_000 }).toEqual([])
  })

  test('what is no table of the schema cannot be captured so', async () => {
    // As a program without types would give it.
    const wrong = { sample: 'keys' } as unknown as typeof capture
    const failure = await startServer({ ...database, close: async () => {} }, { capture: wrong }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(HeadwaterError)
    expect(failure).toMatchObject({ code: 'schema' })
  })
})
