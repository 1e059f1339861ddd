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
