// Which columns of a row a person sees, as SQL: what a device does not get, a mutator of its person cannot find out on the server either.
import { columnOf as columnNamed, type Membership, type TableDefinition } from '@headwater/schema'
import type { Grants } from '../api.ts'
import { columnName } from './name.ts'
import { heldSql, type Parameters, type PersonParameter } from './permit.ts'

/** A condition that holds where the person sees a column of the row; null: whoever sees the row sees the column. */
export type Shown = (column: string) => string | null

/** `row` names the row (`t`, `before`). */
export function shownSql(table: TableDefinition, grants: Grants, row: string, person: PersonParameter, parameters: Parameters): Shown {
  return (column) => {
    columnNamed(table, column, 'query')
    if (table.key.includes(column) || table.memberships.every((membership) => rolesWithout(membership, column)?.length === 0)) return null
    const parts = table.memberships.flatMap((membership) => {
      const without = rolesWithout(membership, column)
      if (without === null) return []
      return heldSql(grants, membership.kind, `${row}.${columnName(membership.column)}`, without.length > 0 ? { but: without } : null, person, parameters)
    })
    return parts.length === 0 ? 'false' : `(${parts.join(' or ')})`
  }
}

/** The columns that not everybody sees who sees a row. */
export const partlyShown = (table: TableDefinition): readonly string[] =>
  Object.keys(table.columns).filter(
    (column) => !table.key.includes(column) && table.memberships.some((membership) => rolesWithout(membership, column)?.length !== 0),
  )

/** Roles that do not show the column of a row that is in a scope by this line; null: nobody sees it by this line. */
function rolesWithout({ column: own, columns }: Membership, column: string): readonly string[] | null {
  if (columns === undefined || own === column) return []
  if (Array.isArray(columns)) return columns.includes(column) ? [] : null
  return Object.entries(columns).flatMap(([role, names]) => (names.includes(column) ? [] : [role]))
}
