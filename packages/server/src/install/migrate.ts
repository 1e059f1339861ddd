// Brings a database to what an app declares: its numbered files, what is missing of its schema, and the capture of all of it, in one commit with
// the barriers behind which devices load tables again.
import { HeadwaterError } from '@headwater/protocol'
import type { ServerOptions } from '../api.ts'
import type { Database, Transaction } from '../ports.ts'
import { mendHint } from '../sql/capture.ts'
import { putBarriers } from './captures.ts'
import { declaredOf } from './declare.ts'
import { define } from './define.ts'
import { type Destructive, destructiveIn, type MigrationFile, pendingOf, readMigrationFiles } from './files.ts'
import { formOf, putInPlace, remember } from './install.ts'
import { migrateOwn } from './own.ts'
import { missingOf } from './tables.ts'

export interface MigrateOptions {
  /** Of numbered SQL files, such as `0002-drop-colour.sql`; those that were not run here yet are. Without: none. */
  readonly folder?: string
  /** Everything is done, and undone: the answer says what it was. Takes the same locks for as long. */
  readonly isDryRun?: boolean
  /** Without, a file that drops, empties, deletes or changes types is refused. */
  readonly mayDestroy?: boolean
  /** Told what is being done, in a few words. */
  readonly onStep?: (step: string) => void
}

export interface Migrated {
  /** Names of the files that were run. */
  readonly files: readonly string[]
  /** What was run of these files, and what was missing of the schema. */
  readonly sql: string
  readonly destructive: readonly Destructive[]
  /** SQL names of tables that devices load again. */
  readonly loadedAgain: readonly string[]
}

/**
 * Runs what a database lacks of an app, all of it or nothing; run again, it does nothing. Rejects with `migration` for files that cannot be or
 * that PostgreSQL refuses, `destructive` where `mayDestroy` is needed, `schema` if the tables do not fit the schema after it, and `busy`.
 */
export async function migrate(
  database: Database,
  { grants, ...app }: Pick<ServerOptions, 'schema' | 'access' | 'grants' | 'capture'>,
  { folder, isDryRun = false, mayDestroy = false, onStep = () => {} }: MigrateOptions = {},
): Promise<Migrated> {
  const declared = declaredOf(app)
  const files = folder === undefined ? [] : readMigrationFiles(folder)
  await migrateOwn(database)
  const undo = new Undo()
  try {
    return await define(database, async (transaction) => {
      const pending = pendingOf(files, await transaction.query('select number::text as number, hash from headwater.app_migrations'))
      const destructive = pending.flatMap(destructiveIn)
      if (destructive.length > 0 && !mayDestroy && !isDryRun) throw destroys(destructive)
      if (pending.length > 0) await runFiles(transaction, pending, onStep)
      onStep('tables and capture')
      const missing = await missingOf(transaction, declared.serverSchema)
      if (missing.script !== '') await transaction.execute(missing.script)
      const { relations, barriers } = await putInPlace(transaction, declared, grants, { made: missing.tables, isExact: true })
      await remember(transaction, formOf(declared, grants), relations)
      const sql = [...pending.map(({ name, text }) => `-- ${name}\n${text.trim()}`), missing.script].filter((part) => part !== '').join('\n\n')
      const migrated = { files: pending.map(({ name }) => name), sql, destructive, loadedAgain: await loadedAgain(transaction, barriers) }
      if (!isDryRun) return migrated
      undo.migrated = migrated
      throw undo
    })
  } catch (error) {
    if (error === undo && undo.migrated !== null) return undo.migrated
    throw error
  }
}

class Undo extends Error {
  migrated: Migrated | null = null
}

async function runFiles(transaction: Transaction, files: readonly MigrationFile[], onStep: (step: string) => void): Promise<void> {
  const { putBack } = await putBarriers(transaction)
  for (const file of files) {
    onStep(file.name)
    const before = await transactionId(transaction)
    await transaction.execute(file.text).catch((error: unknown) => {
      throw refused(file, error)
    })
    if ((await transactionId(transaction)) !== before)
      throw new HeadwaterError('migration', `${file.name} ended its transaction.`, 'Leave BEGIN, COMMIT and ROLLBACK out: all files run in one.')
    await transaction.query('insert into headwater.app_migrations (number, name, hash) values ($1::text::bigint, $2, $3)', [
      String(file.number),
      file.name,
      file.hash,
    ])
  }
  await putBack()
}

async function transactionId(transaction: Transaction): Promise<string> {
  const rows = await transaction.query('select pg_current_xact_id()::text as id')
  return String(rows[0]?.id)
}

/** Those that were written to by a file are among them. */
async function loadedAgain(transaction: Transaction, barriers: readonly string[]): Promise<readonly string[]> {
  const rows = await transaction.query(`select current_setting('headwater.barriers', true) as written`)
  const written = String(rows[0]?.written ?? '')
    .split('|')
    .filter(Boolean)
  return [...new Set([...barriers, ...written])].sort()
}

function refused({ name }: MigrationFile, error: unknown): unknown {
  if (!(error instanceof HeadwaterError) || error.code !== 'sql' || ['55P03', '40P01'].includes(String(error.details.sqlstate))) return error
  const isAlone = error.details.sqlstate === '25001'
  const hint = isAlone ? 'All files run in one transaction. What cannot (CONCURRENTLY, VACUUM) is run by hand.' : error.hint || mendHint
  return new HeadwaterError('migration', `${name}: ${error.details.message} (${error.details.sqlstate}).`, hint, error.details)
}

const destroys = (found: readonly Destructive[]) =>
  new HeadwaterError(
    'destructive',
    `What these do cannot be undone: ${found.map(({ file, line, statement }) => `${file}:${line} ${statement}`).join('; ')}.`,
    'Give --yes, or --confirm with the name of the database. --dry-run shows all of it.',
  )
