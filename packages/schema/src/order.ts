// Invariant: one order on both sides. Text compares by code point as `collate "C"` does, null (and what is not held) is last ascending and first
// descending, NaN is larger than every number, and the key breaks every tie.
import type { ColumnDefinition } from './column.ts'

export type Direction = 'asc' | 'desc'
export interface OrderBy {
  readonly column: string
  readonly direction: Direction
}

/** Below zero: a comes first. Values are of one column, nulls included, in their JavaScript form. */
export const compareValues = (column: ColumnDefinition, a: unknown, b: unknown): number => orderOf(column)(a, b)

/** `compareValues` of one column, for many comparisons. */
export function orderOf(column: ColumnDefinition): (a: unknown, b: unknown) => number {
  const compare = comparatorOf(column)
  return (a, b) => {
    if (a === b) return 0
    if (a == null) return b == null ? 0 : 1
    return b == null ? -1 : compare(a, b)
  }
}

/** The comparison of two values of a column that are not null. json has no order that both sides share: nobody asks for it. */
export function comparatorOf(column: ColumnDefinition): (a: unknown, b: unknown) => number {
  if (column.form?.compare) return column.form.compare(column)
  // What a text column holds is text: it was encoded or decoded as one.
  return isTextual(column) ? (a, b) => compareText(a as string, b as string) : compareScalars
}

/** What may hold any character. Uuids, days and times are ASCII, which `<` orders by code point. */
export const isTextual = ({ type }: ColumnDefinition) => type === 'text' || type === 'enumeration'

const fromSurrogatesOn = /[\ud800-\uffff]/
/** Looking through two texts is only worth it while they are short. */
const quickLengthMax = 256

/** By code point. JavaScript's `<` compares UTF-16 units, which puts U+FFFD above U+1F600. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0
  const order = a < b ? -1 : 1
  const larger = order < 0 ? b : a
  // `<` is several times as fast as a loop, and right unless the larger text holds a unit from the surrogates on.
  return larger.length <= quickLengthMax && !fromSurrogatesOn.test(larger) ? order : compareUnits(a, b)
}

/** From the first unit on by which they differ: behind equal halves of two characters the other halves tell. */
function compareUnits(a: string, b: string): number {
  let at = 0
  while (a.charCodeAt(at) === b.charCodeAt(at)) at++
  return (a.codePointAt(at) ?? -1) - (b.codePointAt(at) ?? -1)
}

export function compareScalars(a: unknown, b: unknown): number {
  // Callers hand over two numbers, two bigints, two booleans or two texts.
  return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0
}
