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

/** The `$n` of a person's id, added when it is first asked for: PostgreSQL takes no parameter that nothing refers to. */
export type PersonParameter = () => string

export function createPerson(user: string, parameters: Parameters): PersonParameter {
  let person: string | null = null
  return () => {
    person ??= parameters.add(user)
    return person
  }
}

/**
 * An SQL condition: the person holds a scope that the row is in. `row` names the row (`t`, `changed`). Judged at the statement's own snapshot, with what the transaction wrote before.
 */
export function permit(table: TableDefinition, grants: Grants, row: string, person: PersonParameter, parameters: Parameters): string {
  const parts = table.memberships.flatMap(({ kind, column }) => heldSql(grants, kind, `${row}.${columnName(column)}`, null, person, parameters))
  return parts.length === 0 ? 'false' : `(${parts.join(' or ')})`
}

/** An SQL condition: the person holds the scope of this kind and key, with one of the roles, or another `but` these; null: with whichever. None where nobody is granted the kind. */
export function heldSql(
  grants: Grants,
  kind: string,
  key: string,
  roles: readonly string[] | { readonly but: readonly string[] } | null,
  person: PersonParameter,
  parameters: Parameters,
): readonly string[] {
  const grant = grants[kind]
  if (grant === undefined) return []
  const offset = parameters.list.length
  for (const parameter of grant.parameters) parameters.add(parameter)
  const isBut = roles !== null && 'but' in roles
  const list = (isBut ? roles.but : (roles ?? [])).map((role) => `${parameters.add(role)}::text`).join(', ')
  const asked = roles === null ? '' : ` and coalesce(g.role::text, '') ${isBut ? 'not in' : 'in'} (${list})`
  return [`exists (select 1 from (${shifted(grant, offset)}) g where g."user"::text = ${person()}::text and g.key::text = ${key}::text${asked})`]
}
