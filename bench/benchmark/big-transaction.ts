// One transaction that inserts, updates or deletes a whole scope of 100,000 rows (HEADWATER_BENCH_ROWS says another number) beside a device of somebody else, to
// whom a row is written every 50 ms. Until the device that holds the scope shows it, as of the commit; how late the other one is meanwhile; and what server
// and device have taken of memory at their highest. And what capture costs the SQL client who writes.
import { resourceUsage } from 'node:process'
import type postgres from 'postgres'
import { type BenchClient, itemId } from '../app.ts'
import { type Bed, withDatabase } from '../database.ts'
import { openDevice } from '../device.ts'
import { type Figure, median } from '../figure.ts'
import { fillSql } from '../server-app.ts'
import { pause, until, untilLive } from '../wait.ts'

const rows = Number(process.env.HEADWATER_BENCH_ROWS ?? 100_000)
const bytesPerMb = 1_048_576
/** As a row travels. */
const rowBytes = 320
const neighbour = 'person-1'
const firstOfNeighbour = 5_000_000

const statements = {
  insert: fillSql(rows),
  update: `update items set title = 'Changed' where owner_id = 'ada'`,
  delete: `delete from items where owner_id = 'ada'`,
}
type Verb = keyof typeof statements

export const bigTransaction = (): Promise<readonly Figure[]> =>
  withDatabase(async (bed) => {
    const server = await bed.startServer()
    const [ada, other] = [openDevice({ url: server.url }), openDevice({ url: server.url, user: neighbour })]
    await Promise.all([untilLive(ada), untilLive(other)])
    const figures: Figure[] = []
    for (const verb of ['insert', 'update', 'delete'] as const) {
      let times = { ranMs: 0, arrivedMs: 0 }
      const late = await lagWhile(bed, other, async () => {
        times = await arrival(bed, ada, verb)
      })
      figures.push({ name: `${verb} of a whole scope committed to shown`, unit: 'ms', value: times.arrivedMs, limit: times.ranMs })
      figures.push({ name: `the latest of another device's rows during the ${verb}`, unit: 'ms', value: Math.max(...late), limit: times.ranMs })
    }
    const raw = (rows * rowBytes) / bytesPerMb
    figures.push({ name: 'server memory at its highest, a whole scope changed', unit: 'MB', value: (await server.peakBytes()) / bytesPerMb, limit: raw })
    figures.push({ name: 'device memory at its highest, a whole scope changed', unit: 'MB', value: (resourceUsage().maxRSS * 1_024) / bytesPerMb, limit: raw })
    figures.push(...(await captureCost(bed)))
    await Promise.all([ada.close(), other.close()])
    return figures
  })

/** How long the statement ran, and how long after its commit the device showed all of it. */
async function arrival(bed: Bed, device: BenchClient, verb: Verb): Promise<{ readonly ranMs: number; readonly arrivedMs: number }> {
  const live = device.query.items.where({ status: 'open' }).live()
  const isThere = () => {
    const { rows: shown } = live.result()
    return verb === 'delete' ? shown.length === 0 : shown.length === rows && (verb === 'insert' || shown[0]?.title === 'Changed')
  }
  const shown = until(live, isThere).then(() => performance.now())
  const sql = bed.connect()
  const start = performance.now()
  await sql.unsafe(statements[verb])
  const committed = performance.now()
  await sql.end()
  return { ranMs: committed - start, arrivedMs: (await shown) - committed }
}

let written = 0

/** How long after its commit each row of the other device is shown that is written while `work` runs, in milliseconds. */
async function lagWhile(bed: Bed, device: BenchClient, work: () => Promise<void>): Promise<readonly number[]> {
  const sql = bed.connect()
  const lags: number[] = []
  const all: Promise<void>[] = []
  let isDone = false
  const done = work().finally(() => {
    isDone = true
  })
  while (!isDone) {
    const number = firstOfNeighbour + ++written
    const live = device.query.items.where({ id: itemId(number) }).live()
    await sql.unsafe(fillSql(1, neighbour, number))
    const committed = performance.now()
    all.push(
      until(live, () => live.result().rows.length === 1).then(() => {
        lags.push(performance.now() - committed)
      }),
    )
    await pause(50)
  }
  await done
  await Promise.all(all)
  await sql.end()
  return lags
}

/** The same statements on a table without our triggers, in turns. */
async function captureCost(bed: Bed): Promise<readonly Figure[]> {
  const sql = bed.connect()
  await sql.unsafe('create table bare_items (like items including all)')
  const bare = (text: string) => text.replaceAll(/\bitems\b/g, 'bare_items')
  const bulk = fillSql(20_000, 'bulk', 6_000_000)
  const [timesOfBulk, limitsOfBulk, timesOfOne, limitsOfOne]: [number[], number[], number[], number[]] = [[], [], [], []]
  for (let round = 0; round < 3; round++) {
    timesOfBulk.push(await timeOf(sql, bulk))
    limitsOfBulk.push(await timeOf(sql, bare(bulk)))
    for (let i = 0; i < 100; i++) {
      const one = `update items set rank = rank + 1 where id = '${itemId(6_000_000 + i)}'`
      timesOfOne.push(await timeOf(sql, one))
      limitsOfOne.push(await timeOf(sql, bare(one)))
    }
    await sql.unsafe(`delete from items where owner_id = 'bulk'; delete from bare_items`)
  }
  await sql.end()
  return [
    { name: 'insert of 20,000 rows by SQL, captured', unit: 'ms', value: median(timesOfBulk), limit: median(limitsOfBulk) },
    { name: 'update of one row by SQL, captured', unit: 'ms', value: median(timesOfOne), limit: median(limitsOfOne) },
  ]
}

async function timeOf(sql: ReturnType<typeof postgres>, text: string): Promise<number> {
  const start = performance.now()
  await sql.unsafe(text)
  return performance.now() - start
}
