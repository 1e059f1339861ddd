// What a live query costs on a device that holds many rows: to set one up, and to hear of a change that this device made. The limits
// are the same rows filtered, sorted by the plainest comparison and cut, as one would write it by hand, and the least that a change can cost: a row in a map and in a sorted array.
import { eq, gt } from '@headwater/schema'
import { type BenchClient, type Item, itemId, itemOf } from '../app.ts'
import { withDatabase } from '../database.ts'
import { openDevice } from '../device.ts'
import { type Figure, latencies, median, timed } from '../figure.ts'
import { fillSql } from '../server-app.ts'
import { pause, untilLive } from '../wait.ts'

const many = 100_000
const few = 1_000
const fewOwner = 'person-0'
const setUps = 15
const warmUps = 50
const rounds = 400

export const liveQuery = (): Promise<readonly Figure[]> =>
  withDatabase(async (bed) => {
    await bed.fill(fillSql(many))
    await bed.fill(fillSql(few, fewOwner, 200_001))
    const server = await bed.startServer()
    const large = openDevice(server)
    const small = openDevice({ ...server, user: fewOwner })
    await Promise.all([untilLive(large), untilLive(small)])
    const figures = [await setUp(large), ...(await updates(large, '100k', 1, 'ada')), ...(await updates(small, '1k', 200_001, fewOwner))]
    await large.close()
    await small.close()
    return figures
  })

/** Each time another question: equal ones share what was set up. */
async function setUp(device: BenchClient): Promise<Figure> {
  const rows = device.query.items.all()
  const figures = await timed(setUps, async (round) => {
    const live = device.query.items
      .where({ status: eq('open'), rank: gt(round) })
      .orderBy('updatedAt', 'desc')
      .limit(50)
      .live()
    const unsubscribe = live.subscribe(() => {})
    if (live.result().rows.length !== 50) throw new Error('The live query has not 50 rows.')
    unsubscribe()
  })
  let found = 0
  const limits = await timed(setUps, (round) => {
    const matching = rows.filter((row) => row.status === 'open' && row.rank > round)
    found += matching.sort((a, b) => (a.updatedAt < b.updatedAt ? 1 : -1)).slice(0, 50).length
  })
  if (found !== 50 * (setUps + 1)) throw new Error('The rows sorted by hand are not fifty.')
  return { name: 'live query set-up, top 50 of 100k', unit: 'ms', value: median(figures), limit: median(limits) }
}

/** Half are inserts, half are updates that bring a row to the top; both are shown by the query. The device is online. */
async function updates(device: BenchClient, size: string, first: number, owner: string): Promise<readonly Figure[]> {
  const live = device.query.items
    .where({ status: eq('open') })
    .orderBy('rank', 'desc')
    .limit(50)
    .live()
  let top = -1
  const unsubscribe = live.subscribe(() => {
    top = live.result().rows[0]?.rank ?? -1
  })
  const window = createWindow()
  const times: number[] = []
  const limits: number[] = []
  for (let round = -warmUps; round < rounds; round++) {
    const row = { ...itemOf(900_000 + first + round, owner), rank: 1_000_000 + round }
    const start = performance.now()
    if (round % 2 === 0) device.mutate.items.insert(row)
    else device.mutate.items.update({ id: itemId(first + round + warmUps), rank: row.rank })
    const end = performance.now()
    if (top !== row.rank) throw new Error(`The live query shows rank ${top} first, and not ${row.rank}.`)
    window.put(row)
    if (round >= 0) {
      times.push(end - start)
      limits.push(performance.now() - end)
    }
    await pause(2)
  }
  unsubscribe()
  return latencies(`local mutation to live query at ${size} rows`, times, limits)
}

function createWindow() {
  const byId = new Map<string, Item>()
  const rows: Item[] = []
  return {
    put: (row: Item) => {
      const copy = { ...row }
      byId.set(copy.id, copy)
      let [low, high] = [0, rows.length]
      while (low < high) {
        const middle = (low + high) >>> 1
        if ((rows[middle]?.rank ?? 0) > copy.rank) low = middle + 1
        else high = middle
      }
      rows.splice(low, 0, copy)
      return rows.slice(0, 50)
    },
  }
}
