// Puts the schema headwater, the app's tables and the capture of their changes in place. Run again, it changes nothing.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { databaseId, HeadwaterError, historyId } from '@headwater/protocol'
import type { Need, Schema } from '@headwater/schema'
import type { Grants } from '../api.ts'
import type { Identity } from '../feed/cursor.ts'
import type { Database, SqlRow } from '../ports.ts'
import { type Relation, readRelations } from '../scopes/relation.ts'
import { checkRoles } from '../scopes/roles.ts'
import { captureDependency, captureTable } from '../sql/capture.ts'
import { addColumn, constraintsOf, createTable } from '../sql/create.ts'
import { literal, snakeCase } from '../sql/name.ts'

const migrationsFolder = new URL('./migrations/', import.meta.url)

export interface Installed {
  readonly identity: Identity
  readonly relations: readonly Relation[]
  /** The app's tables were made just now: nothing is in them. */
  readonly isNew: boolean
}

/** What the app has declared: the schema of devices, that of the server, and the roles that its rules name. */
export interface Declared {
  readonly schema: Schema
  readonly serverSchema: Schema
  readonly needs: readonly Need[]
}

export async function install(database: Database, { schema, serverSchema, needs }: Declared, grants: Grants): Promise<Installed> {
  const form = formOf(serverSchema, schema, grants, needs)
  const found = await findInstalled(database, form)
  if (found !== null) return found
  await migrate(database)
  const isNew = await createTables(database, serverSchema)
  const relations = await undone(database, (transaction) => readRelations(transaction, schema, grants))
  await undone(database, (transaction) => checkRoles(transaction, grants, needs))
  await capture(database, schema, relations)
  await remember(database, form, relations)
  return { identity: await readIdentity(database), relations, isNew }
}

/** Everything that a start would put in place, as one short text: two starts with the same form find each other's work done. */
function formOf(serverSchema: Schema, schema: Schema, grants: Grants, needs: readonly Need[]): string {
  const stored = Object.entries(serverSchema.definitions).map(([name, table]) => [createTable(name, table), constraintsOf(serverSchema, name)])
  const captured = Object.entries(schema.definitions).map(([name, table]) => captureTable(name, table))
  return createHash('sha256')
    .update(JSON.stringify([migrationFiles(), stored, captured, captureDependency('any', ['a'], []), captureDependency('any', ['a'], ['b']), grants, needs]))
    .digest('hex')
}

const migrationFiles = () =>
  readdirSync(migrationsFolder)
    .filter((name) => name.endsWith('.sql'))
    .sort()

const newestMigration = () => Number.parseInt(migrationFiles().at(-1) ?? '0', 10)

/** Counts our triggers that are there and fire always: one that somebody dropped or disabled is missed in their number. The condition is open at its end. */
const triggerCount = `(select count(*)::int from pg_trigger t where t.tgname in ('0_headwater_rows', '0_headwater_truncate', '0_headwater_changed', '9_headwater_wake') and t.tgenabled = 'A'`

/** The columns of captured tables with their types: who alters one makes the next start look at everything again. */
const columnsHash = `(select md5(string_agg(c.name || ' ' || a.attname || ' ' || a.atttypid, ',' order by c.name, a.attnum)) from headwater.captures c
  join pg_attribute a on a.attrelid = to_regclass('public.' || quote_ident(c.name)) and a.attnum > 0 and not a.attisdropped)`

/** A warm start asks one question. Anything but the same form with all triggers and columns in place goes the long way. */
async function findInstalled(database: Database, form: string): Promise<Installed | null> {
  const present = await database.query(`select to_regclass('headwater.marks') is not null as present`)
  if (present[0]?.present !== true) return null
  const rows = await database.query(
    `select m.value, ${triggerCount}) as triggers, ${columnsHash} as columns, i.database::text as database, i.history::text as history,
       (select max(number) from headwater.migrations) as newest from headwater.identity i, headwater.marks m where m.name = 'installed'`,
  )
  const row = rows[0]
  if (row === undefined) return null
  // remember() wrote it.
  const mark = JSON.parse(String(row.value)) as Mark
  if (mark.form !== form || mark.triggers !== row.triggers || mark.columns !== row.columns || Number(row.newest) !== newestMigration()) return null
  return { identity: identityOf(row), relations: mark.relations, isNew: false }
}

interface Mark {
  readonly form: string
  readonly triggers: number
  readonly columns: string
  readonly relations: readonly Relation[]
}

async function remember(database: Database, form: string, relations: readonly Relation[]): Promise<void> {
  const rows = await database.query(`select ${triggerCount}) as triggers, ${columnsHash} as columns`)
  const mark: Mark = { form, triggers: Number(rows[0]?.triggers), columns: String(rows[0]?.columns), relations }
  await database.query(
    `insert into headwater.marks (name, value) values ('installed', $1) on conflict (name) do update set value = excluded.value, at = now()`,
    [JSON.stringify(mark)],
  )
}

/** The numbered migrations of Headwater's own schema, each once, in order. */
async function migrate(database: Database): Promise<void> {
  const present = await database.query(`select to_regclass('headwater.migrations') is not null as present`)
  const done = present[0]?.present === true ? await database.query('select number from headwater.migrations') : []
  const last = Math.max(0, ...done.map((row) => Number(row.number)))
  const files = migrationFiles()
  const newest = newestMigration()
  if (last > newest)
    throw new HeadwaterError('version', `The database was migrated to ${last}, this server knows ${newest}.`, 'Start a newer version of Headwater.')
  for (const name of files) {
    const number = Number.parseInt(name, 10)
    if (number <= last) continue
    const script = readFileSync(new URL(name, migrationsFolder), 'utf8')
    await once(database, `${script}\ninsert into headwater.migrations (number, name) values (${number}, ${literal(name)});`)
  }
}

/** Two servers may start at once: the one that comes second finds the work done, or waits for it. */
async function once(database: Database, script: string): Promise<void> {
  try {
    await database.execute(`select pg_advisory_xact_lock(4702111234474983746);\n${script}`)
  } catch (error) {
    const sqlstate = error instanceof HeadwaterError ? String(error.details.sqlstate) : ''
    // Made already, by the other one: 42P06, 42P07, 42710, 42701, 23505.
    if (!['42P06', '42P07', '42710', '42701', '23505'].includes(sqlstate)) throw error
  }
}

/** Makes the tables that are missing and adds the columns that are. What is there and differs is said, never changed. */
async function createTables(database: Database, schema: Schema): Promise<boolean> {
  const columns = await database.query(`select table_name as table, column_name as column from information_schema.columns where table_schema = 'public'`)
  const present = new Map<string, Set<string>>()
  for (const row of columns) present.set(String(row.table), (present.get(String(row.table)) ?? new Set()).add(String(row.column)))
  const statements = Object.entries(schema.definitions).flatMap(([name, table]) => {
    const have = present.get(snakeCase(name))
    if (have === undefined) return [createTable(name, table)]
    return Object.entries(table.columns).flatMap(([column, definition]) => (have.has(snakeCase(column)) ? [] : [addColumn(name, column, definition)]))
  })
  const named = await database.query(
    `select conname as name from pg_constraint c join pg_namespace n on n.oid = c.connamespace where n.nspname = 'public'
     union select indexname from pg_indexes where schemaname = 'public'`,
  )
  const names = new Set(named.map((row) => String(row.name)))
  const constraints = Object.keys(schema.definitions).flatMap((name) => constraintsOf(schema, name).filter((one) => !names.has(one.name)))
  const script = [...statements, ...constraints.map((one) => one.sql)].join('\n')
  if (script !== '') await once(database, script)
  return Object.keys(schema.definitions).every((name) => !present.has(snakeCase(name)))
}

/** Functions and triggers as this version makes them; replaced only where they differ, since replacing locks the table. */
async function capture(database: Database, schema: Schema, relations: readonly Relation[]): Promise<void> {
  const captured = new Set(Object.keys(schema.definitions).map(snakeCase))
  const scripts = [
    ...Object.entries(schema.definitions).map(([name, table]) => ({
      name: snakeCase(name),
      script: captureTable(name, table, readOf(relations, snakeCase(name))),
      triggers: 3,
    })),
    ...dependenciesOf(relations).filter(({ name }) => !captured.has(name)),
  ]
  const present = await database.query(
    `select name, script, ${triggerCount} and t.tgrelid = to_regclass('public.' || quote_ident(name))) as triggers from headwater.captures`,
  )
  const inPlace = new Map(present.map((row) => [String(row.name), row]))
  for (const { name, script, triggers } of scripts) {
    if (inPlace.get(name)?.script === script && inPlace.get(name)?.triggers === triggers) continue
    const remember = `insert into headwater.captures (name, script) values (${literal(name)}, ${literal(script)}) on conflict (name) do update set script = excluded.script;`
    await once(database, `${script}\n${remember}`)
  }
}

/** The columns of a table that grants read. */
const readOf = (relations: readonly Relation[], name: string) =>
  new Set(relations.flatMap(({ reads }) => reads.filter(({ table }) => table === name).flatMap(({ columns }) => columns)))

/** The tables that grants read, with the capture of those that no device holds. */
function dependenciesOf(relations: readonly Relation[]) {
  const reads = relations.flatMap((relation) => relation.reads)
  return [...new Set(reads.map(({ table }) => table))].map((name) => {
    const own = reads.filter(({ table }) => table === name)
    const read = [...new Set(own.flatMap(({ columns }) => columns))].sort()
    const named = [...new Set(own.flatMap(({ user, key }) => [...user, ...key]))].sort()
    return { name, script: captureDependency(name, read, named), triggers: named.length === 0 ? 2 : 3 }
  })
}

async function readIdentity(database: Database): Promise<Identity> {
  const rows = await database.query('select database::text as database, history::text as history from headwater.identity')
  return identityOf(rows[0] ?? {})
}

const identityOf = (row: SqlRow): Identity => ({ database: databaseId(String(row.database)), history: historyId(String(row.history)) })

class Undone extends Error {}

/** What `run` answers, and nothing of what it did. */
export async function undone<T>(database: Database, run: Parameters<typeof database.transaction<T>>[1]): Promise<T> {
  let answer: { readonly value: T } | null = null
  try {
    await database.transaction('write', async (transaction) => {
      answer = { value: await run(transaction) }
      throw new Undone()
    })
  } catch (error) {
    if (!(error instanceof Undone)) throw error
  }
  // Undone is only thrown after the answer was set.
  return (answer as { readonly value: T } | null)?.value as T
}
