// The numbered migrations of Headwater's own schema, each once and in order, each whole or not at all.
import { readdirSync, readFileSync } from 'node:fs'
import { HeadwaterError } from '@headwater/protocol'
import type { Database } from '../ports.ts'
import { define } from './define.ts'
import { makeCaptureRole } from './rights.ts'

const folder = new URL('./migrations/', import.meta.url)

export const migrationFiles = () =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort()

export const newestMigration = () => Number.parseInt(migrationFiles().at(-1) ?? '0', 10)

/** Servers that start at once take turns: whoever comes second finds the work done. Throws `version` for a database of a newer Headwater. */
export async function migrateOwn(database: Database): Promise<void> {
  const newest = newestMigration()
  const last = await define(database, async (transaction) => {
    // Asked of the tables: what a session remembers of names may be older than the lock that it waited for.
    const present = await transaction.query(
      `select exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'headwater' and c.relname = 'migrations') as present`,
    )
    const rows = present[0]?.present === true ? await transaction.query('select max(number) as last from headwater.migrations') : []
    const last = Number(rows[0]?.last ?? 0)
    for (const name of migrationFiles()) {
      const number = Number.parseInt(name, 10)
      if (number <= last) continue
      await transaction.execute(readFileSync(new URL(name, folder), 'utf8'))
      await transaction.query('insert into headwater.migrations (number, name) values ($1, $2)', [number, name])
    }
    if (last <= newest) await transaction.execute(makeCaptureRole)
    return last
  })
  if (last > newest)
    throw new HeadwaterError('version', `The database was migrated to ${last}, this server knows ${newest}.`, 'Start a newer version of Headwater.')
}
