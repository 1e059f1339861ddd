// Rows that are larger than any device could take: refused where a mutation makes one; made by others, withheld and named, and everything else flows.
import type { Database } from '@headwater/server'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createMemoryDisks } from '../../packages/client/src/disk/memory.ts'
import { createWithheld } from '../../packages/server/src/feed/withheld.ts'
import { schema, startServer, type TestServer } from '../harness/app.ts'
import { databases } from '../harness/databases.ts'
import { type Device, openDevice, untilLevel } from '../harness/device.ts'
import { lowerLimits } from '../harness/limits.ts'

// With the limit of production it is the same at 15 MB, and takes longer.
lowerLimits({ rowBytesMax: 20_000 })
const captures = databases.flatMap((one) => (['rows', 'keys'] as const).map((kind) => ({ ...one, kind })))

describe.each(captures)('rows that are too large, on $name, $kind in the log', ({ open, kind }) => {
  let database: Database
  let server: TestServer
  let troubles: string[]
  const closing: (() => Promise<void> | void)[] = []

  beforeEach(async () => {
    const opened = await open()
    database = opened.database
    closing.push(opened.close)
    troubles = []
    server = await startServer(database, {
      capture: kind === 'keys' ? { samples: 'keys' } : {},
      onTrouble: (error) => void troubles.push(String(error)),
      // In the place of what the device does: so it is the database that has to say no.
      serverMutators: { createProject: async (tx, { id, title }) => tx.samples.update({ id, text: 'x'.repeat(Number(title)) }) },
    })
    const { close } = server
    closing.unshift(() => close())
  })
  afterEach(async () => {
    for (const close of closing.splice(0)) await close()
  })

  async function watch(disks = createMemoryDisks()): Promise<Device> {
    const device = openDevice({ url: server.url, user: 'ada', disks: { ...disks, open: () => disks.open('one') } })
    closing.unshift(() => device.close())
    await untilLevel(device)
    return device
  }
  const lengths = (device: Device) =>
    device.query.samples
      .orderBy('integer')
      .all()
      .map(({ integer, text }) => [integer, text?.length])
  const insert = (n: number, size: number) =>
    `insert into samples (id, owner_id, "integer", text) values (gen_random_uuid(), 'ada', ${n}, repeat('x', ${size}));`
  const until = (device: Device, wanted: readonly (readonly number[])[]) =>
    expect.poll(() => lengths(device), { timeout: 30_000, interval: 20 }).toEqual(wanted)
  const withheld = async () => (await server.status()).withheld
  async function look(): Promise<void> {
    const beside = createWithheld({ database, schema, clock: { now: () => 0, timer: () => () => {} }, onTrouble: () => {} })
    await beside.look()
    await beside.stop()
  }

  test('everything else of the same transaction flows, to who is there, who comes and who was away; status names table and key', {
    timeout: 60_000,
  }, async () => {
    const [here, disks] = [await watch(), createMemoryDisks()]
    const away = await watch(disks)
    await away.close()
    await database.execute(`${insert(1, 10)} ${insert(2, 30_000)} ${insert(3, 19_000)}`)
    await until(here, [
      [1, 10],
      [3, 19_000],
    ])
    await until(await watch(), [
      [1, 10],
      [3, 19_000],
    ])
    await until(await watch(disks), [
      [1, 10],
      [3, 19_000],
    ])
    expect(await here.verify()).toEqual([])
    const [row] = await database.query(`select '["' || id || '"]' as key from samples where "integer" = 2`)
    await expect.poll(withheld, { timeout: 30_000 }).toEqual([{ table: 'samples', key: row?.key, bytes: expect.any(Number) }])
    expect(troubles.filter((trouble) => trouble.includes('reaches no device'))).toHaveLength(1)
    expect(troubles.filter((trouble) => !trouble.includes('reaches no device'))).toEqual([])
  })

  test('a row that grows leaves, one that shrinks comes back, and what is named has gone from status', { timeout: 60_000 }, async () => {
    await database.execute(insert(1, 10))
    const here = await watch()
    await until(here, [[1, 10]])
    await database.execute(`update samples set text = repeat('y', 50000)`)
    await until(here, [])
    expect(await here.verify()).toEqual([])
    await expect.poll(async () => (await withheld()).length, { timeout: 30_000 }).toBe(1)
    await look()
    expect(await withheld()).toHaveLength(1)
    await database.execute(`update samples set text = 'short'`)
    await until(here, [[1, 5]])
    await look()
    expect(await withheld()).toEqual([])
    await database.execute(`update samples set text = repeat('z', 40000); delete from samples; ${insert(2, 7)}`)
    await until(here, [[2, 7]])
    await look()
    expect(await withheld()).toEqual([])
  })

  test('a mutation that would make one is refused as too-large, and nothing of it stays', { timeout: 60_000 }, async () => {
    await database.execute(insert(1, 10))
    const here = await watch()
    const id = here.query.samples.all()[0]?.id ?? ''
    const swell = (size: number) => here.mutate.createProject({ id, title: String(size), lines: [] }).confirmed
    expect(await swell(30_000)).toMatchObject({ type: 'refused', code: 'too-large' })
    expect(await here.mutate.samples.update({ id, text: 'x'.repeat(25_000) }).confirmed).toMatchObject({ type: 'refused', code: 'too-large' })
    await until(here, [[1, 10]])
    expect(await swell(100)).toMatchObject({ type: 'applied' })
    await until(here, [[1, 100]])
    expect(await withheld()).toEqual([])
  })
})
