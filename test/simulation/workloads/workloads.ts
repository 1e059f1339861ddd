// Every workload by its name.
import { revocations } from './campaigns.ts'
import { codecraft } from './codecraft.ts'
import { random } from './random.ts'
import { counter, longText, set, transfers } from './small.ts'
import type { Workload } from './workload.ts'

const made: Readonly<Record<string, (seed: number) => Workload>> = {
  transfers,
  counter,
  set,
  'long text': longText,
  revocations,
  codecraft,
  random,
}

export const workloadNames: readonly string[] = Object.keys(made)

export function drawWorkload(name: string, seed: number): Workload {
  const make = made[name]
  if (!make) throw new Error(`There is no workload ${name}: ${workloadNames.join(', ')}.`)
  return make(seed)
}
