/** Work of which only so much goes on at once, in the order in which it was asked for. */
export interface Slots {
  run<T>(work: () => Promise<T>): Promise<T>
  /** How many wait for their turn. */
  waiting(): number
}

export function createSlots(max: number): Slots {
  const waiting: (() => void)[] = []
  let free = max
  return {
    waiting: () => waiting.length,
    run: async (work) => {
      if (free > 0) free--
      else await new Promise<void>((resolve) => waiting.push(resolve))
      try {
        return await work()
      } finally {
        // Whoever is next takes the place over.
        const next = waiting.shift()
        if (next) next()
        else free++
      }
    },
  }
}
