// One transaction that inserts, updates or deletes a whole scope of 100,000 rows (HEADWATER_BENCH_ROWS says another number) beside a device of somebody else, to
// whom a row is written every 2 ms. Until the device that holds the scope shows it, as of the commit; how late the other one is meanwhile; and what server
// and device have taken of memory at their highest. And what capture costs the SQL client who writes.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type postgres from 'postgres'
import { type BenchClient, itemId } from '../app.ts'
import { type Bed, withDatabase } from '../database.ts'
import { openDevice } from '../device.ts'
import { type Figure, median } from '../figure.ts'
import { fillSql } from '../server-app.ts'
import { answerOf } from '../server-process.ts'
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
    const ada = await startHolder(server.url)
    const other = openDevice({ url: server.url, user: neighbour })
    await untilLive(other)
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
    figures.push({
      name: 'device memory at its highest, a whole scope changed',
      unit: 'MB',
      value: Number(await ada.ask('peakBytes')) / bytesPerMb,
      limit: raw,
    })
    await Promise.all([ada.stop(), other.close()])
    figures.push(...(await captureCost(bed)))
    return figures
  })

interface Holder {
  /** Of a statement's name: resolves when the device shows what it has made. */
  ask(question: Verb | 'peakBytes'): Promise<unknown>
  stop(): Promise<void>
}

/** The device that holds the scope. */
async function startHolder(url: string): Promise<Holder> {
  const child = fork(fileURLToPath(new URL('./holder-main.mjs', import.meta.url)), [url, String(rows)], { stdio: ['ignore', 2, 2, 'ipc'] })
  await answerOf(child, 'live')
  return {
    ask: (question) => {
      const answer = answerOf(child, question)
      child.send(question)
      return answer
    },
    stop: async () => {
      const ended = once(child, 'exit')
      child.send('stop')
      await ended
    },
  }
}

/** How long the statement ran, and how long after its commit the device showed all of it. */
async function arrival(bed: Bed, device: Holder, verb: Verb): Promise<{ readonly ranMs: number; readonly arrivedMs: number }> {
  const shown = device.ask(verb).then(() => performance.now())
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
    // So often that some of them are read in the step that has the large transaction.
    await pause(2)
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
