import { HeadwaterError } from '@headwater/protocol'
import type { Database, Transaction } from '../ports.ts'
import { rightsFailure } from './rights.ts'

/** Held by whoever changes tables, triggers or functions: servers that start at once, and migrations. */
const lock = '4702111234474983746'
const triesMax = 3

/**
 * A transaction that changes definitions: one at a time on a database, all of it or nothing. It waits for others to let go of a table for ten
 * seconds at most, since everybody who comes meanwhile waits behind it; rejects with `busy` after several tries, with `rights` where the role may not.
 */
export async function define<T>(database: Database, run: (transaction: Transaction) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await database.transaction('define', async (transaction) => {
        await transaction.query(`select pg_advisory_xact_lock(${lock})::text`)
        await transaction.query(`select set_config('lock_timeout', '10s', true)`)
        return run(transaction)
      })
    } catch (error) {
      const sqlstate = error instanceof HeadwaterError ? String(error.details.sqlstate) : ''
      if (sqlstate !== '55P03' && sqlstate !== '40P01') throw await rightsFailure(database, error)
      if (tries === triesMax)
        throw new HeadwaterError(
          'busy',
          'Others keep using a table that is to be changed.',
          'End long transactions on it (pg_stat_activity names them), and try again.',
        )
    }
  }
}

/** What `run` answers, and nothing of what it did. */
export async function undoneIn<T>(transaction: Transaction, run: (transaction: Transaction) => Promise<T>): Promise<T> {
  await transaction.query('savepoint headwater_undone')
  const answer = await run(transaction)
  await transaction.query('rollback to savepoint headwater_undone')
  return answer
}
