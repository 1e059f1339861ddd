import type { Json } from '@headwater/protocol'
import type { Database, SqlRow } from '../ports.ts'
import type { Job, Jobs } from './job.ts'

export function createJobs(database: Database): Jobs {
  const time = (column: string) => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as ${column}`
  return {
    list: async ({ setAside, limit = 100 } = {}) => {
      const rows = await database.query(
        `select id::text as id, key, name, payload::text as payload, ${time('due')}, attempts, error, ${time('set_aside_at')} from headwater.jobs
           where $1::text is null or (set_aside_at is not null)::text = $1::text order by headwater.jobs.due, headwater.jobs.id limit $2::int`,
        [setAside === undefined ? null : String(setAside), Math.max(0, Math.min(1_000, limit))],
      )
      return rows.map(jobOf)
    },
    retry: (id) => changed(database, id, 'update headwater.jobs set due = now(), attempts = 0, set_aside_at = null where id = $1::text::bigint returning 1'),
    discard: (id) => changed(database, id, 'delete from headwater.jobs where id = $1::text::bigint returning 1'),
  }
}

const changed = async (database: Database, id: string, statement: string) =>
  /^\d{1,18}$/.test(id) && (await database.query(`with changed as (${statement}) select count(*)::int as n from changed`, [id]))[0]?.n === 1

const jobOf = (row: SqlRow): Job => ({
  id: String(row.id),
  key: String(row.key),
  name: String(row.name),
  // A jsonb column as text.
  payload: JSON.parse(String(row.payload)) as Json,
  due: String(row.due),
  attempts: Number(row.attempts),
  error: row.error === null ? null : String(row.error),
  setAsideAt: row.set_aside_at === null ? null : String(row.set_aside_at),
})
