// Invariant: an expression is data, and means on a device what it means in SQL, three-valued: a comparison with null is unknown, and
// what is unknown is not allowed.
import { HeadwaterError } from '@headwater/protocol'
import type { ColumnDefinition } from '../column.ts'
import { type Group, groupMark, type Operator, operandOf, type Predicate, predicateOf, type Where } from '../predicate.ts'
import type { Row, TableDefinition } from '../table.ts'

/** A column of a row that a rule speaks of. `of` says which row: the one that is judged, it before or after, or a related one. */
export interface Operand<T = unknown> {
  readonly type: 'column'
  readonly of: string
  readonly column: string
  readonly definition: ColumnDefinition
  /** Type only, never set. */
  readonly infer?: T
}
/** The id of the person who writes. */
export interface Person {
  readonly type: 'person'
}
/** The columns of one row. */
export type Operands<T> = { readonly [C in keyof Row<T>]: Operand<NonNullable<Row<T>[C]>> }

/** A kind of scope and a role of it that an expression names. */
export interface Need {
  readonly kind: string
  readonly role: string
}

/** A condition on rows, the person and what the person holds. `Needs` is what it names; it is there for the types. */
export type Expression<Needs extends Need = Need> = ExpressionData & { readonly needs?: Needs }
export type NeedsOf<E> = E extends { readonly needs?: infer N } ? Extract<N, Need> : never

export type ExpressionData =
  | { readonly type: 'constant'; readonly value: boolean }
  /** The person holds a scope of this kind that the judged row is in; `roles` null: in whichever role. */
  | { readonly type: 'held'; readonly kind: string; readonly roles: readonly string[] | null }
  | { readonly type: 'compare'; readonly operator: Operator; readonly left: Operand; readonly right: Operand | Person | Constant }
  | { readonly type: 'isNull'; readonly operand: Operand }
  | { readonly type: 'and' | 'or'; readonly parts: readonly ExpressionData[] }
  | { readonly type: 'not'; readonly part: ExpressionData }
  /** There is a row in the table, whoever may see it, for which `where` is true; there it is called `as`. */
  | { readonly type: 'exists'; readonly table: string; readonly as: string; readonly where: ExpressionData }

export interface Constant {
  readonly type: 'constant'
  /** As a row of the column on the left would hold it; for `in` a list of these. */
  readonly value: unknown
}

/** Everybody may. */
export const allow: Expression<never> = { type: 'constant', value: true }
/** Nobody may; what has no rule is denied without saying so. */
export const deny: Expression<never> = { type: 'constant', value: false }

/** The person holds a scope of this kind that the row is in, with one of these roles or, where a ladder is given, one above. */
export const role = <const K extends string, const R extends string>(kind: K, ...roles: readonly [R, ...R[]]): Expression<{ kind: K; role: R }> => ({
  type: 'held',
  kind,
  roles,
})
/** The person holds a scope of this kind that the row is in, in whichever role. */
export const holds = <const K extends string>(kind: K): Expression<{ kind: K; role: never }> => ({ type: 'held', kind, roles: null })

type Parts = readonly Expression[]
/** Several expressions, or several of what `where` takes, as one. */
export interface Combine {
  <const P extends Parts>(...parts: P): Expression<NeedsOf<P[number]>>
  <Row>(...parts: readonly Where<NoInfer<Row>>[]): Group<Row>
}
export interface Negate {
  <E extends Expression>(part: E): Expression<NeedsOf<E>>
  <Row>(part: Where<NoInfer<Row>>): Group<Row>
}
// Both forms are the same data, and mean something to a table as well where their parts do.
const several = (type: 'and' | 'or') =>
  ((...parts: readonly object[]) => group({ type, parts }, (table) => ({ type, parts: parts.map((part) => predicateOf(table, part)) }))) as Combine
export const and = several('and')
export const or = several('or')
/** What is unknown stays unknown: in a `where`, rows of which it cannot be said are in neither `where(x)` nor `where(not(x))`. */
export const not = ((part: object) => group({ type: 'not', part }, (table) => ({ type: 'not', part: predicateOf(table, part) }))) as Negate

const group = (members: object, meaningOf: (table: TableDefinition) => Predicate) => Object.assign(Object.create({ [groupMark]: meaningOf }), members)
export const isNull = (operand: Operand): Expression<never> => ({ type: 'isNull', operand })
/** One of several constants. */
export const isIn = <T>(operand: Operand<T>, values: readonly NoInfer<T>[]): Expression<never> => comparison('in', operand, values)

/** Two operands compared. The person stands on the right, whichever side they were written on. */
export function comparison(operator: Operator, left: unknown, right: unknown): Expression<never> {
  if (isPerson(left)) return comparison(operator, right, left)
  if (!isOperand(left)) throw new HeadwaterError('access', `${operator} compares ${String(left)}, which is no column.`, 'Is the name of the column right?')
  // JSON may look like anything.
  if (isOperand(right) || (isPerson(right) && left.definition.type !== 'json')) return { type: 'compare', operator, left, right }
  if (right === null || right === undefined)
    throw new HeadwaterError('access', `${operator} compares ${left.column} with ${right}.`, 'For null say isNull(column). Is the name of the column right?')
  return { type: 'compare', operator, left, right: { type: 'constant', value: operandOf(left.definition, left.column, operator, right) } }
}

const isOperand = (value: unknown): value is Operand => Object(value).type === 'column' && Object(value).definition !== undefined
const isPerson = (value: unknown): value is Person => Object(value).type === 'person'
