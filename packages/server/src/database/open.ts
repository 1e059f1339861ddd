import type { Database } from '../ports.ts'
import { openEmbedded } from './embedded.ts'
import { openNative } from './native/native.ts'
import { openPostgres } from './postgres.ts'

/**
 * The database that an app's options name: one that is open already, the URL of a PostgreSQL, `native` or nothing, which is an embedded one; both in `directory`.
 * `directUrl`: the server itself, where the URL leads through a pooler.
 */
export async function openDatabase(given: string | Database | undefined, directory: string, directUrl?: string): Promise<Database> {
  if (given === undefined) return openEmbedded({ directory })
  if (given === 'native') return openNative({ directory })
  return typeof given === 'string' ? openPostgres(given, { directUrl }) : given
}
