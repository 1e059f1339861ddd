/** What a benchmark found: a figure, and the limit that was measured beside it in the same run. */
export interface Figure {
  readonly name: string
  readonly unit: 'ms' | 'per second' | 'MB' | 'KB' | 'statements'
  readonly value: number
  /** What the same machine does at best, or the least that the thing could cost. */
  readonly limit: number
}

/** How far a figure is from its limit: 1 is the limit itself, and more is worse, of rates as well. */
export const ratioOf = ({ unit, value, limit }: Figure): number => (unit === 'per second' ? limit / value : value / limit)

/** The value below which a part of the sorted values lies; 0.5 is the median. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

export const median = (values: readonly number[]) => percentile(values, 0.5)

/** The two figures of one latency. */
export const latencies = (name: string, values: readonly number[], limits: readonly number[]): readonly Figure[] =>
  [50, 95].map((part) => ({ name: `${name}, p${part}`, unit: 'ms', value: percentile(values, part / 100), limit: percentile(limits, part / 100) }))

/** Runs `work` several times and answers how long each took, in milliseconds. The first, which warms up, does not count. */
export async function timed(rounds: number, work: (round: number) => unknown): Promise<readonly number[]> {
  const times: number[] = []
  for (let round = 0; round <= rounds; round++) {
    const start = performance.now()
    await work(round)
    if (round > 0) times.push(performance.now() - start)
  }
  return times
}
