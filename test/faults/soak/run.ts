// `npm run soak -- --hours 4`: as much as happens in so many hours of an ordinary day, as fast as it goes, and whether anything grows by it. Exit code 1: something does.
import { chmod, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../../packages/server/src/database/native/process.ts'
import { startNative } from '../../harness/native.ts'
import { readOptions, whole } from '../../harness/options.ts'
import { openProxy } from '../../harness/proxy.ts'
import { buildServer, startSpare } from '../child.ts'
import { growthOf, type Measure } from './growth.ts'
import { heldNow } from './held.ts'
import { hour, people, roundsPerHour, startRounds } from './round.ts'

const options = {
  hours: {
    takes: whole(2),
    says: `of 20 people, each hour of them ${hour.mutations} mutations, ${hour.views} views and ${hour.connections} connections`,
    default: 4,
  },
  leak: { takes: whole(1), says: 'so many bytes stay in the server with every connection: to see it found' },
}
const { values } = readOptions({ name: 'npm run soak', does: 'a server and devices at work, measured in rest, and nothing may grow', options })
const rounds = values.hours * roundsPerHour
/** What is filled once is full by then: caches, and the code that Node compiles where it is warm. */
const warmUpRounds = 20

const mebibyte = 1_048_576
/** Of what grows with use and not with time, as much as lies between two rests; see docs/promises.md. */
const growthMax: Readonly<Record<string, number>> = {
  'server heap': mebibyte,
  'server buffers': mebibyte,
  'server resident': 24 * mebibyte,
  'server handles': 3,
  'devices heap': 2 * mebibyte,
  'devices buffers': mebibyte,
  'devices handles': 5,
  sessions: 3,
}
const growthMaxElse = { disk: mebibyte, rows: 40 }

const folder = await mkdtemp(join(tmpdir(), 'hw-soak-'))
await chmod(folder, 0o755)
const native = await startNative({ durable: false })
const url = native.url(await native.createDatabase())
const program = await buildServer('soak/server-main.ts')
const port = await freePort()
// Code that Node compiles where it is warm grows for hours, and is no leak: here it stays as it was read.
const child = await startSpare(program, ['--expose-gc', '--no-opt', '--no-sparkplug']).serve([
  url,
  join(folder, 'state'),
  String(port),
  String(values.leak ?? ''),
])
const proxy = await openProxy(port)
const world = { url: `http://127.0.0.1:${proxy.port}`, folder: join(folder, 'devices'), cut: proxy.cut, sql: child.query }
const running = await startRounds(world)

const names = (await child.query(`select relname as name from pg_class where relnamespace = 'headwater'::regnamespace and relkind = 'r' order by 1`)).map(
  ({ name }) => String(name),
)
const countSql = `select ${names.map((name) => `(select count(*) from headwater.${name})::int as "rows of ${name}"`).join()},
  (select count(*) from pg_stat_activity where datname = current_database())::int as sessions`

/** In rest: those are connected who always are, and what is pruned is pruned. */
async function restedNow(): Promise<Readonly<Record<string, number>>> {
  for (const giveUpAt = performance.now() + 60_000; ; ) {
    const [[held], [counts]] = [await child.query('sample'), await child.query(countSql)]
    const isAtRest = Number(held?.devices) === people.length && Number(counts?.['rows of log']) <= 400
    if (isAtRest || performance.now() > giveUpAt) {
      const server = Object.fromEntries(Object.entries(held ?? {}).map(([name, value]) => [`server ${name}`, Number(value)]))
      const devices = Object.fromEntries(Object.entries(heldNow()).map(([name, value]) => [`devices ${name}`, value]))
      const rows = Object.fromEntries(Object.entries(counts ?? {}).map(([name, value]) => [name, Number(value)]))
      return { ...server, ...devices, ...rows, disk: await bytesIn(world.folder) }
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

async function bytesIn(path: string): Promise<number> {
  const files = (await readdir(path, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  const sizes = await Promise.all(files.map((file) => stat(join(file.parentPath, file.name)).then(({ size }) => size)))
  return sizes.reduce((sum, size) => sum + size, 0)
}

const samples: Readonly<Record<string, number>>[] = []
const beganAt = performance.now()
try {
  for (let round = 1; round <= rounds; round++) {
    await running.run()
    const sample = await restedNow()
    samples.push(sample)
    process.stdout.write(`${round}/${rounds} ${Math.round((performance.now() - beganAt) / 1_000)} s ${JSON.stringify(sample)}\n`)
  }
} finally {
  await running.close()
  await proxy.close()
  await child.kill()
  await native.stop()
  await program.remove()
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
}

const measureOf = (name: string): Measure => ({
  name,
  growthMax: growthMax[name] ?? (name === 'disk' ? growthMaxElse.disk : growthMaxElse.rows),
  values: samples.slice(warmUpRounds).map((sample) => sample[name] ?? 0),
})
// What tests hold in memory besides is no promise: resident memory of the devices is this process's.
const found = Object.keys(samples[0] ?? {})
  .filter((name) => !['devices resident', 'server devices'].includes(name))
  .map((name) => growthOf(measureOf(name)))
process.stdout.write(`${JSON.stringify(running.totals)} in ${Math.round((performance.now() - beganAt) / 1_000)} s\n`)
for (const { name, first, last, growth, growthMax, isFlat } of found)
  process.stdout.write(`| ${name} | ${first} | ${last} | ${Math.round(growth)} | ${growthMax} | ${isFlat ? 'flat' : 'GROWS'} |\n`)
process.exit(found.every(({ isFlat }) => isFlat) ? 0 : 1)
