// `npm run trials -- --count 100 [--kind fork] [--seed 7] [--from 45]`: what happens to databases, so often, and whether it was found. Exit code 1: not every time.
import { chanceOf } from '../harness/chance.ts'
import { readOptions, someOf, whole } from '../harness/options.ts'
import { openGround } from './cluster.ts'
import { kinds, wrongOf } from './kinds.ts'

const names = kinds.map(({ name }) => name)
const options = {
  count: { takes: whole(1), says: 'so many of each kind', default: 3 },
  kind: { takes: someOf(names), says: 'what happens to a database', default: names },
  seed: { takes: whole(0), says: 'what chance follows from; without, what time it is' },
  from: { takes: whole(0), says: 'the first of them: what went wrong once is tried again by its number', default: 0 },
}
const { values } = readOptions({ name: 'npm run trials', does: 'databases are forked, restored, failed over and exchanged, and it has to be noticed', options })
const chosen = kinds.filter(({ name }) => values.kind.includes(name))
const { from, seed = Date.now() % 1_000_000 } = values

const rows: string[][] = [['kind', 'trials', 'held', 'served', 'lost and offered again', 'wrong', 'ms each']]
let wrongs = 0
process.stdout.write(`seed ${seed}\n`)
for (const kind of chosen) {
  const totals = { trials: 0, held: 0, served: 0, back: 0, wrong: 0 }
  const beganAt = performance.now()
  const ground = await openGround(kind.isComplete === true).catch((error: unknown) => {
    process.stdout.write(`${kind.name}: not tried: ${error instanceof Error ? error.message : String(error)}\n`)
    return null
  })
  for (let n = from; ground !== null && n < from + values.count; n++) {
    // Neighbouring seeds begin alike: the first numbers are thrown away.
    const chance = chanceOf(seed * 1_000_003 + n * 7_919)
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
