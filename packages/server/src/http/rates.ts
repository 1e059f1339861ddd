import type { Clock } from '../ports.ts'

export interface Rate {
  readonly perSecond: number
  /** So many at once after a pause. */
  readonly burst: number
  /** The longest silent are forgotten: their bucket is full or nearly. */
  readonly keysMax: number
}

/** Token buckets, one per key. */
export interface Rates {
  /** 0: go on. Otherwise the milliseconds until it may be tried again; nothing was taken. */
  take(key: string): number
}

export function createRates(clock: Clock, { perSecond, burst, keysMax }: Rate): Rates {
  // What was taken and has not come back, in milliseconds that it takes to: whole numbers, where fractions of a token would round up.
  const buckets = new Map<string, { readonly takenMs: number; readonly at: number }>()
  const everyMs = 1_000 / perSecond
  return {
    take: (key) => {
      const now = clock.now()
      const { takenMs: before, at } = buckets.get(key) ?? { takenMs: 0, at: now }
      // A clock that was set back gives nothing back.
      const takenMs = Math.max(0, before - Math.max(0, now - at))
      const waitMs = Math.max(0, takenMs - (burst - 1) * everyMs)
      buckets.delete(key)
      buckets.set(key, { takenMs: waitMs > 0 ? takenMs : takenMs + everyMs, at: now })
      const [longestSilent] = buckets.keys()
      if (buckets.size > keysMax && longestSilent !== undefined) buckets.delete(longestSilent)
      return Math.ceil(waitMs)
    },
  }
}
