import type { Database } from '../ports.ts'
import { openEmbedded } from './embedded.ts'
import { openPostgres } from './postgres.ts'

/** The database that an app's options name: one that is open already, the URL of a PostgreSQL, or nothing, which is an embedded one in `directory`. */
export async function openDatabase(given: string | Database | undefined, directory: string): Promise<Database> {
  if (given === undefined) return openEmbedded({ directory })
  return typeof given === 'string' ? openPostgres(given) : given
}
