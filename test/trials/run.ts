// `npm run trials -- --count 100 [--kind fork] [--seed 7] [--from 45]`: what happens to databases, so often, and whether it was found. Exit code 1: not every time.
import { parseArgs } from 'node:util'
import { chanceOf } from '../harness/chance.ts'
import { openGround } from './cluster.ts'
import { kinds, wrongOf } from './kinds.ts'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '3' },
    kind: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    /** The first of them: what went wrong once is tried again by its number. */
    from: { type: 'string', default: '0' },
  },
})
const chosen = kinds.filter(({ name }) => values.kind === undefined || values.kind.split(',').includes(name))
if (chosen.length === 0) throw new Error(`There is no kind ${values.kind}: ${kinds.map(({ name }) => name).join(', ')}.`)

const from = Number(values.from)
const rows: string[][] = [['kind', 'trials', 'held', 'served', 'lost and offered again', 'wrong', 'ms each']]
let wrongs = 0
process.stdout.write(`seed ${values.seed}\n`)
for (const kind of chosen) {
  const totals = { trials: 0, held: 0, served: 0, back: 0, wrong: 0 }
  const beganAt = performance.now()
  const ground = await openGround(kind.isComplete === true).catch((error: unknown) => {
    process.stdout.write(`${kind.name}: not tried: ${error instanceof Error ? error.message : String(error)}\n`)
    return null
  })
  for (let n = from; ground !== null && n < from + Number(values.count); n++) {
    // Neighbouring seeds begin alike: the first numbers are thrown away.
    const chance = chanceOf(Number(values.seed) * 1_000_003 + n * 7_919)
    for (let skipped = 0; skipped < 5; skipped++) chance()
    totals.trials++
    try {
      const found = await kind.run({ ground, chance })
      const wrong = wrongOf(kind, found)
      if (found.held) totals.held++
      else totals.served++
      if (found.isBack && found.missing > 0) totals.back++
      if (wrong === null) continue
      totals.wrong++
      process.stdout.write(`${kind.name} ${n}: ${wrong}: ${JSON.stringify(found)}\n`)
    } catch (error) {
      totals.wrong++
      process.stdout.write(`${kind.name} ${n}: ${error instanceof Error ? error.stack : String(error)}\n`)
    } finally {
      await ground.clear()
    }
  }
  await ground?.close()
  wrongs += totals.wrong
  const each = Math.round((performance.now() - beganAt) / Math.max(1, totals.trials))
  rows.push([kind.name, ...[totals.trials, totals.held, totals.served, totals.back, totals.wrong, each].map(String)])
  process.stdout.write(`${rows.at(-1)?.join('  ')}\n`)
}
process.stdout.write(`\n${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}\n`)
process.exit(wrongs > 0 ? 1 : 0)
