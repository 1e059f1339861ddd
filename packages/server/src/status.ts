import { HeadwaterError } from '@headwater/protocol'
import { readServers, type ServerSeen } from './operations/heartbeat.ts'
import type { Database } from './ports.ts'
import { quoted } from './sql/name.ts'

/** What a database holds. */
export interface DatabaseStatus {
  readonly database: { readonly kind: string; readonly id: string; readonly history: string; readonly version: string }
  readonly log: LogStatus
  /** Why captured tables cannot be served, by SQL name: they do not fit the schema, and nobody can write to them. Empty: all is well. */
  readonly troubles: Readonly<Record<string, string>>
  /** Rows that reach no device, because they are larger than any could take: by SQL name of their table and key, 1,000 at most. Those that have gone leave within a minute. */
  readonly withheld: readonly { readonly table: string; readonly key: string; readonly bytes: number }[]
  /** Rows per captured table, by SQL name. Exact: each table is counted. */
  readonly tables: Readonly<Record<string, number>>
  /** Devices that ever greeted, and mutations by outcome. */
  readonly devices: number
  readonly mutations: { readonly applied: number; readonly refused: number }
  /** Servers that run on it, as far as they said so within the last 45 seconds. An embedded database has one at most, which says nothing. */
  readonly servers: readonly ServerSeen[]
  /** Work after commit: what waits or is under way, what was given up, and since when the first of those that wait has been due. RFC 3339; null: none is. */
  readonly jobs: { readonly waiting: number; readonly setAside: number; readonly oldestDue: string | null }
}

/** The log of changes. Times are RFC 3339. */
export interface LogStatus {
  readonly rows: number
  /** On disk, with its indexes. */
  readonly bytes: number
  /** Of its first row; null: it is empty. */
  readonly oldest: string | null
  /** The number of the transaction from which on it is whole. */
  readonly floor: string
  /** When rows were last taken away; null: never. */
  readonly prunedAt: string | null
  /** What keeps rows that are beyond the limits: `an open transaction`, or the name of a hold in headwater.log_holds; null: nothing. */
  readonly heldBy: string | null
}

export async function readStatus(database: Database): Promise<DatabaseStatus> {
  const tables = await capturedTables(database)
  const counts = tables.map((name, i) => `, (select count(*) from public.${quoted(name)})::text as "t${i}"`)
  const rows = await database.query(
    `select i.database::text as id, i.history::text as history, current_setting('server_version') as version, (select count(*) from headwater.log)::text as log_rows,
       pg_total_relation_size('headwater.log')::text as log_bytes, i.floor::text as floor, ${timestamp('(select l.at from headwater.log l order by l.xid, l.seq limit 1)')} as oldest,
       ${timestamp('p.at')} as pruned_at, p.value as held_by, (select count(*) from headwater.devices)::text as devices,
       (select count(*) from headwater.mutations where outcome = 'applied')::text as applied,
       (select count(*) from headwater.mutations where outcome = 'refused')::text as refused,
       (select json_build_object('waiting', count(*) filter (where set_aside_at is null), 'setAside', count(set_aside_at),
          'oldestDue', ${timestamp('min(due) filter (where set_aside_at is null and due <= now())')})
        from headwater.jobs)::text as jobs,
       (select coalesce(json_agg(json_build_object('table', table_name, 'key', key, 'bytes', bytes) order by table_name, key), '[]') from headwater.withheld)::text as withheld,
       (select coalesce(json_object_agg(name, trouble), '{}') from headwater.captures where trouble is not null)::text as troubles${counts.join('')}
       from headwater.identity i left join headwater.marks p on p.name = 'pruned'`,
  )
  const row = rows[0] ?? {}
  return {
    database: { kind: database.kind, id: String(row.id), history: String(row.history), version: String(row.version) },
    log: {
      rows: Number(row.log_rows),
      bytes: Number(row.log_bytes),
      oldest: textOf(row.oldest),
      floor: String(row.floor),
      prunedAt: textOf(row.pruned_at),
      heldBy: textOf(row.held_by),
    },
    // Built above in this form.
    troubles: JSON.parse(String(row.troubles)) as DatabaseStatus['troubles'],
    withheld: JSON.parse(String(row.withheld)) as DatabaseStatus['withheld'],
    tables: Object.fromEntries(tables.map((name, i) => [name, Number(row[`t${i}`])])),
    devices: Number(row.devices),
    mutations: { applied: Number(row.applied), refused: Number(row.refused) },
    servers: await readServers(database),
    // Built above in this form.
    jobs: JSON.parse(String(row.jobs)) as DatabaseStatus['jobs'],
  }
}

const timestamp = (expression: string) => `to_char((${expression}) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
const textOf = (value: unknown) => (value === null ? null : String(value))

async function capturedTables(database: Database): Promise<readonly string[]> {
  const installed = await database.query(`select to_regclass('headwater.captures') is not null as present`)
  if (installed[0]?.present !== true)
    throw new HeadwaterError('not-installed', 'Headwater is not installed in this database.', 'Start a server on it once, or give another --database.')
  const rows = await database.query(`select c.name from headwater.captures c where to_regclass('public.' || quote_ident(c.name)) is not null order by 1`)
  return rows.map((row) => String(row.name))
}
