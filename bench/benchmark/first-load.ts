// A device that holds nothing, until it holds 100,000 rows on its disk's way and answers a query. The limit is COPY of the same rows as
// JSON, parsed.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tableOf } from '@headwater/schema'
import { type Database, openPostgres } from '@headwater/server'
import { createFileDisks } from '../../packages/client/src/disk/file.ts'
import { streamKey } from '../../packages/server/src/feed/stream.ts'
import { limits } from '../../packages/server/src/limits.ts'
import { loadRows, loadStart, type Place } from '../../packages/server/src/scopes/load.ts'
import { rowToArray } from '../../packages/server/src/sql/row.ts'
import { person, schema } from '../app.ts'
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
    const copied: number[] = []
    // The first round warms up.
    for (let round = 0; round <= rounds; round++) {
      const found = [await load(server.url), await copy(bed)] as const
      if (round === 0) continue
      times.push(found[0])
      copied.push(found[1])
    }
    return [{ name: 'first load of 100k rows', unit: 'ms', value: median(times), limit: median(copied) }, ...(await besideCopy(bed))]
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

/** The rows of a load as text, in turns by key as a server reads them, beside one COPY of the same text; and what Node has to do for each. */
async function besideCopy(bed: Bed): Promise<readonly Figure[]> {
  const database = await openPostgres(bed.url)
  const [turns, copies]: [Spent[], Spent[]] = [[], []]
  for (let round = 0; round <= rounds; round++) {
    const found = [await spent(() => inTurns(database)), await spent(() => copyText(bed))] as const
    if (round === 0) continue
    turns.push(found[0])
    copies.push(found[1])
  }
  await database.close()
  const of = (list: readonly Spent[], what: keyof Spent) => median(list.map((one) => one[what]))
  return [
    { name: 'rows of a load by key, 100k', unit: 'ms', value: of(turns, 'ms'), limit: of(copies, 'ms') },
    { name: 'rows of a load by key, 100k, processor of Node', unit: 'ms', value: of(turns, 'cpuMs'), limit: of(copies, 'cpuMs') },
  ]
}

interface Spent {
  readonly ms: number
  readonly cpuMs: number
}

async function spent(read: () => Promise<number>): Promise<Spent> {
  const [start, before] = [performance.now(), process.cpuUsage()]
  const bytes = await read()
  const [ms, { user, system }] = [performance.now() - start, process.cpuUsage(before)]
  if (bytes < rows * 300) throw new Error(`There were ${bytes} bytes.`)
  return { ms, cpuMs: (user + system) / 1_000 }
}

async function inTurns(database: Database): Promise<number> {
  const held = new Map([[streamKey('eager', `user:${person}`), { name: '', tables: new Map() }]])
  let bytes = 0
  for (let place: Place | null = loadStart; place !== null; ) {
    const from: Place = place
    place = await database.transaction('read', async (transaction) => {
      let inTurn = 0
      return loadRows(transaction, { schema, onWithheld: () => {} }, held, from, ({ rows: text }) => {
        bytes += text.length
        inTurn += text.length
        return inTurn < limits.loadTurnBytes
      })
    })
  }
  return bytes
}

/** The same text, to the point at which it could be put into messages: lines, without what COPY escapes. */
async function copyText({ connect }: Bed): Promise<number> {
  const sql = connect()
  const source = await sql.unsafe(`copy (select ${rowToArray(tableOf(schema, 'items'), 't')} from items t where owner_id = '${person}') to stdout`).readable()
  let [rest, bytes] = ['', 0]
  for await (const piece of source) {
    const text = rest + String(piece)
    const end = text.lastIndexOf('\n')
    rest = text.slice(end + 1)
    bytes += text.slice(0, end).replaceAll('\\\\', '\\').replaceAll('\n', ',').length
  }
  await sql.end()
  return bytes
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
