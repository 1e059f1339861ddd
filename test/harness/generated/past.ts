// What the database held after each of its transactions, recorded by triggers of the test's own, which know nothing of
// Headwater's. The last thing before a commit takes a lock until the commit is seen by others: so the order in which it is got is the order of the commits.

import type { Schema } from '@headwater/schema'
import type { Database } from '@headwater/server'
import { snakeCase } from '../../../packages/server/src/sql/name.ts'

export type Row = Readonly<Record<string, unknown>>
/** SQL table name to key to row, both by SQL names. */
export type State = ReadonlyMap<string, ReadonlyMap<string, Row>>

export interface Past {
  /** After each transaction that wrote, in order; the first is before any. */
  readonly states: readonly State[]
  readonly xids: readonly bigint[]
}

export async function recordPast(database: Database, schema: Schema): Promise<void> {
  await database.execute(`
    create schema past;
    create table past.writes (seq bigserial primary key, xid xid8 not null default pg_current_xact_id(), name text not null, key text, row jsonb,
      snapshot pg_snapshot not null default pg_current_snapshot());
    create table past.commits (place bigserial primary key, xid xid8 not null unique);
    -- A row has an id, or says who is in what.
    create function past.key_of(of jsonb) returns text language sql immutable as $$
      select coalesce(of ->> 'id', concat(coalesce(of ->> 'team_id', of ->> 'project_id'), ' ', of ->> 'user_id'))
    $$;
    create function past.write() returns trigger language plpgsql as $$
    begin
      if tg_op = 'TRUNCATE' then
        insert into past.writes (name) values (tg_table_name);
        return null;
      end if;
      if tg_op <> 'INSERT' then
        insert into past.writes (name, key) values (tg_table_name, past.key_of(to_jsonb(old)));
      end if;
      if tg_op <> 'DELETE' then
        insert into past.writes (name, key, row) values (tg_table_name, past.key_of(to_jsonb(new)), to_jsonb(new));
      end if;
      return null;
    end $$;
    create function past.commit() returns trigger language plpgsql as $$
    begin
      if not exists (select from past.commits where xid = new.xid) then
        perform pg_advisory_xact_lock(77);
        insert into past.commits (xid) values (new.xid);
      end if;
      return null;
    end $$;
    create constraint trigger past_commit after insert on past.writes deferrable initially deferred for each row execute function past.commit();
    ${['people', ...Object.keys(schema.definitions).map(snakeCase)].map(triggers).join('\n')}`)
}

const triggers = (name: string) => `
  create trigger past_rows after insert or update or delete on ${name} for each row execute function past.write();
  create trigger past_truncate after truncate on ${name} for each statement execute function past.write();`

export async function readPast(database: Database, schema: Schema): Promise<Past> {
  const names = ['people', ...Object.keys(schema.definitions).map(snakeCase)]
  const writes = await database.query(
    'select w.xid::text as xid, w.name, w.key, w.row::text as row from past.writes w join past.commits c on c.xid = w.xid order by c.place, w.seq',
  )
  let state: State = new Map(names.map((name) => [name, new Map()]))
  const states: State[] = [state]
  const xids: bigint[] = []
  for (const write of writes) {
    const xid = BigInt(String(write.xid))
    state = written(state, String(write.name), write.key === null ? null : String(write.key), write.row === null ? null : JSON.parse(String(write.row)))
    if (xids.at(-1) === xid) states.pop()
    else if (xids.includes(xid)) throw new Error(`The writes of transaction ${xid} are not together.`)
    else xids.push(xid)
    states.push(state)
  }
  return { states, xids }
}

/** The mutations that wrote, each with the snapshot in which it was judged. */
export async function readApplied(database: Database): Promise<readonly { readonly id: string; readonly xid: bigint; readonly snapshot: string }[]> {
  const rows = await database.query(
    `select m.id, m.xid::text as xid, min(w.snapshot::text) as snapshot from headwater.mutations m join past.writes w on w.xid = m.xid where m.outcome = 'applied' group by 1, 2`,
  )
  return rows.map((row) => ({ id: String(row.id), xid: BigInt(String(row.xid)), snapshot: String(row.snapshot) }))
}

function written(state: State, name: string, key: string | null, row: Row | null): State {
  const rows = new Map(key === null ? [] : state.get(name))
  if (key !== null) rows.delete(key)
  if (key !== null && row !== null) rows.set(key, row)
  return new Map([...state, [name, rows]])
}

/** How many of the transactions a snapshot sees. They are the first ones, or the record is wrong. */
export function placeOf(past: Past, sees: (xid: bigint) => boolean): number {
  const place = past.xids.findIndex((xid) => !sees(xid))
  if (place >= 0 && past.xids.slice(place).some(sees)) throw new Error('A snapshot sees a transaction without one that committed before it.')
  return place < 0 ? past.xids.length : place
}
