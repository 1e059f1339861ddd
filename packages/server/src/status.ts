import type { Schema } from '@headwater/schema'
import type { ServerStatus } from './api.ts'
import type { Identity } from './feed/cursor.ts'
import type { Database } from './ports.ts'
import { tableName } from './sql/name.ts'

/** What a database holds, for people. Row counts are exact: each table is counted. */
export async function readStatus(database: Database, schema: Schema, identity: Identity): Promise<Omit<ServerStatus, 'devices' | 'people'>> {
  const counts = Object.keys(schema.definitions).map((name, i) => `(select count(*) from ${tableName(name)})::text as "t${i}"`)
  const rows = await database.query(
    `select version() as version, (select count(*) from headwater.log)::text as log_rows, pg_total_relation_size('headwater.log')::text as log_bytes${counts.map((count) => `, ${count}`).join('')}`,
  )
  const row = rows[0] ?? {}
  return {
    database: { kind: database.kind, id: identity.database, history: identity.history, version: String(row.version).split(' on ', 1)[0] ?? '' },
    log: { rows: Number(row.log_rows), bytes: Number(row.log_bytes) },
    tables: Object.fromEntries(Object.keys(schema.definitions).map((name, i) => [name, Number(row[`t${i}`])])),
  }
}
