// `npm run simulate`: see scripts/simulate.mjs, which bundles this.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describe } from './describe.ts'
import { drawPlan, faultNames, type Plan } from './plan.ts'
import { realMs } from './reality.ts'
import { shrink } from './shrink.ts'
import { type Ground, openGround, type Report, runPlan } from './world.ts'

const { values } = parseArgs({
  options: {
    /** So many seeds, from `from` on; for so many minutes at most; or this one, or these with commas between, each with its plan. */
    seeds: { type: 'string' },
    from: { type: 'string', default: '1' },
    minutes: { type: 'string' },
    seed: { type: 'string' },
    /** The plan of `seed`, as small as the same thing is found in it. */
    shrink: { type: 'boolean', default: false },
    /** Puts the plan into test/simulation/seeds under this name, to be replayed for good. */
    keep: { type: 'string' },
    /** Replays what is kept there, before everything else. */
    kept: { type: 'boolean', default: false },
    /** Every so-many-th seed: what several processes share. */
    every: { type: 'string', default: '1' },
    /** This workload in every seed; exactly these faults, separated by commas, and with '' none. */
    workload: { type: 'string' },
    faults: { type: 'string' },
    /** Small plans, in which nothing but networks fails. */
    partitions: { type: 'boolean', default: false },
    /** So many tabs of a device at most, in every seed; 1: none has several. */
    tabs: { type: 'string' },
    /** Ends with the first seed that something is found in. */
    first: { type: 'boolean', default: false },
    /** Everything that happens, line by line. */
    trace: { type: 'boolean', default: false },
    /** `native`: a real PostgreSQL with sessions at once, of which no run is twice the same; its own, or the one at HEADWATER_NATIVE_URL. */
    database: { type: 'string', default: 'pglite' },
  },
})

/** The command runs in the root of the repository. */
const seedsFolder = 'test/simulation/seeds'
let kept = 0
const totals = { seeds: 0, events: 0, mutations: 0, findings: 0, twice: 0, transactions: 0, outOfOrder: 0 }
const seen = new Set<string>()
const died = new Set<string>()
const beganAt = realMs()
const asked = values.seed?.split(',').map(Number)
const isNative = values.database === 'native'
const ground = await openGround(isNative ? { native: process.env.HEADWATER_NATIVE_URL ?? true } : {})
const faults = values.faults?.split(',').filter((name) => name !== '')
const unknown = faults?.find((name) => !faultNames.includes(name))
if (unknown !== undefined) throw new Error(`There is no fault ${unknown}: ${faultNames.join(', ')}.`)
const minutesMax = Number(values.minutes ?? Number.POSITIVE_INFINITY)
const seedsMax = asked?.length ?? Number(values.seeds ?? (values.minutes ? Number.POSITIVE_INFINITY : 20))
const isOver = () => (values.first && totals.findings > 0) || realMs() - beganAt > minutesMax * 60_000 || totals.seeds - kept >= seedsMax
if (values.kept) await replayKept(ground)
kept = totals.seeds
for (let i = 0; !isOver(); i++) await tryOne(ground, asked?.[i] ?? Number(values.from) + i * Number(values.every))
const seconds = (realMs() - beganAt) / 1_000
say(
  `${totals.seeds} seeds, ${totals.events} events, ${totals.mutations} mutations in ${seconds.toFixed(0)} s: ${Math.round(totals.events / seconds)} events a second`,
)
say(`processes died at ${died.size} of ${seen.size} points: ${[...seen].filter((point) => !died.has(point)).join(', ') || 'all of them'} not tried`)
if (isNative) say(`${totals.outOfOrder} of ${totals.transactions} transactions were committed after one that had begun to write later`)
say(`${totals.twice} seeds run twice came to the same; ${totals.findings} findings`)
await ground.postgres.close()
const end = () => process.exit(totals.findings > 0 ? 1 : 0)
if (process.send) process.send({ over: true }, end)
else end()

async function tryOne(on: Ground, seed: number): Promise<void> {
  process.send?.({ begins: { name: `seed ${seed}`, seed } })
  const tabs = values.tabs === undefined ? undefined : Number(values.tabs)
  const plan = drawPlan(seed, { workload: values.workload, faults, isPartition: values.partitions, tabs })
  if (values.seed) say(describe(plan))
  const report = await runPlan(on, plan, { isTold: values.trace }).catch((error: unknown) => {
    say(`seed ${seed}: the run itself broke off`)
    throw error
  })
  count(report)
  if (values.trace) process.stdout.write(report.lines.join(''))
  if (values.shrink) await shrinkIt(on, report)
  // One in a hundred, and the first: the same seed is the same run.
  if ((totals.seeds - kept) % 100 !== 1 || values.first || isNative) return
  const again = await runPlan(on, plan)
  if (again.trace === report.trace) totals.twice++
  else tell(seed, [{ checker: 'the same twice', text: `${report.trace} and then ${again.trace}`, atMs: 0 }])
}

async function shrinkIt(on: Ground, { plan, findings }: Report): Promise<void> {
  const [first] = findings
  if (!first) return
  const smallest = await shrink(plan, async (smaller) => (await runPlan(on, smaller)).findings.some(({ checker }) => checker === first.checker))
  say(`\nas small as it gets, for ${first.checker}:\n${describe(smallest)}`)
  if (values.keep) await keepPlan(values.keep, smallest)
}

async function keepPlan(name: string, plan: Plan): Promise<void> {
  await mkdir(seedsFolder, { recursive: true })
  await writeFile(join(seedsFolder, `${name}.json`), `${JSON.stringify(plan, null, 2)}\n`)
}

/** What was found once is found again if it comes back. */
async function replayKept(on: Ground): Promise<void> {
  for (const name of (await readdir(seedsFolder)).sort()) {
    // It was written by `keepPlan`.
    const plan = JSON.parse(await readFile(join(seedsFolder, name), 'utf8')) as Plan
    process.send?.({ begins: { name } })
    const report = await runPlan(on, plan)
    say(`${name}: ${report.findings.length} findings`)
    count(report)
  }
}

function count(report: Report): void {
  totals.seeds++
  totals.events += report.events
  totals.mutations += report.mutations
  totals.transactions += report.transactions
  totals.outOfOrder += report.outOfOrder
  for (const point of report.seen.keys()) seen.add(point)
  for (const point of report.died.keys()) died.add(point)
  tell(report.plan.seed, report.findings)
  process.send?.({ ran: { events: report.events, mutations: report.mutations, checkers: report.findings.map(({ checker }) => checker) } })
}

function tell(seed: number, findings: readonly { readonly checker: string; readonly text: string; readonly atMs: number }[]): void {
  totals.findings += findings.length
  if (findings.length > 0) say(`seed ${seed}: ${findings.length} findings`)
  for (const { checker, text, atMs } of findings.slice(0, 8)) say(`  ${checker}, at ${atMs} ms: ${text.slice(0, values.seed ? 100_000 : 500)}`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
