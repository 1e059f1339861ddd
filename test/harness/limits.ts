import { limits } from '../../packages/server/src/limits.ts'

type Limits = Partial<Record<keyof typeof limits, number>>

/** For the rest of this test file, or until the answer is called. */
export function lowerLimits(lower: Limits): () => void {
  const before = { ...limits }
  Object.assign(limits, lower)
  return () => void Object.assign(limits, before)
}
