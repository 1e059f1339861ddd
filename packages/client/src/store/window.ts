// Invariant: a window holds every matching row up to its end, in order; `end` null means that it holds all that match. What is
// shown is its first `limit` rows. A limited window keeps slack behind the limit, so that most deletions need no other row.

import { development } from '@headwater/protocol/development'
import type { Change } from './change.ts'
import { counters } from './counters.ts'
import type { Indexes } from './indexes.ts'
import type { View } from './layer.ts'
import type { Row } from './row.ts'
import { eachCandidate, type Question } from './select.ts'
import type { Sorted } from './sorted.ts'
import { createTop, positionOf } from './top.ts'

const slackMin = 32
/** So many changes are always followed one by one. */
const spliceMin = 64

export interface Window {
  /** Starts anew from the view. */
  fill(): void
  /** Follows changes that the view already shows; null: any. True if what is shown may have changed. */
  apply(changes: readonly Change[] | null): boolean
  /** What is shown, as an array of its own. */
  shown(): readonly Row[]
}

export function createWindow(question: Question, view: View, indexes: Indexes): Window {
  const { matches, compare, limit } = question
  const capacity = limit + Math.max(limit, slackMin)
  let rows: Row[] = []
  let end: Row | null = null

  const isInside = (row: Row | null): row is Row => {
    if (row === null) return false
    development(() => counters.visited++)
    return matches(row) && (end === null || compare(row, end) <= 0)
  }

  const placeOf = (row: Row) => positionOf(rows, (one) => compare(one, row) < 0)

  function fill(): void {
    const index = indexes.of(question, false)
    rows = []
    end = null
    if (index) return extend(index, 'setUp')
    // One row more than there is room for tells that there are more.
    const top = createTop(capacity + 1, compare)
    eachCandidate(view, question, (row) => {
      development(() => counters.setUp++)
      if (matches(row)) top.add(row)
    })
    rows = top.rows()
    cut()
  }

  /** Takes in rows behind the end until the window is full. */
  function extend(index: Sorted, counter: 'setUp' | 'visited'): void {
    const isAll = index.after(end, (row) => {
      development(() => counters[counter]++)
      if (matches(row)) rows.push(row)
      return rows.length < capacity
    })
    end = isAll ? null : (rows.at(-1) ?? null)
  }

  function cut(): void {
    if (rows.length <= capacity) return
    rows.length = capacity
    end = rows.at(-1) ?? null
  }

  function splice({ before, after }: Change): boolean {
    let isShown = false
    if (isInside(before)) {
      const at = placeOf(before)
      rows.splice(at, 1)
      isShown = at < limit
    }
    if (isInside(after)) {
      const at = placeOf(after)
      rows.splice(at, 0, after)
      isShown ||= at < limit
      cut()
    }
    return isShown
  }

  return {
    fill,
    apply: (changes) => {
      let isShown = false
      // Where most of a long result changes, answering anew costs less than moving its rows about.
      if (changes === null || (capacity === Infinity && changes.length > Math.max(spliceMin, rows.length / 8))) {
        fill()
        return true
      }
      for (const change of changes) isShown = splice(change) || isShown
      if (rows.length >= limit || end === null) return isShown
      const index = indexes.of(question, true)
      if (index) extend(index, 'visited')
      return true
    },
    shown: () => rows.slice(0, limit),
  }
}
