import type { TableDefinition } from '@headwater/schema'
import type { Grants } from '../api.ts'
import type { Parameter } from '../ports.ts'
import { columnName } from './name.ts'
import { shifted } from './tag.ts'

/**
 * Collects the parameters of a statement while its text is put together. `add` answers the `$n` of a parameter; the same object
 * given twice is one parameter.
 */
export interface Parameters {
  readonly list: readonly Parameter[]
  add(value: Parameter): string
}

export function createParameters(): Parameters {
  const list: Parameter[] = []
  return {
    list,
    add: (value) => {
      list.push(value)
      return `$${list.length}`
    },
  }
}

/**
 * An SQL condition: the person holds a scope that the row is in. `row` names the row (`t`, `changed`), `person` is the `$n` of the person's
 * id. Judged at the statement's own snapshot, with what the transaction wrote before.
 */
export function permit(table: TableDefinition, grants: Grants, row: string, person: string, parameters: Parameters): string {
  const parts = table.memberships.flatMap(({ kind, column }) => {
    const grant = grants[kind]
    if (grant === undefined) return []
    const offset = parameters.list.length
    for (const parameter of grant.parameters) parameters.add(parameter)
    return [`exists (select 1 from (${shifted(grant, offset)}) g where g."user"::text = ${person}::text and g.key::text = ${row}.${columnName(column)}::text)`]
  })
  return parts.length === 0 ? 'false' : `(${parts.join(' or ')})`
}
