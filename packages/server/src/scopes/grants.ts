import { HeadwaterError, type ScopeKey, scopeKey, type UserId, userId } from '@headwater/protocol'
import type { Schema } from '@headwater/schema'
import type { Grants, Sql } from '../api.ts'
import type { LogRow } from '../feed/log.ts'
import type { Parameter, Transaction } from '../ports.ts'
import { literal, quoted } from '../sql/name.ts'
import { shifted } from '../sql/tag.ts'

/** Which scopes a person holds, and with which roles, in one snapshot. */
export type Granted = ReadonlyMap<ScopeKey, ReadonlySet<string>>

/** What the grants read: per SQL table name, the columns. */
export type Dependencies = ReadonlyMap<string, ReadonlySet<string>>

export interface GrantReader {
  /** In the transaction's snapshot. Everybody asked about is in the answer, with no scopes if they hold none. */
  of(transaction: Transaction, users: readonly UserId[]): Promise<ReadonlyMap<UserId, Granted>>
  /** Whether a change of these could alter who holds what. */
  areTouchedBy(rows: readonly LogRow[]): boolean
}

export function createGrantReader(grants: Grants, dependencies: Dependencies): GrantReader {
  const statement = grantsStatement(grants)
  return {
    of: async (transaction, users) => {
      const granted = new Map<UserId, Map<ScopeKey, Set<string>>>(users.map((user) => [user, new Map()]))
      if (users.length === 0 || statement === null) return granted
      const rows = await transaction.query(statement.text, [...statement.parameters, JSON.stringify(users)])
      for (const row of rows) {
        const scopes = granted.get(userId(String(row.user)))
        const scope = scopeKey(String(row.kind), String(row.key))
        scopes?.set(scope, (scopes.get(scope) ?? new Set()).add(String(row.role)))
      }
      return granted
    },
    areTouchedBy: (rows) => rows.some((row) => isTouchedBy(row, dependencies)),
  }
}

function isTouchedBy(row: LogRow, dependencies: Dependencies): boolean {
  const columns = row.table === null ? undefined : dependencies.get(row.table)
  if (columns === undefined || row.op === 'm') return false
  if (row.op !== 'u' || row.old === null) return true
  return Object.keys(JSON.parse(row.old)).some((column) => columns.has(column))
}

/** Everything that the given people hold, as one statement. The people are its last parameter, as a JSON array. */
function grantsStatement(grants: Grants): Sql | null {
  const parameters: Parameter[] = Object.values(grants).flatMap(({ parameters: own }) => own)
  const people = `(select json_array_elements_text($${parameters.length + 1}::text::json))`
  let count = 0
  const parts = Object.entries(grants).map(([kind, grant]) => {
    const text = `select g."user"::text as "user", ${literal(kind)} as kind, g.key::text as key, g.role::text as role from (${shifted(grant, count)}) g
      where g."user"::text in ${people} and g.key is not null`
    count += grant.parameters.length
    return text
  })
  return parts.length === 0 ? null : { text: parts.join('\nunion all\n'), parameters }
}

/**
 * Asks the database which tables and columns the grants read, by making views of them in a transaction that is undone. Throws `grants`,
 * naming the kind, if one is not SQL for a relation ("user", key, role) over tables.
 */
export async function readDependencies(transaction: Transaction, schema: Schema, grants: Grants): Promise<Dependencies> {
  const dependencies = new Map<string, Set<string>>()
  const kinds = new Set(Object.values(schema.definitions).flatMap(({ memberships }) => memberships.map(({ kind }) => kind)))
  for (const kind of kinds) {
    if (!Object.hasOwn(grants, kind))
      throw new HeadwaterError('grants', `Rows are in scopes of kind ${kind}, but no grants of that kind are given.`, `Add grants.${kind} to createServer.`)
  }
  for (const [kind, grant] of Object.entries(grants)) {
    for (const { table, column } of await readsOf(transaction, kind, grant)) dependencies.set(table, (dependencies.get(table) ?? new Set()).add(column))
  }
  return dependencies
}

async function readsOf(transaction: Transaction, kind: string, grant: Sql): Promise<readonly { readonly table: string; readonly column: string }[]> {
  const view = quoted(`headwater_grants_of_${kind}`)
  const text = grant.text.replace(/\$(\d+)/g, (_, number: string) => parameterLiteral(grant.parameters[Number(number) - 1] ?? null))
  try {
    await transaction.query(`create temp view ${view} as select g."user"::text as "user", g.key::text as key, g.role::text as role from (${text}) g`)
  } catch (error) {
    const said = error instanceof HeadwaterError ? error.message : String(error)
    throw new HeadwaterError(
      'grants',
      `The grants of kind ${kind} are not a relation ("user", key, role): ${said}`,
      'Name the columns with `as`: select id as "user", id as key, \'owner\' as role from users.',
    )
  }
  const rows = await transaction.query(
    `select distinct n.nspname as schema, c.relname as name, c.relkind::text as relkind, a.attname as column
       from pg_rewrite r
       join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0
       join pg_class c on c.oid = d.refobjid
       join pg_namespace n on n.oid = c.relnamespace
       join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid
      where r.ev_class = $1::text::regclass and c.oid <> $1::text::regclass`,
    [`pg_temp.${view}`],
  )
  for (const row of rows) {
    if (row.schema === 'public' && (row.relkind === 'r' || row.relkind === 'p')) continue
    throw new HeadwaterError(
      'grants',
      `The grants of kind ${kind} read ${row.schema}.${row.name}, whose changes are not captured.`,
      'Read tables of schema public directly, not views.',
    )
  }
  return rows.map((row) => ({ table: String(row.name), column: String(row.column) }))
}

const parameterLiteral = (parameter: Parameter) => (typeof parameter === 'string' ? literal(parameter) : String(parameter))
