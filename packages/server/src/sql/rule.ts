// Access rules as SQL: what packages/schema/src/access/can.ts evaluates on a device, said for the database, three-valued on both sides.
import { type ExpressionData, type Rules, type Schema, sufficient, type TableDefinition } from '@headwater/schema'
import type { Grants } from '../api.ts'
import { columnName, tableName } from './name.ts'
import { heldSql, type Parameters, type PersonParameter } from './permit.ts'
import { comparedSql, compareSql } from './select.ts'

/** Who writes, and what says whether they may. */
export interface Guard {
  readonly schema: Schema
  readonly access: Rules
  readonly grants: Grants
  readonly user: string
}

/** The rows that an expression speaks of: by their names in it, their names in the statement. */
export type Images = Readonly<Record<string, string>>

export interface RuleDeps extends Omit<Guard, 'user'> {
  readonly table: TableDefinition
  readonly person: PersonParameter
  readonly parameters: Parameters
}

/** An SQL condition: true, false, or null where it is unknown. Judged at the statement's snapshot, with what the transaction wrote before. */
export function ruleSql(deps: RuleDeps, expression: ExpressionData, images: Images): string {
  const { parameters, person } = deps
  const value = ({ of, column }: { readonly of: string; readonly column: string }) => `${images[of]}.${columnName(column)}`
  switch (expression.type) {
    case 'constant':
      return String(expression.value)
    case 'and':
    case 'or': {
      const parts = expression.parts.map((part) => ruleSql(deps, part, images))
      return parts.length === 0 ? String(expression.type === 'and') : `(${parts.join(` ${expression.type} `)})`
    }
    case 'not':
      return `(not ${ruleSql(deps, expression.part, images)})`
    case 'isNull':
      return `(${value(expression.operand)} is null)`
    case 'exists': {
      // Names of related rows are made by defineAccess, not by an app.
      const where = ruleSql(deps, expression.where, { ...images, [expression.as]: expression.as })
      return `exists (select 1 from ${tableName(expression.table)} ${expression.as} where ${where})`
    }
    case 'held':
      return holdsSql(deps, expression, images.row ?? '')
    case 'compare': {
      const { operator, left, right } = expression
      if (right.type === 'column') return `(${comparedSql(left.definition, value(left), operator, value(right))})`
      // A person's id is text, whatever the type of the column that holds it.
      if (right.type === 'person') return `(${value(left)}::text ${operator === 'eq' ? '=' : '<>'} ${person()}::text)`
      return `(${compareSql(left.definition, value(left), { column: left.column, operator, operand: right.value }, parameters)})`
    }
  }
}

function holdsSql({ table, access, grants, person, parameters }: RuleDeps, { kind, roles }: Extract<ExpressionData, { type: 'held' }>, row: string): string {
  const wanted = roles && sufficient(access, kind, roles)
  const parts = table.memberships
    .filter((membership) => membership.kind === kind)
    .flatMap(({ column }) => heldSql(grants, kind, `${row}.${columnName(column)}`, wanted, person, parameters))
  return parts.length === 0 ? 'false' : `(${parts.join(' or ')})`
}
