import { HeadwaterError } from '@headwater/protocol'
import { readServers } from '../operations/heartbeat.ts'
import type { Database, Transaction } from '../ports.ts'
import { define } from './define.ts'
import { dropCaptureRole } from './rights.ts'

export interface Uninstalled {
  /** SQL names of the tables that were captured: they stay, with all of their rows. */
  readonly tables: readonly string[]
}

/**
 * Takes away all that Headwater has put into a database but the app's own tables: triggers, functions, the log, devices, outcomes of mutations and
 * jobs. All of it or nothing. Devices that come later, to a new install, load again and send what is pending in their outboxes; what was
 * applied before is forgotten. Rejects with `not-installed`, with `in-use` while a server runs on it, and with `busy`.
 */
export async function uninstall(database: Database): Promise<Uninstalled> {
  const installed = await database.query(`select exists (select from pg_namespace where nspname = 'headwater') as present`)
  if (installed[0]?.present !== true)
    throw new HeadwaterError('not-installed', 'Headwater is not installed in this database.', 'Is it the right one? Give --database.')
  return define(database, async (transaction) => {
    await refuseWhileServed(transaction)
    const rows = await transaction.query('select name from headwater.captures order by name')
    // The triggers go with their functions.
    await transaction.execute('drop schema headwater cascade')
    await transaction.execute(dropCaptureRole)
    return { tables: rows.map(({ name }) => String(name)) }
  })
}

/** Throws `in-use` while servers run on the database, as far as they said so. */
export async function refuseWhileServed({ query }: Pick<Transaction, 'query'>): Promise<void> {
  const servers = await readServers({ query })
  if (servers.length === 0) return
  const named = servers.map(({ host, pid }) => `${host} (process ${pid})`).join(', ')
  throw new HeadwaterError('in-use', `Servers run on this database: ${named}.`, 'Stop them first. One that was killed is forgotten after 45 seconds.')
}
