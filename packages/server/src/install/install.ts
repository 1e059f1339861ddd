// Puts the schema headwater, the app's tables and the capture of their changes in place. Run again, it changes nothing.
import { createHash } from 'node:crypto'
import { databaseId, HeadwaterError, historyId } from '@headwater/protocol'
import type { Grants } from '../api.ts'
import type { Identity } from '../feed/cursor.ts'
import type { Database, SqlRow, Transaction } from '../ports.ts'
import { type Relation, readRelations } from '../scopes/relation.ts'
import { checkRoles } from '../scopes/roles.ts'
import { captureDependency, captureTable, mendHint } from '../sql/capture.ts'
import { constraintsOf, createTable } from '../sql/create.ts'
import { putCaptures, wantedOf } from './captures.ts'
import type { Declared } from './declare.ts'
import { define, undoneIn } from './define.ts'
import { migrateOwn, migrationFiles, newestMigration } from './own.ts'
import { rightsFailure } from './rights.ts'
import { missingOf } from './tables.ts'

export interface Installed {
  readonly identity: Identity
  readonly relations: readonly Relation[]
  /** The app's tables were made just now: nothing is in them. */
  readonly isNew: boolean
}

/** Throws `schema` for a table that does not fit the schema, `grants` for grants that cannot be. Nothing of the app's tables has changed then. */
export async function install(database: Database, declared: Declared, grants: Grants): Promise<Installed> {
  const form = formOf(declared, grants)
  const found = await findInstalled(database, form).catch(async (error: unknown) => {
    throw await rightsFailure(database, error)
  })
  if (found !== null) return found
  await migrateOwn(database)
  return define(database, async (transaction) => {
    const missing = await missingOf(transaction, declared.serverSchema)
    if (missing.script !== '') await transaction.execute(missing.script)
    const { relations } = await putInPlace(transaction, declared, grants, { made: missing.tables, isExact: false })
    await remember(transaction, form, relations)
    const isNew = missing.tables.size > 0 && missing.tables.size === Object.keys(declared.serverSchema.definitions).length
    return { identity: await readIdentity(transaction), relations, isNew }
  })
}

interface PlaceOptions {
  readonly made: ReadonlySet<string>
  readonly isExact: boolean
}

export interface Placed {
  readonly relations: readonly Relation[]
  /** SQL names of tables that are to be loaded again. */
  readonly barriers: readonly string[]
}

/** The capture of all tables that are there, as the declared needs it. */
export async function putInPlace(transaction: Transaction, { schema, needs, capture }: Declared, grants: Grants, options: PlaceOptions): Promise<Placed> {
  const relations = await undoneIn(transaction, (inside) => readRelations(inside, schema, grants))
  await undoneIn(transaction, (inside) => checkRoles(inside, grants, needs))
  const barriers = await putCaptures(transaction, wantedOf(schema, relations, capture), { ...options, onMisfit: refuse })
  return { relations, barriers }
}

const refuse = (name: string, trouble: string) => {
  throw new HeadwaterError('schema', `Table ${name} does not fit the schema: ${trouble}.`, mendHint)
}

/** Everything that a start would put in place, as one short text: two starts with the same form find each other's work done. */
export function formOf({ serverSchema, schema, needs, capture }: Declared, grants: Grants): string {
  const stored = Object.entries(serverSchema.definitions).map(([name, table]) => [createTable(name, table), constraintsOf(serverSchema, name)])
  const captured = Object.entries(schema.definitions).map(([name, table]) => [
    name,
    table,
    captureTable(name, table, { read: new Set(), named: new Set(), kind: capture[name] ?? 'rows' }, unknownTable),
  ])
  return createHash('sha256')
    .update(
      JSON.stringify(
        [migrationFiles(), stored, captured, captureDependency('any', ['a'], [], true), captureDependency('any', ['a'], ['b'], true), grants, needs],
        // A column may have one as its default.
        (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value),
      ),
    )
    .digest('hex')
}

const unknownTable = { types: new Map(), isOwned: true }

/** Captures that are not as they were left, by what the catalogue says. */
const isTouched = `exists (select from headwater.captures c left join headwater.catalogue(array(select name from headwater.captures)) k on k.name = c.name
  where c.form is distinct from k.form or c.trouble is not null)`

/** A warm start asks one question. Anything but the same form with everything as it was left goes the long way. */
async function findInstalled(database: Database, form: string): Promise<Installed | null> {
  const present = await database.query(`select to_regclass('headwater.marks') is not null as present`)
  if (present[0]?.present !== true) return null
  const rows = await database.query(
    `select m.value, ${isTouched} as touched, i.database::text as database, i.history::text as history,
       (select max(number) from headwater.migrations) as newest from headwater.identity i, headwater.marks m where m.name = 'installed'`,
  )
  const row = rows[0]
  if (row === undefined) return null
  // remember() wrote it.
  const mark = JSON.parse(String(row.value)) as Mark
  if (mark.form !== form || row.touched === true || Number(row.newest) !== newestMigration()) return null
  return { identity: identityOf(row), relations: mark.relations, isNew: false }
}

interface Mark {
  readonly form: string
  readonly relations: readonly Relation[]
}

export async function remember(transaction: Transaction, form: string, relations: readonly Relation[]): Promise<void> {
  const mark: Mark = { form, relations }
  await transaction.query(
    `insert into headwater.marks (name, value) values ('installed', $1) on conflict (name) do update set value = excluded.value, at = now()`,
    [JSON.stringify(mark)],
  )
}

async function readIdentity(transaction: Transaction): Promise<Identity> {
  const rows = await transaction.query('select database::text as database, history::text as history from headwater.identity')
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
