import type { Row } from './row.ts'

export type Compare = (a: Row, b: Row) => number

const gatheredMin = 1_024

/** The first `capacity` rows in an order, of rows that come in none: memory and work follow the capacity, not the table. */
export interface Top {
  add(row: Row): void
  /** In order. */
  rows(): Row[]
}

export function createTop(capacity: number, compare: Compare): Top {
  let kept: Row[] = []
  let worst: Row | undefined
  // Rows gather before they are sorted and cut: each row costs one comparison and its part of a sort. Rows that come in the opposite of
  // the order (the latest first, of a table that grew) all gather; sorting many at once, which are one run, costs them one comparison more.
  const gatheredMax = Math.max(capacity * 2, gatheredMin)
  const cut = () => {
    kept.sort(compare)
    if (kept.length <= capacity) return
    kept = kept.slice(0, capacity)
    worst = kept[capacity - 1]
  }
  return {
    add: (row) => {
      if (worst !== undefined && compare(row, worst) > 0) return
      kept.push(row)
      if (kept.length >= gatheredMax && capacity > 0) cut()
    },
    rows: () => {
      cut()
      return kept
    },
  }
}

/** The number of items that come before a place: `isBefore` is true of those, and of none behind them. */
export function positionOf<T>(items: readonly T[], isBefore: (item: T) => boolean): number {
  let [low, high] = [0, items.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    // middle lies between two bounds of the array.
    if (isBefore(items[middle] as T)) low = middle + 1
    else high = middle
  }
  return low
}
