// What a start finds out of the relations of grants: which tables and columns they read, and whom a change of these concerns.
import { HeadwaterError } from '@headwater/protocol'
import type { Schema } from '@headwater/schema'
import type { GrantSql, Grants } from '../api.ts'
import type { SqlRow, Transaction } from '../ports.ts'
import { quoted } from '../sql/name.ts'
import { inlined } from '../sql/tag.ts'
import { inferBy } from './infer.ts'

/** A kind's relation. Plain data: a start remembers it in the database for the next. */
export interface Relation {
  readonly kind: string
  /** The types of its columns, as PostgreSQL names them. */
  readonly userType: string
  readonly keyType: string
  readonly hasUntil: boolean
  readonly reads: readonly TableRead[]
}

/** A table that a relation reads, by SQL names. */
export interface TableRead {
  readonly table: string
  /** A change of other columns alters nothing. */
  readonly columns: readonly string[]
  /** The columns that name people, and keys. Neither: a change concerns everybody. */
  readonly user: readonly string[]
  readonly key: readonly string[]
}

/**
 * Asks the database what the grants read, by making views of them in a transaction that is undone. Throws `grants`, naming the kind, if
 * one is not SQL for a relation ("user", key, role) or ("user", key, role, until) over tables, or names in `by` what is not there.
 */
export async function readRelations(transaction: Transaction, schema: Schema, grants: Grants): Promise<readonly Relation[]> {
  const kinds = new Set(Object.values(schema.definitions).flatMap(({ memberships }) => memberships.map(({ kind }) => kind)))
  for (const kind of kinds) {
    if (!Object.hasOwn(grants, kind))
      throw new HeadwaterError('grants', `Rows are in scopes of kind ${kind}, but no grants of that kind are given.`, `Add grants.${kind} to createServer.`)
  }
  const relations: Relation[] = []
  for (const [kind, grant] of Object.entries(grants)) {
    if (!kinds.has(kind))
      throw wrong(kind, 'are given, but no table is in scopes of that kind', 'Say it of a table: .in(kind, column), or leave the grants out.')
    relations.push(await readRelation(transaction, kind, grant))
  }
  return relations
}

async function readRelation(transaction: Transaction, kind: string, grant: GrantSql): Promise<Relation> {
  const view = await makeView(transaction, kind, grant)
  const types = await typesOf(transaction, kind, view)
  const tables = await tablesOf(transaction, kind, view)
  const definition = await transaction.query('select pg_get_viewdef($1::text::regclass) as definition', [view])
  const by = grant.by === undefined ? inferBy(String(definition[0]?.definition), tables) : checkBy(kind, grant.by, tables)
  const reads = tables.map(({ table, columns }) => ({ table, columns, user: by.get(table)?.user ?? [], key: by.get(table)?.key ?? [] }))
  return { kind, userType: types.get('user') ?? '', keyType: types.get('key') ?? '', hasUntil: types.has('until'), reads }
}

async function makeView(transaction: Transaction, kind: string, grant: GrantSql): Promise<string> {
  const view = quoted(`headwater_grants_of_${kind}`)
  try {
    await transaction.query(`create temp view ${view} as select g.* from (${inlined(grant)}) g`)
    await transaction.query(`select g."user"::text, g.key::text, g.role::text from ${view} g limit 0`)
  } catch (error) {
    // What the role may not read is its administrator's to give.
    if (error instanceof HeadwaterError && error.details.sqlstate === '42501') throw error
    const said = error instanceof HeadwaterError ? error.message : String(error)
    throw wrong(
      kind,
      `are not a relation ("user", key, role): ${said}`,
      'Name the columns with `as`: select id as "user", id as key, \'owner\' as role from users.',
    )
  }
  return `pg_temp.${view}`
}

/** A misspelt `until` would grant for ever: what is not known is refused. */
async function typesOf(transaction: Transaction, kind: string, view: string): Promise<ReadonlyMap<string, string>> {
  const rows = await transaction.query(
    `select a.attname as column, t.typname as type from pg_attribute a join pg_type t on t.oid = a.atttypid where a.attrelid = $1::text::regclass and a.attnum > 0`,
    [view],
  )
  const types = new Map(rows.map((row) => [String(row.column), String(row.type)]))
  const unknown = [...types.keys()].find((column) => !['user', 'key', 'role', 'until'].includes(column))
  if (unknown !== undefined) throw wrong(kind, `have a column ${unknown}`, 'A relation of grants is ("user", key, role), and perhaps until.')
  const until = types.get('until')
  if (until !== undefined && until !== 'timestamptz') throw wrong(kind, `have a column until of type ${until}`, 'A moment is a timestamptz: cast it.')
  return types
}

/** A table with the types of all of its columns. */
interface FoundTable {
  readonly table: string
  readonly columns: readonly string[]
  /** Of all of its columns; null: values of which the log does not have the text that SQL has. */
  readonly types: ReadonlyMap<string, string | null>
}

async function tablesOf(transaction: Transaction, kind: string, view: string): Promise<readonly FoundTable[]> {
  // A table of which no column is read is there as well: whether it has rows can decide.
  const rows = await transaction.query(
    `select distinct n.nspname as schema, c.relname as name, c.relkind::text as relkind, a.attname as column
       from pg_rewrite r
       join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
       join pg_class c on c.oid = d.refobjid
       join pg_namespace n on n.oid = c.relnamespace
       left join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid and d.refobjsubid > 0
      where r.ev_class = $1::text::regclass and c.oid <> $1::text::regclass`,
    [view],
  )
  for (const row of rows) {
    if (row.schema === 'public' && (row.relkind === 'r' || row.relkind === 'p')) continue
    throw wrong(kind, `read ${row.schema}.${row.name}, whose changes are not captured`, 'Read tables of schema public directly, not views.')
  }
  const tables: FoundTable[] = []
  for (const table of new Set(rows.map((row) => String(row.name)))) {
    const columns = rows.filter((row) => row.name === table && row.column !== null).map((row) => String(row.column))
    tables.push({ table, columns, types: await columnTypes(transaction, table) })
  }
  return tables
}

async function columnTypes(transaction: Transaction, table: string): Promise<ReadonlyMap<string, string | null>> {
  const rows = await transaction.query(
    `select a.attname as column, t.typname as type, t.typtype::text as typtype from pg_attribute a join pg_type t on t.oid = a.atttypid
      where a.attrelid = $1::text::regclass and a.attnum > 0 and not a.attisdropped`,
    [`public.${quoted(table)}`],
  )
  return new Map(rows.map((row) => [String(row.column), isPlain(row) ? String(row.type) : null]))
}

const isPlain = (row: SqlRow) => row.typtype === 'e' || ['text', 'varchar', 'uuid', 'int2', 'int4', 'int8'].includes(String(row.type))

/** By table, the columns that name people and keys. */
export type By = ReadonlyMap<string, { readonly user: readonly string[]; readonly key: readonly string[] }>

function checkBy(kind: string, by: NonNullable<GrantSql['by']>, tables: readonly FoundTable[]): By {
  return new Map(
    Object.entries(by).map(([name, { user = [], key = [], ...more }]) => {
      const table = tables.find((one) => one.table === name)
      const read = `It reads ${tables.map((one) => one.table).join(', ') || 'no table'}. Names are as SQL has them.`
      if (table === undefined) throw wrong(kind, `name table ${name} in by, which their SQL does not read`, read)
      const named = { user: [user].flat(), key: [key].flat() }
      if (Object.keys(more).length > 0 || named.user.length + named.key.length === 0)
        throw wrong(kind, `say of ${name} in by neither user nor key, or more than that`, `Write { ${name}: { user: 'user_id' } }.`)
      for (const column of [...named.user, ...named.key]) checkColumn(kind, table, column)
      return [name, named] as const
    }),
  )
}

function checkColumn(kind: string, { table, types }: FoundTable, column: string): void {
  const type = types.get(column)
  if (type === undefined) throw wrong(kind, `name ${table}.${column} in by, which does not exist`, `The table has ${[...types.keys()].join(', ')}.`)
  if (type === null)
    throw wrong(kind, `name ${table}.${column} in by, whose type names neither people nor keys`, 'It has to be text, a uuid, an integer or an enum.')
}

const wrong = (kind: string, what: string, hint: string) => new HeadwaterError('grants', `The grants of kind ${kind} ${what}.`, hint)
