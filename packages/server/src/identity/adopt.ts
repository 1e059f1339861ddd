// What somebody decided that a database is. Invariant: the decision is in the database, in one transaction, so that every server believes it, wherever
// it keeps its own memory.
import { HeadwaterError } from '@headwater/protocol'
import { migrateOwn } from '../install/own.ts'
import type { Database, Statement } from '../ports.ts'

/**
 * `same`: it is the one that it says it is, moved or as it was. `copy`: another database from now on. `restore`: taken back on purpose. `failover`: it took the place of one
 * that is gone, and lacks the end of its past.
 */
export type Adoption = 'same' | 'copy' | 'restore' | 'failover'
export const adoptions: readonly Adoption[] = ['same', 'copy', 'restore', 'failover']

export interface Adopted {
  readonly database: string
  readonly history: string
}

/**
 * Decides what a database is, for all servers that find it held. `insteadOf`: the id of the database that stood in its place, where another one did. Twice is harmless: devices load
 * once more. Throws `not-installed` where Headwater has never run, unless it is to begin anew there in another's place.
 */
export async function adoptDatabase(database: Database, kind: Adoption, insteadOf: string | null = null): Promise<Adopted> {
  const present = await database.query(`select to_regclass('headwater.identity') is not null as present`)
  const isBegun = kind === 'same' && insteadOf !== null
  if (present[0]?.present !== true && !isBegun)
    throw new HeadwaterError('not-installed', 'Headwater is not installed in this database.', 'There is nothing in it that it could be taken for.')
  if (present[0]?.present !== true) await migrateOwn(database)
  const rows = await database.batch([
    { text: 'select pg_advisory_xact_lock(4702111234474983746)::text', parameters: [] },
    ...((await isOwn(database)) ? [] : renumbered),
    { text: decide, parameters: [kind, insteadOf] },
    ...(kind === 'same' ? [] : [{ text: begin, parameters: [kind] }]),
    ...(kind === 'copy' ? [{ text: setJobsAside, parameters: [] }] : []),
    { text: 'select database::text as database, history::text as history from headwater.identity', parameters: [] },
  ])
  const row = rows.at(-1)?.[0] ?? {}
  return { database: String(row.database), history: String(row.history) }
}

async function isOwn(database: Database): Promise<boolean> {
  const rows = await database.query('select xmin::text::numeric = mod(xid::text::numeric, 4294967296) as own from headwater.witness limit 1')
  return rows[0]?.own === true
}

/** Rows that were loaded from a dump get a transaction number of this database: those of another would be news for ever. */
const renumbered: readonly Statement[] = ['witness', 'log', 'mutations'].map((table) => ({
  text: `update headwater.${table} set xid = pg_current_xact_id()`,
  parameters: [],
}))

const decide = `update headwater.identity set decision = gen_random_uuid(), replaces = $2::text::uuid,
  database = case when $1 = 'copy' then gen_random_uuid() else database end,
  history = case when $1 = 'same' then history else gen_random_uuid() end,
  floor = case when $1 = 'same' then floor else pg_current_xact_id() end`

const begin = 'insert into headwater.histories (history, kind) select history, $1 from headwater.identity'

/** The original does them. */
const setJobsAside = `update headwater.jobs set set_aside_at = now(), error = 'The database was copied while it waited.' where set_aside_at is null`
