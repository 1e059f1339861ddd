// Invariant: a window holds every matching row up to its end, in order; `end` null means that it holds all that match. What is
// shown is its first `limit` rows. A limited window keeps slack behind the limit: only when that many rows have left it, net of those that came, does it look at
// the table again, in one pass. An index of all rows in order would cost several passes to build, and every change of the table from then on.

import { development } from '@headwater/protocol/development'
import type { Batch, Change } from './change.ts'
import { counters } from './counters.ts'
import type { Filling } from './filling.ts'
import type { View } from './layer.ts'
import { type Row, whole } from './row.ts'
import { eachCandidate, type Question } from './select.ts'
import { createTop, positionOf } from './top.ts'

export type Followed = Pick<Question, 'table' | 'among'>

/** So many rows are kept behind the limit. */
export const slack = 1_000
/** So many changes are always followed one by one. */
const spliceMin = 64

export interface Window {
  /** The tables whose changes it follows, and of which rows if not of all. */
  readonly follows: readonly Followed[]
  /** Starts anew from the view; `each`: from what that runs over, in which all are that matter. */
  fill(each?: (run: (row: Row) => void) => void): void
  /** Where filling it from a few rows of many is not enough: of all rows of the first table that it follows. */
  filling?(): Filling
  /** Follows changes that the view already shows, of the rows that it follows. True if what is shown may have changed. */
  apply(batch: Batch): boolean
  /** What is shown, as an array of its own. */
  shown(): readonly Row[]
}

export function createWindow(question: Question, view: View): Window {
  const { matches, compare, limit } = question
  const capacity = limit + slack
  // They may be parts: what tells where a row stands.
  let rows: Row[] = []
  let end: Row | null = null

  const isInside = (row: Row | null): row is Row => {
    if (row === null) return false
    development(() => counters.visited++)
    return matches(row) && (end === null || compare(row, end) <= 0)
  }

  const placeOf = (row: Row) => positionOf(rows, (one) => compare(one, row) < 0)

  function fill(each = (run: (row: Row) => void) => eachCandidate(view, question, run, question.definition)): void {
    end = null
    // One row more than there is room for tells that there are more.
    const top = createTop(capacity + 1, compare)
    each((row) => {
      development(() => counters.setUp++)
      if (matches(row)) top.add(row)
    })
    rows = top.rows()
    cut()
  }

  function apply(batch: Batch): boolean {
    const changes = batch.get(question.table) ?? []
    let isShown = changes.length > spliceMin + rows.length / 8
    if (isShown) merge(changes)
    else for (const change of changes) isShown = splice(change) || isShown
    if (rows.length >= limit || end === null) return isShown
    fill()
    return true
  }

  function cut(): void {
    if (rows.length <= capacity) return
    rows.length = capacity
    end = rows.at(-1) ?? null
  }

  function splice({ before, after }: Change): boolean {
    let first = Infinity
    if (isInside(before)) {
      first = placeOf(before)
      rows.splice(first, 1)
    }
    if (isInside(after)) {
      const at = placeOf(after)
      rows.splice(at, 0, after)
      first = Math.min(first, at)
      cut()
    }
    return first < limit
  }

  /** Where much of a result changes, sorting it once costs less than moving its rows about for each. */
  function merge(changes: readonly Change[]): void {
    const gone = new Set(changes.map(({ before }) => before))
    const come = changes.map(({ after }) => after)
    rows = [...rows.filter((row) => !gone.has(row)), ...come.filter(isInside)].sort(compare)
    cut()
  }

  return {
    follows: [question],
    fill,
    apply,
    shown: () => rows.slice(0, limit).map(whole),
  }
}
