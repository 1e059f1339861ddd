// Whether what is measured again and again grows: by the middle one of all slopes between two measurements (Theil and Sen), which no outlier and no step of a heap moves.

export interface Measure {
  readonly name: string
  /** More than this from the first to the last is growth: what noise does not reach, and a leak does. */
  readonly growthMax: number
  readonly values: readonly number[]
}

export interface Growth {
  readonly name: string
  readonly first: number
  readonly last: number
  /** From the first to the last, by the slope. */
  readonly growth: number
  readonly growthMax: number
  readonly isFlat: boolean
}

const valuesMin = 6

export function growthOf({ name, growthMax, values }: Measure): Growth {
  if (values.length < valuesMin) throw new RangeError(`${values.length} measurements of ${name} are too few to judge: ${valuesMin} at least.`)
  const slopes = values.flatMap((from, i) => values.slice(i + 1).map((to, j) => (to - from) / (j + 1)))
  const growth = middleOf(slopes) * (values.length - 1)
  return { name, first: values[0] ?? 0, last: values.at(-1) ?? 0, growth, growthMax, isFlat: growth <= growthMax }
}

function middleOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = sorted.length / 2
  return ((sorted[Math.ceil(at) - 1] ?? 0) + (sorted[Math.floor(at)] ?? 0)) / 2
}
