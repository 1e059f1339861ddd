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
    const at = positionOf(chunks, (chunk) => {
      const last = chunk.at(-1)
      return last !== undefined && compare(last, row) < 0
    })
    return Math.min(at, Math.max(0, chunks.length - 1))
  }

  const placeIn = (chunk: readonly Row[], row: Row) => positionOf(chunk, (one) => compare(one, row) < 0)

  return {
    add: (row) => {
      const at = chunkOf(row)
      const chunk = chunks[at] ?? []
      chunk.splice(placeIn(chunk, row), 0, row)
      if (chunk.length === 1) chunks.splice(at, 0, chunk)
      if (chunk.length > chunkMax) chunks.splice(at + 1, 0, chunk.splice(chunkMax / 2))
    },
    remove: (row) => {
      const at = chunkOf(row)
      const chunk = chunks[at] ?? []
      chunk.splice(placeIn(chunk, row), 1)
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
