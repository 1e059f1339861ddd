import type { Sql } from '../api.ts'
import type { Parameter } from '../ports.ts'
import { literal } from './name.ts'

/** SQL with values as parameters: sql`select id from users where role = ${role}`. Another `sql` inside is taken as text. */
export function sql(parts: TemplateStringsArray, ...values: readonly (Parameter | Sql)[]): Sql {
  return parts.slice(1).reduce<Sql>(
    (before, part, i) => {
      // A template has one part more than it has values.
      const value = values[i] as Parameter | Sql
      const inner: Sql = isSql(value) ? value : { text: '$1', parameters: [value] }
      return { text: before.text + shifted(inner, before.parameters.length) + part, parameters: [...before.parameters, ...inner.parameters] }
    },
    { text: parts[0] ?? '', parameters: [] },
  )
}

/** The text with its parameters renumbered to come after `count` others. */
export const shifted = (statement: Sql, count: number) => statement.text.replace(/\$(\d+)/g, (_, number: string) => `$${Number(number) + count}`)

/** The text with its parameters written into it, for statements that take none: DDL, EXPLAIN. */
export const inlined = ({ text, parameters }: Sql) =>
  text.replace(/\$(\d+)/g, (_, number: string) => {
    const parameter = parameters[Number(number) - 1] ?? null
    return typeof parameter === 'string' ? literal(parameter) : String(parameter)
  })

const isSql = (value: Parameter | Sql): value is Sql => typeof value === 'object' && value !== null
