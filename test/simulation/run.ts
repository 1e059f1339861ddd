// `npm run simulate`: see scripts/simulate.mjs, which bundles this.
import { parseArgs } from 'node:util'
import { describe } from './describe.ts'
import { drawPlan } from './plan.ts'
import { realMs } from './reality.ts'
import { type Ground, openGround, type Report, runPlan } from './world.ts'

const { values } = parseArgs({
  options: {
    /** So many seeds, from `from` on; or for so many minutes; or this one, with its plan. */
    seeds: { type: 'string', default: '20' },
    from: { type: 'string', default: '1' },
    minutes: { type: 'string' },
    seed: { type: 'string' },
    /** This workload in every seed. */
    workload: { type: 'string' },
    /** Ends with the first seed that something is found in. */
    first: { type: 'boolean', default: false },
    /** Everything that happens, line by line. */
    trace: { type: 'boolean', default: false },
  },
})

const totals = { seeds: 0, events: 0, mutations: 0, findings: 0, twice: 0 }
const seen = new Set<string>()
const died = new Set<string>()
const beganAt = realMs()
const ground = await openGround()
const from = Number(values.seed ?? values.from)
const isOver = () => (values.first && totals.findings > 0) || (values.minutes && !values.seed ? realMs() - beganAt > Number(values.minutes) * 60_000 : totals.seeds >= (values.seed ? 1 : Number(values.seeds)))
for (let seed = from; !isOver(); seed++) await tryOne(ground, seed)
const seconds = (realMs() - beganAt) / 1_000
say(
  `${totals.seeds} seeds, ${totals.events} events, ${totals.mutations} mutations in ${seconds.toFixed(0)} s: ${Math.round(totals.events / seconds)} events a second`,
)
say(`processes died at ${died.size} of ${seen.size} points: ${[...seen].filter((point) => !died.has(point)).join(', ') || 'all of them'} not tried`)
say(`${totals.twice} seeds run twice came to the same; ${totals.findings} findings`)
process.exit(totals.findings > 0 ? 1 : 0)

async function tryOne(on: Ground, seed: number): Promise<void> {
  const plan = drawPlan(seed, values)
  if (values.seed) say(describe(plan))
  const report = await runPlan(on, plan, { isTold: values.trace })
  count(report)
  if (values.trace) process.stdout.write(report.lines.join(''))
  // One in a hundred, and the first: the same seed is the same run.
  if (totals.seeds % 100 !== 1 || values.first) return
  const again = await runPlan(on, plan)
  if (again.trace === report.trace) totals.twice++
  else tell(seed, [{ checker: 'the same twice', text: `${report.trace} and then ${again.trace}`, atMs: 0 }])
}

function count(report: Report): void {
  totals.seeds++
  totals.events += report.events
  totals.mutations += report.mutations
  for (const point of report.seen.keys()) seen.add(point)
  for (const point of report.died.keys()) died.add(point)
  tell(report.plan.seed, report.findings)
}

function tell(seed: number, findings: readonly { readonly checker: string; readonly text: string; readonly atMs: number }[]): void {
  totals.findings += findings.length
  if (findings.length > 0) say(`seed ${seed}: ${findings.length} findings`)
  for (const { checker, text, atMs } of findings.slice(0, 8)) say(`  ${checker}, at ${atMs} ms: ${text.slice(0, values.seed ? 100_000 : 500)}`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
