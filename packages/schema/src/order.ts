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

/** The comparison of two values of a column that are not null. Throws for json, which has no order both sides share. */
export function comparatorOf(column: ColumnDefinition): (a: unknown, b: unknown) => number {
  switch (column.type) {
    case 'integer':
    case 'bigint':
    case 'boolean':
      return compareScalars
    case 'float':
      return compareFloats
    case 'numeric':
      return (a, b) => compareNumerics(String(a), String(b))
    case 'bytes':
      // What a column holds has the column's JavaScript form: it was encoded or decoded as one.
      return (a, b) => compareLists(a as Uint8Array, b as Uint8Array, compareScalars)
    case 'array':
      // As above.
      return (a, b) => compareLists(a as readonly unknown[], b as readonly unknown[], comparatorOf(column.element ?? column))
    default:
      return (a, b) => (typeof a === 'string' && typeof b === 'string' ? compareText(a, b) : compareScalars(a, b))
  }
}

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

function compareUnits(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? 1 : -1
  }
  return a.length - b.length
}

const isSurrogate = (unit: number) => unit >= 0xd800 && unit <= 0xdfff

function compareScalars(a: unknown, b: unknown): number {
  // Callers hand over two numbers, two bigints or two booleans.
  return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0
}

function compareFloats(a: unknown, b: unknown): number {
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b)) || compareScalars(a, b)
}

function compareLists(a: ArrayLike<unknown>, b: ArrayLike<unknown>, compare: (a: unknown, b: unknown) => number): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const order = compare(a[i], b[i])
    if (order !== 0) return order
  }
  return a.length - b.length
}

/** NaN and the infinities; 0 for what has digits. */
const wordOf = (text: string) => (/\d/.test(text) ? 0 : Number(text))

/** Exact, whatever the number of digits: `1.10` equals `1.1`, as in SQL. */
function compareNumerics(a: string, b: string): number {
  const order = compareFloats(wordOf(a), wordOf(b))
  if (order !== 0 || wordOf(a) !== 0) return order
  const scale = Math.max(scaleOf(a), scaleOf(b))
  return compareScalars(unscaled(a, scale), unscaled(b, scale))
}

const scaleOf = (text: string) => (text.includes('.') ? text.length - text.indexOf('.') - 1 : 0)
const unscaled = (text: string, scale: number) => BigInt(text.replace('.', '') + '0'.repeat(scale - scaleOf(text)))
