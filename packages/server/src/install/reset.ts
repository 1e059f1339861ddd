// Everything of the app and of Headwater out of a database.
import { adoptDatabase } from '../identity/adopt.ts'
import type { Database } from '../ports.ts'
import { define } from './define.ts'
import { dropCaptureRole } from './rights.ts'
import { refuseWhileServed } from './uninstall.ts'

export interface Reset {
  /** What was removed, by SQL name. */
  readonly tables: readonly string[]
}

/** The tables that a reset would remove, by SQL name. */
export async function tablesToReset(database: Pick<Database, 'query'>): Promise<readonly string[]> {
  const rows = await database.query(`select c.relname as name from ${own('pg_class', 'c', 'relnamespace')} and c.relkind in ('r', 'p') order by 1`)
  return rows.map(({ name }) => String(name))
}

/**
 * Removes all tables, views, functions and types from the schema `public`, but for those of extensions, and Headwater with all it knows: rows, log, devices, outcomes of
 * mutations, jobs. All of it or nothing. The next start or migration makes the tables anew, as another database: devices load again, and do not
 * send what was pending. Rejects with `in-use` while a server runs on it, with `rights` where something belongs to somebody else, and with `busy`.
 */
export async function resetDatabase(database: Database): Promise<Reset> {
  const present = await database.query(`select to_regclass('headwater.identity') is not null as present`)
  const before = present[0]?.present === true ? await database.query('select database::text as id from headwater.identity') : []
  const tables = await define(database, async (transaction) => {
    if (before.length > 0) await refuseWhileServed(transaction)
    const removed = await tablesToReset(transaction)
    await transaction.execute('drop schema if exists headwater cascade')
    await transaction.execute(removal)
    await transaction.execute(dropCaptureRole)
    return removed
  })
  // Servers that remember the one of before know by this that it was meant.
  if (before[0]) await adoptDatabase(database, 'same', String(before[0].id))
  return { tables }
}

/** Of the schema `public`, without what an extension has brought. */
function own(catalogue: string, alias: string, schema: string): string {
  return `${catalogue} ${alias} where ${alias}.${schema} = to_regnamespace('public')
    and not exists (select from pg_depend d where d.classid = '${catalogue}'::regclass and d.objid = ${alias}.oid and d.deptype = 'e')`
}

/** All statements are known before the first is run: one removes what another is about. */
const removal = `do $$
declare
  statement text;
begin
  foreach statement in array (
    select coalesce(array_agg(s.text order by s.place), '{}') from (
      select 1 as place, format('drop %s if exists %I.%I cascade', case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' else 'table' end,
          'public', c.relname) as text
        from ${own('pg_class', 'c', 'relnamespace')} and c.relkind in ('r', 'p', 'v', 'm', 'f')
      union all
      select 2, format('drop sequence if exists public.%I cascade', c.relname) from ${own('pg_class', 'c', 'relnamespace')} and c.relkind = 'S'
      union all
      select 3, format('drop %s if exists %s cascade', case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end, p.oid::regprocedure)
        from ${own('pg_proc', 'p', 'pronamespace')}
      union all
      select 4, format('drop type if exists public.%I cascade', t.typname) from ${own('pg_type', 't', 'typnamespace')}
          and (t.typtype in ('e', 'd', 'r') or (t.typtype = 'c' and exists (select from pg_class c where c.oid = t.typrelid and c.relkind = 'c')))
    ) s
  ) loop
    execute statement;
  end loop;
end $$`
