import { HeadwaterError } from '@headwater/protocol'
import type { Config } from '../api.ts'
import type { Database } from '../ports.ts'

/** Runs an app's seed, once per database, in one transaction with the mark that says so: a crash leaves all of it or nothing. */
export async function seedOnce(database: Database, seed: NonNullable<Config['seed']>): Promise<boolean> {
  return database.transaction('write', async (transaction) => {
    const marked = await transaction.query(`insert into headwater.marks (name) values ('seed') on conflict do nothing returning name`)
    if (marked.length === 0) return false
    await seed(transaction)
    return true
  })
}

/** Whether `seedOnce` has run on it. Throws `not-installed` where there are no tables to be filled. */
export async function isSeeded(database: Database): Promise<boolean> {
  const present = await database.query(`select to_regclass('headwater.marks') is not null as present`)
  if (present[0]?.present !== true)
    throw new HeadwaterError('not-installed', 'Headwater is not installed in this database.', 'Run headwater migrate first, or headwater dev, which does both.')
  const rows = await database.query(`select exists (select from headwater.marks where name = 'seed') as seeded`)
  return rows[0]?.seeded === true
}
