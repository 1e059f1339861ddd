// Random apps, random grants, random changes, many devices: after every checkpoint each device holds exactly what SQL at that
// snapshot says, and nothing else was ever sent. `SEEDS=100 npx vitest run --project pg test/pg/generated.test.ts` runs more.
import { createServer, type Database } from '@headwater/server'
import { describe, expect, test } from 'vitest'
import { databases } from '../harness/databases.ts'
import { generateApp, people } from '../harness/generated/app.ts'
import { watchDevice } from '../harness/generated/device.ts'
import { judgeFrames, judgeLast, judgeMoments } from '../harness/generated/judge.ts'
import { holdingsOf } from '../harness/generated/oracle.ts'
import { readApplied, readPast, recordPast } from '../harness/generated/past.ts'
import { createRandom } from '../harness/generated/random.ts'
import { judgeMutations } from '../harness/generated/rules.ts'
import { withSlowTail } from '../harness/generated/slow.ts'
import { createWork } from '../harness/generated/work.ts'
import { lowerLimits } from '../harness/limits.ts'

const seeds = Array.from({ length: Number(process.env.SEEDS ?? 4) }, (_, i) => Number(process.env.SEED ?? 1) + i)
const steps = 120

describe.each(databases)('what a device holds, on $name', ({ open }) => {
  test.each(seeds)(
    'R3 R4 S1 S2 S3 S5 S6: seed %i, at every checkpoint exactly what SQL says of its scopes, and no byte of anything else',
    { timeout: 60_000 },
    async (seed) => {
      const opened = await open()
      // Every other run is so short of memory that most batches are more than it holds, and most of what is missed more than is told.
      const shortOfMemory = { stepRowsFirst: 2, stepRowsMax: 4, toldRowsMax: 3 }
      // And in every other of these, whoever was away for more than a moment loads again.
      const restoreLimits = seed % 2 === 0 ? lowerLimits(seed % 4 === 0 ? { ...shortOfMemory, behindRowsMin: 8 } : shortOfMemory) : () => {}
      try {
        await run(opened.database, opened.url, seed)
      } finally {
        restoreLimits()
        await opened.close()
      }
    },
  )
})

async function run(database: Database, url: string | null, seed: number): Promise<void> {
  const random = createRandom(seed)
  const app = generateApp(random)
  await database.execute('create table people (id text primary key)')
  // Drawn apart: what else a seed draws stays as it was.
  const drawn = createRandom(seed * 7_919)
  const capture = Object.fromEntries(Object.keys(app.schema.definitions).flatMap((name) => (drawn.is(0.5) ? [[name, 'keys' as const]] : [])))
  const options = { ...app, capture, authenticate: ({ headers }: { readonly headers: Headers }) => headers.get('x-user') }
  // One tells devices what they missed from memory where it can, the other reads the log for each.
  const fromMemory = {}
  const fromLog = { recentBytes: 0 }
  const first = await createServer({
    ...options,
    log: url === null && seed % 2 === 0 ? fromLog : fromMemory,
    database: withSlowTail(database, createRandom(-seed)),
  })
  const second = url === null ? first : await createServer({ ...options, log: fromLog, database: url })
  await recordPast(database, app.schema)
  for (const person of people) await database.query('insert into people (id) values ($1)', [person])
  const addresses = [await first.listen({ port: 0 }), ...(second === first ? [] : [await second.listen({ port: 0 })])]
  const devices = [...people, ...people.slice(0, 2)].map((person, i) =>
    watchDevice({ schema: app.schema, url: addresses[i % addresses.length]?.url ?? '', person }),
  )
  try {
    const work = createWork(app, database, devices, random)
    for (let i = 0; i < steps; i++) await work.step()
    const settled = () => devices.every((device) => device.client().status.get().phase === 'live' && device.client().status.get().pending === 0)
    await expect.poll(settled, { timeout: 15_000, interval: 20 }).toBe(true)
    const past = await readPast(database, app.schema)
    const holdings = await holdingsOf(database, past, app.grants)
    for (const device of devices)
      await expect.poll(() => judgeLast(app, past, holdings, device), { timeout: 10_000, interval: 20, message: `seed ${seed}` }).toEqual([])
    // R10: and by its own checksums, too.
    for (const device of devices) expect(await device.client().verify(), `seed ${seed}`).toEqual([])
    const found = devices.flatMap((device) => [...judgeMoments(app, past, holdings, device), ...judgeFrames(app, past, holdings, device)])
    found.push(...judgeMutations(app, past, holdings, work.made, await readApplied(database)))
    expect(found, `seed ${seed}`).toEqual([])
    expect(past.states.length).toBeGreaterThan(steps / 6)
  } finally {
    await Promise.all(devices.map((device) => device.close()))
    if (second !== first) await second.close()
    await first.close()
  }
}
