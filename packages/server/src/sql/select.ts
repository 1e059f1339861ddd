import { type ColumnDefinition, encodeValue, fullOrder, type Predicate, type QueryDefinition, type TableDefinition } from '@headwater/schema'
import type { Grants } from '../api.ts'
import type { Statement } from '../ports.ts'
import { columnName, columnOf, tableName } from './name.ts'
import { createParameters, type Parameters, permit } from './permit.ts'
import { rowToArray } from './row.ts'
import { fromJson } from './value.ts'

/** A query of a mutator as SQL: the rows that the person may see, each as an encoded JSON array. */
export function selectStatement(table: TableDefinition, query: QueryDefinition, grants: Grants, user: string): Statement {
  const parameters = createParameters()
  const conditions = [permit(table, grants, 't', parameters.add(user), parameters), predicateSql(table, query.where, parameters)]
  const order = fullOrder(table, query.orderBy).map(({ column, direction }) => orderSql(columnOf(table, column), column, direction))
  const limit = query.limit === null ? '' : ` limit ${parameters.add(query.limit)}::bigint`
  const text = `select ${rowToArray(table, 't')} as row from ${tableName(query.table)} t where ${conditions.join(' and ')} order by ${order.join(', ')}${limit}`
  return { text, parameters: parameters.list }
}

/** Text by code point, nulls last ascending and first descending: as packages/schema/src/order.ts. */
function orderSql(column: ColumnDefinition, name: string, direction: 'asc' | 'desc'): string {
  const collate = column.type === 'text' || column.type === 'enumeration' ? ' collate "C"' : ''
  return `t.${columnName(name)}${collate} ${direction === 'asc' ? 'asc nulls last' : 'desc nulls first'}`
}

/** As packages/schema/src/predicate.ts evaluates it. */
export function predicateSql(table: TableDefinition, predicate: Predicate, parameters: Parameters): string {
  switch (predicate.type) {
    case 'and':
    case 'or': {
      const parts = predicate.parts.map((part) => predicateSql(table, part, parameters))
      return parts.length === 0 ? String(predicate.type === 'and') : `(${parts.join(` ${predicate.type} `)})`
    }
    case 'isNull':
      return `t.${columnName(predicate.column)} is ${predicate.negated ? 'not ' : ''}null`
    case 'compare':
      return compareSql(columnOf(table, predicate.column), predicate, parameters)
  }
}

const comparisons = { eq: '=', ne: '<>', lt: '<', lte: '<=', gt: '>', gte: '>=' } as const

function compareSql(column: ColumnDefinition, { column: name, operator, operand }: Extract<Predicate, { type: 'compare' }>, parameters: Parameters): string {
  const isText = column.type === 'text' || column.type === 'enumeration'
  const value = `t.${columnName(name)}${isText ? ' collate "C"' : ''}`
  // What is looked for may be longer than what is stored, and no value of the enumeration.
  const { lengthMax: _, validator: __, ...asked } = column
  const loose: ColumnDefinition = column.type === 'enumeration' ? { ...asked, type: 'text' } : asked
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
