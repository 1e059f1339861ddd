// Invariant: a window holds every matching row up to its end, in order; `end` null means that it holds all that match. What is
// shown is its first `limit` rows. A limited window keeps slack behind the limit, so that most deletions need no other row.
import type { Sorted } from './sorted.ts'
import type { Change } from './change.ts'
import { type Counters, type Question } from './select.ts'
import { createTop, positionOf } from './top.ts'
import type { Row } from './row.ts'

const slackMin = 32
/** More changes than this are merged in one pass instead of one by one. */
const spliceMax = 16

export interface Source {
  /** Every row that can match, in no order. */
  each(run: (row: Row) => void): void
  /** All rows of the table in the question's order: built by the first who needs it if `isNeeded`, otherwise only if it is there. */
  index(isNeeded: boolean): Sorted | null
}

export interface Window {
  /** Starts anew from the source. */
  fill(): void
  /** Follows changes that the source already has. True if what is shown changed. */
  apply(changes: readonly Change[]): boolean
  /** What is shown, as an array of its own. */
  shown(): readonly Row[]
}

export function createWindow({ matches, compare, limit }: Question, source: Source, counters: Counters): Window {
  const capacity = limit + Math.max(limit, slackMin)
  let rows: Row[] = []
  let end: Row | null = null

  const isInside = (row: Row | undefined): row is Row => {
    if (row === undefined) return false
    counters.visited++
    return matches(row) && (end === null || compare(row, end) <= 0)
  }

  function fill(): void {
    const index = source.index(false)
    rows = []
    end = null
    if (index) return extend(index, 'setUp')
    const top = createTop(capacity, compare)
    source.each((row) => {
      counters.setUp++
      if (matches(row)) top.add(row)
    })
    rows = top.rows()
    if (top.isCut()) end = rows.at(-1) ?? null
  }

  /** Takes in rows behind the end until the window is full. */
  function extend(index: Sorted, counter: 'setUp' | 'visited'): void {
    const isAll = index.after(end, (row) => {
      counters[counter]++
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
      const at = positionOf(rows, before, compare)
      rows.splice(at, 1)
      isShown = at < limit
    }
    if (isInside(after)) {
      const at = positionOf(rows, after, compare)
      rows.splice(at, 0, after)
      isShown ||= at < limit
      cut()
    }
    return isShown
  }

  function mergeAll(changes: readonly Change[]): boolean {
    const shownBefore = rows.slice(0, limit)
    const gone = new Set(changes.map(({ before }) => before))
    const come = createTop(capacity, compare)
    for (const { after } of changes) if (isInside(after)) come.add(after)
    rows = inOrder(rows.filter((row) => !gone.has(row)), come.rows(), compare)
    if (come.isCut() && rows.length <= capacity) end = rows.at(-1) ?? null
    cut()
    return shownBefore.length !== Math.min(limit, rows.length) || shownBefore.some((row, at) => row !== rows[at])
  }

  return {
    fill,
    apply: (changes) => {
      let isShown = false
      if (changes.length > spliceMax) isShown = mergeAll(changes)
      else for (const change of changes) isShown = splice(change) || isShown
      if (rows.length >= limit || end === null) return isShown
      const index = source.index(true)
      if (index) extend(index, 'visited')
      return true
    },
    shown: () => rows.slice(0, limit),
  }
}

function inOrder(a: readonly Row[], b: readonly Row[], compare: (a: Row, b: Row) => number): Row[] {
  if (b.length === 0) return [...a]
  const rows: Row[] = []
  let at = 0
  for (const row of b) {
    // at is below the length where it is read.
    while (at < a.length && compare(a[at] as Row, row) < 0) rows.push(a[at++] as Row)
    rows.push(row)
  }
  for (; at < a.length; at++) rows.push(a[at] as Row)
  return rows
}
