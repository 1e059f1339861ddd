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
  const buckets = new Map<string, { readonly tokens: number; readonly at: number }>()
  return {
    take: (key) => {
      const now = clock.now()
      const { tokens: left, at } = buckets.get(key) ?? { tokens: burst, at: now }
      // A clock that was set back fills nothing.
      const tokens = Math.min(burst, left + (Math.max(0, now - at) * perSecond) / 1_000)
      buckets.delete(key)
      buckets.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now })
      const [longestSilent] = buckets.keys()
      if (buckets.size > keysMax && longestSilent !== undefined) buckets.delete(longestSilent)
      return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) * 1_000) / perSecond)
    },
  }
}
