// What each person may hold after each transaction, worked out anew and in the plainest way: the app's grants as SQL over the past, and
// loops over the rows.
import type { Membership, Schema, TableDefinition } from '@headwater/schema'
import type { Database, Sql } from '@headwater/server'
import { snakeCase } from '../../../packages/server/src/sql/name.ts'
import type { Past, Row, State } from './past.ts'

/** Person to scope to roles. */
export type Holdings = ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>

/** The grants after every transaction. */
export async function holdingsOf(database: Database, past: Past, grants: Readonly<Record<string, Sql>>): Promise<readonly Holdings[]> {
  const answers: Holdings[] = []
  for (const state of past.states) answers.push(await holdingsIn(database, state, grants))
  return answers
}

/** Tables of the past take the place of the real ones: the grants' SQL does not qualify their names. */
async function holdingsIn(database: Database, state: State, grants: Readonly<Record<string, Sql>>): Promise<Holdings> {
  const tables = [...state].map(([name], i) => `"${name}" as (select * from jsonb_populate_recordset(null::public."${name}", $${i + 1}::text::jsonb))`)
  const parts = Object.entries(grants).map(
    ([kind, { text }]) => `select g."user"::text as person, '${kind}:' || g.key::text as scope, g.role::text as role from (${text}) g where g.key is not null`,
  )
  const rows = await database.query(
    `with ${tables.join(', ')} ${parts.join(' union all ')}`,
    [...state.values()].map((table) => JSON.stringify([...table.values()])),
  )
  const holdings = new Map<string, Map<string, Set<string>>>()
  for (const { person, scope, role } of rows) {
    const scopes = holdings.get(String(person)) ?? new Map<string, Set<string>>()
    holdings.set(String(person), scopes)
    scopes.set(String(scope), (scopes.get(String(scope)) ?? new Set()).add(String(role)))
  }
  return holdings
}

/** The rows that somebody with these scopes holds of a table, by key, each with the columns they may see, by the schema's names. */
export function rowsHeld(
  table: TableDefinition,
  rows: ReadonlyMap<string, Row>,
  granted: ReadonlySet<string>,
  held: ReadonlySet<string>,
  roles: ReadonlyMap<string, ReadonlySet<string>>,
): ReadonlyMap<string, Row> {
  const found = new Map<string, Row>()
  for (const [key, row] of rows) {
    const seen = new Set<string>()
    for (const membership of table.memberships) {
      const { kind, column, load } = membership
      const scope = `${kind}:${row[snakeCase(column)]}`
      if (row[snakeCase(column)] === null || !(load === 'eager' ? granted : held).has(scope)) continue
      for (const name of columnsShown(table, membership, roles.get(scope) ?? new Set())) seen.add(name)
    }
    if (seen.size > 0) found.set(key, Object.fromEntries([...seen].map((name) => [name, asShown(row[snakeCase(name)])])))
  }
  return found
}

/** PostgreSQL's JSON writes times to the digit that is not 0, and devices show them to the microsecond. */
function asShown(value: unknown): unknown {
  const [, seconds, parts = ''] = (typeof value === 'string' && /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?\+00:00$/.exec(value)) || []
  return seconds ? `${seconds}.${parts.padEnd(6, '0')}Z` : value
}

function columnsShown(table: TableDefinition, { column, columns }: Membership, roles: ReadonlySet<string>): readonly string[] {
  const all = Object.keys(table.columns)
  if (columns === undefined) return all
  // A list is for everybody; by role, whoever has a role that is not named sees all.
  const shown = Array.isArray(columns) ? columns : [...roles].flatMap((role) => (Object.hasOwn(columns, role) ? Reflect.get(columns, role) : all))
  return [...table.key, column, ...shown]
}

/** Everything that a person may ever have been shown of a state: all scopes, on demand or not. */
export function rowsShown(schema: Schema, state: State, holdings: ReadonlyMap<string, ReadonlySet<string>>): readonly Row[] {
  const all = new Set(holdings.keys())
  return Object.entries(schema.definitions).flatMap(([name, table]) => [
    ...rowsHeld(table, state.get(snakeCase(name)) ?? new Map(), all, all, holdings).values(),
  ])
}
