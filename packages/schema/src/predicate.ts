// Invariant: a predicate means on a device what it means in SQL, three-valued: a comparison with null is unknown, and a
// row is selected only where the whole is true. `{ column: null }` is the one exception, and means `is null`. Of a column that is
// not held (absent, and not null) everything is unknown.
import { HeadwaterError } from '@headwater/protocol'
import type { ColumnDefinition } from './column.ts'
import { comparatorOf, isTextual } from './order.ts'
import { columnOf, type TableDefinition } from './table.ts'
import { decodeValue, encodeValue } from './value.ts'

export const operators = ['eq', 'ne', 'lt', 'lte', 'gt', 'gte', 'in', 'contains', 'startsWith'] as const
export type Operator = (typeof operators)[number]

/** A test as an app writes it: `{ sequence: gt(5) }`. */
export interface Test<T> {
  readonly operator: Operator
  readonly operand: T | readonly T[] | null
}
// Of the whole process: an app may load this package twice, once by each kind of import.
const testMark = Symbol.for('headwater.test')
/** The maker of tests; what an app writes them with is in comparing.ts, and below. */
export const test = <T>(operator: Operator, operand: T | readonly T[] | null): Test<T> =>
  Object.assign(Object.create({ [testMark]: true }), { operator, operand })

/** One of several. */
export const oneOf = <T>(operands: readonly T[]) => test<T>('in', operands)
/** Text that contains another, case and all. */
export const contains = (operand: string) => test<string>('contains', operand)
/** Text that starts with another, case and all. */
export const startsWith = (operand: string) => test<string>('startsWith', operand)

/** A condition as data, over the columns of one table. */
export type Predicate =
  | { readonly type: 'compare'; readonly column: string; readonly operator: Operator; readonly operand: unknown }
  | { readonly type: 'isNull'; readonly column: string; readonly negated: boolean }
  | { readonly type: 'and' | 'or'; readonly parts: readonly Predicate[] }
  | { readonly type: 'not'; readonly part: Predicate }

/** What `where` takes: per column a value, null, or a test; all must hold. */
export type Conditions<Row> = { readonly [C in keyof Row]?: Row[C] | Test<NonNullable<Row[C]>> | null | undefined }
/** What `and`, `or` and `not` make of conditions. */
export interface Group<Row> {
  /** Type only, never set. */
  readonly infer?: (row: Row) => void
}
export type Where<Row> = Conditions<Row> | Group<Row>

/** Under this name a group says what it means for a table: its members are no conditions on columns of their names. */
export const groupMark = Symbol.for('headwater.group')

/** The predicate of a `where`, every operand checked against its column. Throws `query` for what cannot be asked. */
export function predicateOf(table: TableDefinition, where: object): Predicate {
  // What `and`, `or` and `not` make has it.
  const { [groupMark]: meaningOf } = where as { readonly [groupMark]?: (table: TableDefinition) => Predicate }
  if (meaningOf) return meaningOf(table)
  const parts = Object.entries(where)
    .filter(([, asked]) => asked !== undefined)
    .map(([name, asked]) => conditionOf(table, name, asked))
  return { type: 'and', parts }
}

/** True, false, or null for unknown. */
export type Evaluate = (row: Readonly<Record<string, unknown>>) => boolean | null

/** The predicate as a function over rows in their JavaScript form. */
export function compile(table: TableDefinition, predicate: Predicate): Evaluate {
  switch (predicate.type) {
    case 'and':
    case 'or':
      return fold(
        predicate.parts.map((part) => compile(table, part)),
        predicate.type === 'or',
      )
    case 'not': {
      const part = compile(table, predicate.part)
      return (row) => {
        const value = part(row)
        return value === null ? null : !value
      }
    }
    case 'isNull':
      return (row) => {
        const value = row[predicate.column]
        return value === undefined ? null : (value === null) !== predicate.negated
      }
    case 'compare':
      return compare(columnOf(table, predicate.column, 'query'), predicate.column, predicate.operator, predicate.operand)
  }
}

function conditionOf(table: TableDefinition, name: string, asked: unknown): Predicate {
  const column = columnOf(table, name, 'query')
  const { operator, operand } = isTest(asked) ? asked : { operator: 'eq' as const, operand: asked }
  if (operand === null) {
    if (operator !== 'eq' && operator !== 'ne') throw hasNo(name, column, `${operator} null`)
    return { type: 'isNull', column: name, negated: operator === 'ne' }
  }
  if (!isMeant(column, operator)) throw hasNo(name, column, operator)
  return { type: 'compare', column: name, operator, operand: operandOf(column, name, operator, operand) }
}

/** Whether columns of the type have the operator. */
export const isMeant = (column: ColumnDefinition, operator: Operator): boolean =>
  operator === 'contains' || operator === 'startsWith' ? isTextual(column) : operator === 'eq' || column.type !== 'json'

/** What a column is compared with, checked as a write would be: a Date as its text, a uuid in lower case. */
export function operandOf(column: ColumnDefinition, name: string, operator: Operator, operand: unknown): unknown {
  // What is looked for may be shorter or longer than what is stored, and no value of the enumeration.
  const loose: ColumnDefinition = isTextual(column) ? { type: 'text' } : { type: column.type, form: column.form, element: column.element }
  const normal = (one: unknown) => decodeValue(loose, encodeValue(loose, one, name))
  // oneOf() and isIn() are the makers of `in`, and take arrays.
  return operator === 'in' ? (operand as readonly unknown[]).map(normal) : normal(operand)
}

export const hasNo = (name: string, { type }: ColumnDefinition, what: string) => new HeadwaterError('query', `${name} is ${type}, which has no ${what}.`)

const isTest = (asked: unknown): asked is Test<unknown> => typeof asked === 'object' && asked !== null && testMark in asked

/** Kleene's and, or: the deciding value wins, then unknown. An empty `and` is true, an empty `or` false. */
function fold(parts: readonly Evaluate[], deciding: boolean): Evaluate {
  const [first = () => !deciding, ...others] = parts
  // Two by two: faster over many rows than a loop in each.
  return others.reduce<Evaluate>(
    (before, part) => (row) => {
      const value = before(row)
      if (value === deciding) return deciding
      const next = part(row)
      return value === null && next !== deciding ? null : next
    },
    first,
  )
}

function compare(column: ColumnDefinition, name: string, operator: Operator, operand: unknown): Evaluate {
  const known = meaning(column, operator, operand)
  return (row) => {
    const value = row[name]
    return value === null || value === undefined ? null : known(value)
  }
}

/** What an operator means for values of a column that are not null: of predicates, and of access rules. */
export function meaning(column: ColumnDefinition, operator: Operator, operand: unknown): (value: unknown) => boolean {
  const order = comparatorOf(column)
  const equal = equality(column, operand)
  switch (operator) {
    case 'eq':
      return equal
    case 'ne':
      return (value) => !equal(value)
    case 'lt':
      return (value) => order(value, operand) < 0
    case 'lte':
      return (value) => order(value, operand) <= 0
    case 'gt':
      return (value) => order(value, operand) > 0
    case 'gte':
      return (value) => order(value, operand) >= 0
    case 'in': {
      // conditionOf() made it an array.
      const equals = (operand as readonly unknown[]).map((one) => equality(column, one))
      return (value) => equals.some((equal) => equal(value))
    }
    case 'contains':
      // Only columns of text have this operator, and its operand was encoded as text.
      return (value) => (value as string).includes(operand as string)
    case 'startsWith':
      // As above.
      return (value) => (value as string).startsWith(operand as string)
  }
}

function equality(column: ColumnDefinition, operand: unknown): (value: unknown) => boolean {
  if (column.type === 'json') return (value) => equalJson(value, operand)
  // Most comparisons are of plain texts and numbers; only they may skip the column's own order.
  if (typeof operand === 'string' && column.type !== 'numeric') return (value) => value === operand
  const order = comparatorOf(column)
  return (value) => order(value, operand) === 0
}

/** As `jsonb` compares: members in any order. */
export function equalJson(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || !a || !b || Array.isArray(a) !== Array.isArray(b)) return false
  const keys = Object.keys(a)
  // Both were just seen to be objects or arrays.
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>]
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(right, key) && equalJson(left[key], right[key]))
}
