// Every row of a table in one order, in chunks: adding and removing cost a search and a short move, whatever the table's size.

import type { Row } from './row.ts'
import { type Compare, positionOf } from './top.ts'

const chunkMax = 512

export interface Sorted {
  /** Only rows that are not in it. */
  add(row: Row): void
  /** Only rows that are in it. */
  remove(row: Row): void
  /** Visits the rows after `from` (null: all) in order while `visit` answers true. True if the end was reached. */
  after(from: Row | null, visit: (row: Row) => boolean): boolean
}

/** Takes the array over. */
export function createSorted(rows: Row[], compare: Compare): Sorted {
  rows.sort(compare)
  const chunks: Row[][] = []
  for (let at = 0; at < rows.length; at += chunkMax / 2) chunks.push(rows.slice(at, at + chunkMax / 2))

  /** The first chunk whose last row does not come before `row`; the last chunk if all do. */
  function chunkOf(row: Row): number {
    let [low, high] = [0, Math.max(0, chunks.length - 1)]
    while (low < high) {
      const middle = (low + high) >>> 1
      const last = chunks[middle]?.at(-1)
      if (last !== undefined && compare(last, row) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  return {
    add: (row) => {
      const at = chunkOf(row)
      const chunk = chunks[at]
      if (chunk === undefined) {
        chunks.push([row])
        return
      }
      chunk.splice(positionOf(chunk, row, compare), 0, row)
      if (chunk.length > chunkMax) chunks.splice(at + 1, 0, chunk.splice(chunkMax / 2))
    },
    remove: (row) => {
      const at = chunkOf(row)
      const chunk = chunks[at] ?? []
      chunk.splice(positionOf(chunk, row, compare), 1)
      if (chunk.length === 0) chunks.splice(at, 1)
    },
    after: (from, visit) => {
      const first = from === null ? 0 : chunkOf(from)
      for (let at = first; at < chunks.length; at++) {
        for (const row of chunks[at] ?? []) {
          if (from !== null && at === first && compare(row, from) <= 0) continue
          if (!visit(row)) return false
        }
      }
      return true
    },
  }
}
