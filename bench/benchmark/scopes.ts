// A device of a person who holds 10,000 small scopes, until it holds all of their rows; and, while it loads, until the rows of the one scope that
// comes first are there. The limit is the same rows as JSON in one statement, parsed.
import { type Bed, withDatabase } from '../database.ts'
import { openDevice } from '../device.ts'
import { type Figure, median } from '../figure.ts'
import { fillScopesSql, people } from '../server-app.ts'
import { until, untilLive } from '../wait.ts'

const scopes = 10_000
const rowsEach = 10
const rounds = 5
const person = people[1] ?? ''

export const manyScopes = (): Promise<readonly Figure[]> =>
  withDatabase(async (bed) => {
    await bed.fill(fillScopesSql(scopes, rowsEach, person))
    const server = await bed.startServer()
    const [first, all, limits]: number[][] = [[], [], []]
    // The first round warms up.
    for (let round = 0; round <= rounds; round++) {
      const took = await load(server.url)
      const limit = await select(bed)
      if (round === 0) continue
      first?.push(took.first)
      all?.push(took.all)
      limits?.push(limit)
    }
    const limit = median(limits ?? [])
    return [
      { name: 'first load of 10,000 scopes, first rows', unit: 'ms', value: median(first ?? []), limit },
      { name: 'first load of 10,000 scopes, all rows', unit: 'ms', value: median(all ?? []), limit },
    ]
  })

async function load(url: string): Promise<{ readonly first: number; readonly all: number }> {
  const start = performance.now()
  const device = openDevice({ url, user: person })
  const some = device.query.items.limit(1).live()
  await until(some, () => some.result().rows.length > 0)
  const first = performance.now() - start
  await untilLive(device)
  const all = performance.now() - start
  if (device.query.items.all().length !== scopes * rowsEach) throw new Error('The device has not all rows.')
  await device.close()
  return { first, all }
}

async function select({ connect }: Bed): Promise<number> {
  const sql = connect()
  const start = performance.now()
  const rows =
    await sql`select json_build_array(i.id, owner_id, title, status, rank, created_at, updated_at, body)::text as row from items i join people p on p.owner = i.owner_id where p.id = ${person}`
  const parsed = rows.filter(({ row }) => Array.isArray(JSON.parse(row))).length
  const took = performance.now() - start
  if (parsed !== scopes * rowsEach) throw new Error(`The statement brought ${parsed} rows.`)
  await sql.end()
  return took
}
