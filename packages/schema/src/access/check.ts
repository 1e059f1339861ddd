import { HeadwaterError } from '@headwater/protocol'
import type { ColumnDefinition } from '../column.ts'
import { isMeant } from '../predicate.ts'
import { type Schema, tableOf } from '../schema.ts'
import type { TableDefinition } from '../table.ts'
import type { ExpressionData, Need } from './expression.ts'
import type { Rules } from './rules.ts'

/**
 * Throws `access` for rules that cannot mean anything: the message names the table. Answers the roles that they name, per kind of
 * scope. A server calls this when it starts; a device runs what a server has run before.
 */
export function checkAccess(schema: Schema, rules: Rules): readonly Need[] {
  const needs = new Map<string, Need>()
  for (const [name, { insert, columns, when, delete: deleting }] of rules.tables) {
    if (!Object.hasOwn(schema.definitions, name)) throw failure(`There are rules for ${name}, which is no table of the schema.`)
    const table = tableOf(schema, name)
    for (const column of columns.keys())
      if (column !== '*' && !Object.hasOwn(table.columns, column)) throw failure(`The rules of ${name} name ${column}, which is no column of it.`)
    const check = (where: string, rule: ExpressionData) => {
      for (const need of needsOf(rules, `The rule of ${name}.${where}`, table, rule)) needs.set(`${need.kind} ${need.role}`, need)
    }
    check('insert', insert)
    check('delete', deleting)
    check('update', when)
    for (const [column, rule] of columns) check(column === '*' ? 'update' : column, rule)
  }
  return [...needs.values()]
}

function needsOf(rules: Rules, where: string, table: TableDefinition, rule: ExpressionData): readonly Need[] {
  const inner = (part: ExpressionData) => needsOf(rules, where, table, part)
  switch (rule.type) {
    case 'constant':
      return []
    case 'isNull':
      // Where no types are checked, a column that is misspelt is undefined.
      if (rule.operand === undefined) throw failure(`${where} says isNull of what is no column.`)
      return []
    case 'and':
    case 'or':
      return rule.parts.flatMap(inner)
    case 'not':
      return inner(rule.part)
    case 'exists':
      return inner(rule.where)
    case 'compare':
      checkCompare(where, rule)
      return []
    case 'held': {
      const { kind, roles } = rule
      if (!table.memberships.some((membership) => membership.kind === kind))
        throw failure(`${where} asks for a scope of kind ${kind}, in which the table's rows never are.`, `Say .in('${kind}', column) on the table.`)
      const ladder = rules.roles[kind]
      const unknown = roles?.find((role) => ladder && !ladder.includes(role))
      if (unknown !== undefined)
        throw failure(`${where} names the role ${unknown}, which is not among the roles of ${kind}.`, `These are ${ladder?.join(', ')}.`)
      return (roles ?? []).map((role) => ({ kind, role }))
    }
  }
}

/** A person's id compares with whatever may be a key; columns compare with columns of their own type. */
function checkCompare(where: string, { operator, left, right }: Extract<ExpressionData, { type: 'compare' }>): void {
  const { column, definition } = left
  if (!isMeant(definition, operator)) throw failure(`${where}: ${column} is ${definition.type}, which has no ${operator}.`)
  if (right.type === 'person' && !((operator === 'eq' || operator === 'ne') && personTypes.includes(definition.type)))
    throw failure(`${where}: ${column} cannot be compared with the person.`, `A column of type ${personTypes.join(', ')} can, by eq or ne.`)
  if (right.type === 'column' && comparedAs(right.definition) !== comparedAs(definition))
    throw failure(`${where} compares ${column}, which is ${definition.type}, with ${right.column}, which is ${right.definition.type}.`)
}

const personTypes: readonly string[] = ['text', 'enumeration', 'uuid', 'integer', 'bigint']
const comparedAs = ({ type, element }: ColumnDefinition): string => (element ? `${comparedAs(element)}[]` : type === 'enumeration' ? 'text' : type)

const failure = (message: string, hint?: string) => new HeadwaterError('access', message, hint)
