// `npm run faults -- --cycles 500 [--kind server|postgres|embedded|browser] [--seed 7]`: kill -9 under load, so often. Exit code 1: something was lost, doubled or out of order.
import { parseArgs } from 'node:util'
import { chanceOf } from '../harness/chance.ts'
import { startBrowserCycles } from './browser.ts'
import { buildServer, type Program } from './child.ts'
import { type Cycles, startCycles } from './cycle.ts'
import { kinds, openVictim } from './kinds.ts'

const { values } = parseArgs({
  options: { cycles: { type: 'string', default: '20' }, kind: { type: 'string' }, seed: { type: 'string', default: String(Date.now() % 1_000_000) } },
})
const all = [...kinds, 'browser'] as const
const chosen = all.filter((kind) => values.kind === undefined || values.kind.split(',').includes(kind))
const count = Number(values.cycles)
if (chosen.length === 0 || !Number.isInteger(count) || count < 1) throw new Error(`Say --cycles N, and --kind out of ${all.join(', ')}.`)

async function open(kind: (typeof all)[number], program: Program, chance: () => number): Promise<Cycles> {
  if (kind === 'browser') return startBrowserCycles(chance)
  const victim = await openVictim(kind, program)
  const cycles = await startCycles(victim, chance)
  return {
    ...cycles,
    close: async () => {
      await cycles.close()
      await victim.close()
    },
  }
}

process.stdout.write(`seed ${values.seed}\n`)
const program = await buildServer()
let wrongs = 0
for (const kind of chosen) {
  const cycles = await open(kind, program, chanceOf(Number(values.seed)))
  const beganAt = performance.now()
  let done = 0
  try {
    for (; done < count; done++) {
      const wrong = await cycles.run()
      wrongs += wrong.length
      for (const one of wrong) process.stdout.write(`${kind} ${done}: ${one}\n`)
      if ((done + 1) % 50 === 0) process.stdout.write(`${kind}: ${done + 1} cycles, ${Math.round((performance.now() - beganAt) / (done + 1))} ms each\n`)
    }
  } finally {
    // Also where a cycle never ended: nothing stays behind.
    await cycles.close()
  }
  const { made, confirmedBefore } = cycles.counts()
  process.stdout.write(`| ${kind} | ${done} kills | ${made} mutations | ${confirmedBefore} confirmed before a kill | ${wrongs} wrong |\n`)
}
await program.remove()
process.exit(wrongs > 0 ? 1 : 0)
