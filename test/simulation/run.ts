// `npm run simulate`: see scripts/simulate.ts, which bundles this.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readOptions } from '../harness/options.ts'
import { describe } from './describe.ts'
import { command, seedsFolder, type Told } from './options.ts'
import { drawPlan, type Plan } from './plan.ts'
import { realMs } from './reality.ts'
import { shrink } from './shrink.ts'
import { type Ground, openGround, type Report, runPlan } from './world.ts'

const { values } = readOptions(command)

let kept = 0
const totals = { seeds: 0, events: 0, mutations: 0, findings: 0, twice: 0, transactions: 0, outOfOrder: 0 }
const seen = new Set<string>()
const died = new Set<string>()
const beganAt = realMs()
const isNative = values.database === 'native'
const ground = await openGround(isNative ? { native: process.env.HEADWATER_NATIVE_URL ?? true } : {})
const { minutes: minutesMax = Number.POSITIVE_INFINITY } = values
const seedsMax = values.seed?.length ?? values.seeds ?? (values.plan ? 0 : values.minutes ? Number.POSITIVE_INFINITY : 20)
const isOver = () => (values.first && totals.findings > 0) || realMs() - beganAt > minutesMax * 60_000 || totals.seeds - kept >= seedsMax
if (values.kept || values.plan) await replayKept(ground)
kept = totals.seeds
for (let i = 0; !isOver(); i++) await tryOne(ground, values.seed?.[i] ?? values.from + i * values.every)
const seconds = (realMs() - beganAt) / 1_000
say(
  `${totals.seeds} seeds, ${totals.events} events, ${totals.mutations} mutations in ${seconds.toFixed(0)} s: ${Math.round(totals.events / seconds)} events a second`,
)
say(`processes died at ${died.size} of ${seen.size} points: ${[...seen].filter((point) => !died.has(point)).join(', ') || 'all of them'} not tried`)
if (isNative) say(`${totals.outOfOrder} of ${totals.transactions} transactions were committed after one that had begun to write later`)
say(`${totals.twice} seeds run twice came to the same; ${totals.findings} findings`)
await ground.postgres.close()
const end = () => process.exit(totals.findings > 0 ? 1 : 0)
toParent({ over: true }, end)

async function tryOne(on: Ground, seed: number): Promise<void> {
  toParent({ begins: { name: `seed ${seed}`, seed } })
  const plan = drawPlan(seed, { workload: values.workload, faults: values.faults, isPartition: values.partitions, tabs: values.tabs })
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
    if (values.plan !== undefined && name !== `${values.plan}.json`) continue
    // It was written by `keepPlan`.
    const plan = JSON.parse(await readFile(join(seedsFolder, name), 'utf8')) as Plan
    toParent({ begins: { name } })
    if (values.plan) say(describe(plan))
    const report = await runPlan(on, plan, { isTold: values.trace })
    say(`${name}: ${report.findings.length} findings`)
    count(report)
    if (values.trace) process.stdout.write(report.lines.join(''))
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
  toParent({ ran: { events: report.events, mutations: report.mutations, checkers: report.findings.map(({ checker }) => checker) } })
}

function tell(seed: number, findings: readonly { readonly checker: string; readonly text: string; readonly atMs: number }[]): void {
  totals.findings += findings.length
  if (findings.length > 0) say(`seed ${seed}: ${findings.length} findings`)
  for (const { checker, text, atMs } of findings.slice(0, 8)) say(`  ${checker}, at ${atMs} ms: ${text.slice(0, values.seed ? 100_000 : 500)}`)
}

/** It may be run by hand. */
function toParent(told: Told, then: () => void = () => {}): void {
  if (process.send) process.send(told, then)
  else then()
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
