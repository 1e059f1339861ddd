// One rule taken apart: every part of it becomes a column of one statement, so that all are judged in the same snapshot by the same SQL.
import { type ExpressionData, sufficient } from '@headwater/schema'
import type { SqlRow } from '../ports.ts'
import type { Granted } from '../scopes/grants.ts'
import { columnName } from '../sql/name.ts'
import { type Images, type RuleDeps, ruleSql } from '../sql/rule.ts'
import type { Part } from './answer.ts'
import { scopesOf } from './row.ts'
import { ruleText } from './words.ts'

/** Tells what a part came to, once the statement has run. */
export type ReadPart = (row: SqlRow, granted: Granted) => Part

/** Adds the columns that a rule needs to `select`, and answers how to read them. */
export function addRule(deps: RuleDeps, rule: ExpressionData, images: Images, select: string[]): ReadPart {
  const add = (sql: string) => {
    const name = `c${select.length}`
    select.push(`${sql} as ${name}`)
    return (row: SqlRow) => row[name] ?? null
  }
  const value = add(`(${ruleSql(deps, rule, images)})::boolean`)
  const parts = partsOf(rule).map((part) => addRule(deps, part, images, select))
  const operand = rule.type === 'compare' ? rule.left : null
  const image = operand && images[operand.of]
  const found = operand && image && { column: operand.column, value: add(`${image}.${columnName(operand.column)}::text`) }
  return (row, granted) => ({
    rule: ruleText(rule),
    // The column is a boolean.
    value: value(row) as boolean | null,
    parts: parts.map((part) => part(row, granted)),
    found: found ? { column: found.column, value: textOf(found.value(row)) } : null,
    held: heldOf(deps, rule, row, granted),
  })
}

/** The parts that can be judged by themselves; the condition on a related row cannot. */
function partsOf(rule: ExpressionData): readonly ExpressionData[] {
  if (rule.type === 'and' || rule.type === 'or') return rule.parts
  return rule.type === 'not' ? [rule.part] : []
}

function heldOf({ table, access }: RuleDeps, rule: ExpressionData, row: SqlRow, granted: Granted): Part['held'] {
  if (rule.type !== 'held') return null
  return {
    needed: rule.roles && sufficient(access, rule.kind, rule.roles),
    scopes: scopesOf(table, row)
      .filter(({ membership }) => membership.kind === rule.kind)
      .map(({ scope }) => ({ scope, roles: [...(granted.get(scope) ?? [])] })),
  }
}

const textOf = (value: unknown) => (value === null ? null : String(value))
