// A device that holds nothing, until it holds 100,000 rows on its disk's way and answers a query. The limit is COPY of the same rows as
// JSON, parsed.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFileDisks } from '../../packages/client/src/disk/file.ts'
import { type Bed, withDatabase } from '../database.ts'
import { openDevice } from '../device.ts'
import { type Figure, median } from '../figure.ts'
import { fillSql } from '../server-app.ts'
import { untilLive } from '../wait.ts'

const rows = 100_000
const rounds = 5

export const firstLoad = (): Promise<readonly Figure[]> =>
  withDatabase(async (bed) => {
    await bed.fill(fillSql(rows))
    const server = await bed.startServer()
    const times: number[] = []
    const limits: number[] = []
    // The first round warms up.
    for (let round = 0; round <= rounds; round++) {
      const found = [await load(server.url), await copy(bed)] as const
      if (round === 0) continue
      times.push(found[0])
      limits.push(found[1])
    }
    return [{ name: 'first load of 100k rows', unit: 'ms', value: median(times), limit: median(limits) }]
  })

async function load(url: string): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'hw-bench-'))
  const start = performance.now()
  const device = openDevice({ url, openDisk: createFileDisks(directory) })
  await untilLive(device)
  const top = device.query.items.orderBy('rank', 'desc').limit(50).all()
  const took = performance.now() - start
  if (top[0]?.rank !== rows || device.query.items.all().length !== rows) throw new Error('The device has not all rows.')
  await device.close()
  await rm(directory, { recursive: true })
  return took
}

async function copy({ connect }: Bed): Promise<number> {
  const sql = connect()
  const start = performance.now()
  const source =
    await sql`copy (select json_build_array(id, owner_id, title, status, rank, created_at, updated_at, body)::text from items) to stdout`.readable()
  let rest = ''
  let parsed = 0
  for await (const piece of source) {
    const lines = (rest + String(piece)).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (Array.isArray(JSON.parse(line))) parsed++
  }
  const took = performance.now() - start
  if (parsed !== rows) throw new Error(`COPY brought ${parsed} rows.`)
  await sql.end()
  return took
}
