// Makes a plan as small as it can be while the same thing is found in it: what a person reads is what it takes, and no more.
import type { Plan } from './plan.ts'

/** `isFound`: whether it is still found in the plan. At most `triesMax` plans are tried; the smallest one is the answer. */
export async function shrink(plan: Plan, isFound: (smaller: Plan) => Promise<boolean>, triesMax = 150): Promise<Plan> {
  let smallest = plan
  let tries = 0
  const attempt = async (smaller: Plan): Promise<boolean> => {
    if (tries >= triesMax) return false
    tries++
    if (!(await isFound(smaller))) return false
    smallest = smaller
    return true
  }
  for (const simpler of [{ servers: 1 }, { isShort: false }, { delayMs: [1, 5] as const }]) await attempt({ ...smallest, ...simpler })
  // Halves first, then smaller parts, down to single steps, as long as one of a size can be left out.
  for (let size = Math.ceil(smallest.steps.length / 2); size >= 1 && tries < triesMax; ) {
    let isSmaller = false
    for (let at = 0; at < smallest.steps.length; ) {
      if (await attempt({ ...smallest, steps: smallest.steps.toSpliced(at, size) })) isSmaller = true
      else at += size
    }
    if (size === 1 && !isSmaller) break
    if (!isSmaller || size > 1) size = Math.max(1, Math.floor(size / 2))
  }
  const last = Math.max(0, ...smallest.steps.map(({ atMs }) => atMs))
  await attempt({ ...smallest, endMs: last + 1_000 })
  const used = Math.max(0, ...smallest.steps.map((step) => ('device' in step ? step.device : 0)))
  await attempt({ ...smallest, devices: smallest.devices.slice(0, used + 1) })
  return smallest
}
