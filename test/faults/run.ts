// `npm run faults -- --cycles 500 [--kind server|postgres|embedded|browser] [--seed 7]`: kill -9 under load, so often. Exit code 1: something was lost, doubled or out of order.
import { chanceOf } from '../harness/chance.ts'
import { readOptions, someOf, whole } from '../harness/options.ts'
import { startBrowserCycles } from './browser.ts'
import { buildServer, type Program } from './child.ts'
import { type Cycles, startCycles } from './cycle.ts'
import { kinds, openVictim } from './kinds.ts'

const all = [...kinds, 'browser'] as const
const options = {
  cycles: { takes: whole(1), says: 'so many of each kind', default: 20 },
  kind: { takes: someOf(all), says: 'what is killed', default: all },
  seed: { takes: whole(0), says: 'what chance follows from; without, what time it is' },
}
const { values } = readOptions({ name: 'npm run faults', does: 'kill -9 under load, and what was acknowledged has to be there once and in order', options })
const { cycles: count, seed = Date.now() % 1_000_000 } = values

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

process.stdout.write(`seed ${seed}\n`)
const program = await buildServer()
let wrongs = 0
for (const kind of values.kind) {
  const cycles = await open(kind, program, chanceOf(seed))
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
