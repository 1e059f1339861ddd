// Invariant: a database is in use by one app at a time, and whoever takes it finds it empty and a stranger to every device there was.
import type { Schema } from '@headwater/schema'
import { type Database, type EmbeddedDatabase, openEmbedded } from '@headwater/server'

export interface Ground {
  /** Its `close` does nothing: it is used again. */
  readonly database: Database
  /** Takes every row of the app and of Headwater, and makes it another database to devices. Tables stay. */
  empty(): Promise<void>
  /** Gives it back, for the next app of the same schema. */
  release(): void
}

interface Free {
  readonly opened: EmbeddedDatabase
  /** Closes it, unless it is taken before. */
  readonly closing: NodeJS.Timeout
}

/** Opening one takes a second, emptying one some milliseconds: a process keeps those it has, with the tables of their schema in place. */
const freeBySchema = new WeakMap<Schema, Free[]>()

/** An embedded database keeps its process for up to ten seconds after its last statement, by a timer of PostgreSQL's own: one that nobody takes is closed before. */
const idleMs = 2_000

export async function takeGround(schema: Schema): Promise<Ground> {
  const free = freeBySchema.get(schema) ?? []
  freeBySchema.set(schema, free)
  const taken = free.pop()
  clearTimeout(taken?.closing)
  const opened = taken?.opened ?? (await openEmbedded({ directory: null }))
  return {
    database: { ...opened, close: async () => {} },
    empty: () => opened.execute(emptying),
    release: () => {
      const closing = setTimeout(() => {
        free.splice(free.indexOf(one), 1)
        // Nobody is left who could be told that it did not close.
        opened.close().catch(() => {})
      }, idleMs)
      closing.unref()
      const one: Free = { opened, closing }
      free.push(one)
    },
  }
}

/**
 * Tables that hold nothing are passed over: looking costs less than deleting. The triggers of the app and of foreign keys do not run;
 * Headwater's own do, and what they log goes last.
 */
const emptying = `do $$
declare
  one record;
  used boolean;
begin
  set local session_replication_role = replica;
  for one in
    select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'r' and (n.nspname = 'public' or n.nspname = 'headwater' and c.relname not in ('migrations', 'identity', 'witness', 'captures', 'marks'))
     order by n.nspname desc, c.relname = 'log'
  loop
    execute format('select exists (select from %s)', one.name) into used;
    if used then
      execute format('delete from %s', one.name);
    end if;
  end loop;
  for one in select format('%I.%I', schemaname, sequencename) as name from pg_sequences where schemaname = 'public' and last_value is not null loop
    execute format('alter sequence %s restart', one.name);
  end loop;
  if to_regclass('headwater.identity') is not null then
    update headwater.identity set database = gen_random_uuid(), history = gen_random_uuid(), floor = pg_current_xact_id();
    insert into headwater.histories (history, kind) select history, 'first' from headwater.identity;
  end if;
end $$`
