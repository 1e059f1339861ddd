/** A seeded source of chance: the same seed gives the same choices. */
export interface Random {
  /** At least 0, below `below`. */
  int(below: number): number
  is(probability: number): boolean
  /** One of them; throws on none. */
  pick<T>(items: readonly T[]): T
  /** Each with the probability. */
  some<T>(items: readonly T[], probability: number): readonly T[]
  uuid(): string
}

/** mulberry32, by Tommy Ettinger (public domain): 32 bits of state are enough for a test's choices. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const int = (below: number) => Math.floor(next() * below)
  const hex = (digits: number) => Array.from({ length: digits }, () => int(16).toString(16)).join('')
  return {
    int,
    is: (probability) => next() < probability,
    pick: (items) => {
      const at = int(items.length)
      if (items.length === 0) throw new Error('Nothing to pick from.')
      // `at` is below the length.
      return items[at] as (typeof items)[number]
    },
    some: (items, probability) => items.filter(() => next() < probability),
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`,
  }
}
