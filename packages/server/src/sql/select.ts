import { type ColumnDefinition, encodeValue, fullOrder, type Operator, type Predicate, type QueryDefinition, type TableDefinition } from '@headwater/schema'
import type { Grants } from '../api.ts'
import type { Statement } from '../ports.ts'
import { columnName, columnOf, tableName } from './name.ts'
import { createParameters, createPerson, type Parameters, permit } from './permit.ts'
import { rowToArray } from './row.ts'
import { partlyShown, type Shown, shownSql } from './shown.ts'
import { fromJson } from './value.ts'

/**
 * A query of a mutator as SQL: the rows that the person may see, each as an encoded JSON array, and beside it which of the `partlyShown` columns
 * they see of it. What they do not see is unknown to every condition, and sorts as null does. Without grants, every row with every column.
 */
export function selectStatement(table: TableDefinition, query: QueryDefinition, grants: Grants | null, user: string): Statement {
  const parameters = createParameters()
  const person = createPerson(user, parameters)
  const visible = grants === null ? [] : [permit(table, grants, 't', person, parameters)]
  const shown: Shown = grants === null ? () => null : shownSql(table, grants, 't', person, parameters)
  const conditions = [...visible, predicateSql(table, query.where, parameters, shown)]
  const order = fullOrder(table, query.orderBy).map(({ column, direction }) => orderSql(columnOf(table, column), seenSql(column, shown), direction))
  const columns = grants === null ? [] : partlyShown(table).map((column) => shown(column) ?? 'true')
  const limit = query.limit === null ? '' : ` limit ${parameters.add(query.limit)}::bigint`
  const seen = columns.length === 0 ? '' : `, array_to_json(array[${columns.join(', ')}])::text as shown`
  const text = `select ${rowToArray(table, 't')} as row${seen} from ${tableName(query.table)} t where ${conditions.join(' and ')} order by ${order.join(', ')}${limit}`
  return { text, parameters: parameters.list }
}

/** Text by code point, nulls last ascending and first descending: as packages/schema/src/order.ts. */
function orderSql(column: ColumnDefinition, value: string, direction: 'asc' | 'desc'): string {
  const collate = column.type === 'text' || column.type === 'enumeration' ? ' collate "C"' : ''
  return `${value}${collate} ${direction === 'asc' ? 'asc nulls last' : 'desc nulls first'}`
}

/** As packages/schema/src/predicate.ts evaluates it. */
export function predicateSql(table: TableDefinition, predicate: Predicate, parameters: Parameters, shown: Shown = () => null): string {
  switch (predicate.type) {
    case 'and':
    case 'or': {
      const parts = predicate.parts.map((part) => predicateSql(table, part, parameters, shown))
      return parts.length === 0 ? String(predicate.type === 'and') : `(${parts.join(` ${predicate.type} `)})`
    }
    case 'not':
      return `(not ${predicateSql(table, predicate.part, parameters, shown)})`
    case 'isNull': {
      const condition = shown(predicate.column)
      const isNull = `t.${columnName(predicate.column)} is ${predicate.negated ? 'not ' : ''}null`
      return condition === null ? isNull : `case when ${condition} then ${isNull} end`
    }
    case 'compare':
      return compareSql(columnOf(table, predicate.column), seenSql(predicate.column, shown), predicate, parameters)
  }
}

/** A column's value, or null where it is not shown. */
function seenSql(column: string, shown: Shown): string {
  const condition = shown(column)
  return condition === null ? `t.${columnName(column)}` : `(case when ${condition} then t.${columnName(column)} end)`
}

const comparisons = { eq: '=', ne: '<>', lt: '<', lte: '<=', gt: '>', gte: '>=' } as const

interface Comparison {
  readonly column: string
  readonly operator: Operator
  readonly operand: unknown
}

/** A value of a column, as SQL, against a constant. */
export function compareSql(column: ColumnDefinition, stored: string, { column: name, operator, operand }: Comparison, parameters: Parameters): string {
  const value = collated(column, stored)
  // What is looked for may be longer than what is stored, and no value of the enumeration.
  const { lengthMax: _, validator: __, ...asked } = column
  const loose: ColumnDefinition = column.type === 'enumeration' ? { type: 'text' } : asked
  const bind = (one: unknown) => fromJson(loose, `${parameters.add(JSON.stringify({ k: encodeValue(loose, one, name) }))}::text::json`, 'k')
  switch (operator) {
    case 'in':
      // predicateOf has checked that the operand of `in` is a list.
      return (operand as readonly unknown[]).length === 0
        ? `(${value} is null and null::boolean)`
        : `${value} in (${(operand as readonly unknown[]).map(bind).join(', ')})`
    case 'contains':
      return `position(${bind(operand)} in (${value})) > 0`
    case 'startsWith':
      return `starts_with(${value}, ${bind(operand)})`
    default:
      return `${value} ${comparisons[operator]} ${bind(operand)}`
  }
}

/** A value of a column against another one, both as SQL. */
export function comparedSql(column: ColumnDefinition, stored: string, operator: Operator, other: string): string {
  if (!Object.hasOwn(comparisons, operator)) throw new Error(`${operator} does not compare columns`)
  // It was just seen to be one of them.
  return `${collated(column, stored)} ${comparisons[operator as keyof typeof comparisons]} ${other}`
}

/** Text is compared by code point. */
const collated = (column: ColumnDefinition, value: string) => (column.type === 'text' || column.type === 'enumeration' ? `${value} collate "C"` : value)
