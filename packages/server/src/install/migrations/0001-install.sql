-- Everything of Headwater's own lives in the schema headwater. Never edited once released; before that, with scripts/fixture.ts run again.
create schema headwater;
revoke all on schema headwater from public;

create table headwater.migrations (
  number integer primary key,
  name text not null,
  at timestamptz not null default now()
);

-- Which database this is, and which unbroken past of it.
create table headwater.identity (
  is_single boolean primary key default true check (is_single),
  database uuid not null default gen_random_uuid(),
  history uuid not null default gen_random_uuid(),
  -- Made anew whenever somebody decides what this database is; a server that has not seen it yet believes it.
  decision uuid not null default gen_random_uuid(),
  -- The database in whose place this one was put, by such a decision.
  replaces uuid,
  -- The log holds every transaction from here on. 3 is the first that PostgreSQL gives out: nothing was pruned yet.
  floor xid8 not null default '3'
);
insert into headwater.identity default values;

-- Every past that it has begun, in order, and why: a device that continues an earlier one may hold what the database has lost since.
create table headwater.histories (
  number integer generated always as identity primary key,
  history uuid not null unique,
  kind text not null check (kind in ('first', 'copy', 'restore', 'failover')),
  at timestamptz not null default now()
);
insert into headwater.histories (history, kind) select history, 'first' from headwater.identity;

-- A dump restored elsewhere starts its transaction numbers again: then this row's xmin is no longer what was stored.
create table headwater.witness (xid xid8 not null default pg_current_xact_id());
insert into headwater.witness default values;

-- The feed of sync. op: i, u, d a row; t truncate; m a mutation's outcome; g a table that only grants read has changed: with
-- old or new a row of it, and they have the columns by which those are found whom it concerns; j there are new jobs; b a barrier: the table
-- has changed in a way that no row tells, and whoever is behind it loads it again; s sessions of the person
-- that `key` names may have ended.
create table headwater.log (
  seq bigserial not null,
  xid xid8 not null default pg_current_xact_id(),
  table_name text,
  op "char" not null,
  key text,
  scopes_before text[],
  scopes_after text[],
  old json,
  new json,
  actor text default nullif(current_setting('headwater.actor', true), ''),
  mutation text default nullif(current_setting('headwater.mutation', true), ''),
  session_user_name text default session_user,
  depth smallint default pg_trigger_depth(),
  -- True: written by tx.unchecked, which asks no access rule.
  unchecked boolean not null default coalesce(current_setting('headwater.unchecked', true) = 'on', false),
  -- True: old and new have not the row, but the columns by which grants find whom it concerns. It is read from its table, in the snapshot of the step.
  by_key boolean not null default false,
  at timestamptz not null default clock_timestamp(),
  primary key (xid, seq)
)
-- Rows come at one end and go at the other: vacuumed and analyzed by their number, not by a share of a table that may be large.
with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_insert_scale_factor = 0,
  autovacuum_vacuum_insert_threshold = 100000, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000);

-- The log from a transaction on, in its order, so many rows of it. By its index in any case: a step must not read all of the log because it was empty
-- when the planner last heard of it.
create function headwater.log_from(p_xid xid8, p_rows integer) returns setof headwater.log language sql stable
  set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
  select * from headwater.log where xid >= p_xid order by xid, seq limit p_rows
$$;

-- Who else reads the log, and from which transaction on it needs it. Nothing from there on is pruned while the hold lasts.
create table headwater.log_holds (
  name text primary key,
  xid xid8 not null,
  -- Null: until it is taken away.
  until timestamptz
);

create table headwater.devices (
  id text primary key,
  user_id text not null,
  last_number bigint not null default 0,
  -- Up to here the device has its mutations' outcomes in its store: their records may go, in time.
  confirmed bigint not null default 0,
  nonce text not null,
  nonce_before text,
  -- The mutation that no server has known so far, and how often it came.
  unknown_number bigint,
  unknown_tries integer not null default 0,
  created_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);

create table headwater.mutations (
  -- Null: it came over HTTP, from no device; its id alone keeps it from being carried out twice.
  device text,
  number bigint,
  id text not null,
  -- False: the same mutation came again under another device and number, and this outcome is a copy.
  is_first boolean not null,
  user_id text not null,
  name text not null,
  payload_hash text not null,
  outcome text not null check (outcome in ('applied', 'refused')),
  code text,
  reason text,
  xid xid8 not null default pg_current_xact_id(),
  at timestamptz not null default now(),
  unique (device, number)
);
-- An id is one person's: nobody can take another's by using it first.
create unique index mutations_first on headwater.mutations (user_id, id) where is_first;
-- For finding the old ones. It costs writers next to nothing.
create index mutations_at on headwater.mutations using brin (at);

-- Work to be done after a commit, enqueued in its transaction. Deleted when done.
create table headwater.jobs (
  id bigserial primary key,
  -- The same for every try, so that a receiver can tell a repetition.
  key text not null unique default gen_random_uuid()::text,
  name text not null,
  payload jsonb not null,
  -- Not before then. A claim moves it past the end of its try: what is claimed and never finished comes due again by itself.
  due timestamptz not null default now(),
  attempts integer not null default 0,
  error text,
  -- Given up; kept until somebody retries or discards it.
  set_aside_at timestamptz,
  created_at timestamptz not null default now()
);
create index jobs_due on headwater.jobs (due) where set_aside_at is null;

-- The capture of each table as it was put in place, so that a start replaces only what differs. `shape`: what it covers. `form`: what
-- headwater.catalogue() said of the table then; anything else is somebody's DDL. `trouble`: why the table cannot be captured; nobody can write to it.
create table headwater.captures (
  name text primary key,
  script text not null,
  shape text not null,
  form text not null,
  trouble text
);

-- The app's own numbered migrations, as `headwater migrate` ran them.
create table headwater.app_migrations (
  number bigint primary key,
  name text not null,
  hash text not null,
  at timestamptz not null default now()
);

-- What the catalogue says of tables of schema public, as far as capture depends on it. Of each column its type, the type that this stands for, its
-- modifier, and the transaction that changed it last; in `rest` the table itself, its partitions, our triggers, and their functions.
create function headwater.catalogue(names text[]) returns table (name text, form text) language sql stable set search_path = pg_catalog, pg_temp as $$
  with recursive part as (
    select c.relname::text as name, c.oid as root, c.oid as id, c.relkind::text as link
      from pg_class c where c.relnamespace = (select oid from pg_namespace where nspname = 'public') and c.relkind in ('r', 'p') and c.relname = any (names)
    union all
    -- Partitions can be emptied one by one, which no trigger of ours sees.
    select p.name, p.root, i.inhrelid, i.xmin::text || ' ' || (select c.relfilenode from pg_class c where c.oid = i.inhrelid)
      from part p join pg_inherits i on i.inhparent = p.id
  ),
  fired as (
    select t.tgrelid as id, string_agg(concat_ws(' ', t.tgname, t.tgenabled, t.tgtype, md5(p.prosrc), p.prosecdef, p.proconfig::text), ',' order by t.tgname) as triggers
      from pg_trigger t join pg_proc p on p.oid = t.tgfoid
     where t.tgrelid in (select id from part) and t.tgname in ('0_headwater_rows', '0_headwater_truncate', '0_headwater_changed', '9_headwater_wake')
     group by t.tgrelid
  )
  select p.name, json_build_object(
      'columns', (
        select json_object_agg(a.attname, json_build_array(format_type(a.atttypid, null), format_type(coalesce(nullif(t.typbasetype, 0), a.atttypid), null), a.atttypmod, a.xmin::text) order by a.attnum)
          from pg_attribute a join pg_type t on t.oid = a.atttypid where a.attrelid = p.root and a.attnum > 0 and not a.attisdropped),
      'rest', md5(string_agg(concat_ws(' ', p.id, p.link, f.triggers), ',' order by p.id)))::text
    from part p left join fired f on f.id = p.id group by p.name, p.root
$$;

-- The same while headwater.catalogue() and headwater.captures say the same, at a seventh of the cost: which transactions wrote the rows of the
-- catalogue that these are made of.
create function headwater.catalogue_mark(names text[]) returns text language sql stable set search_path = pg_catalog, pg_temp as $$
  with recursive part as (
    select c.oid as id, 0::numeric as link
      from pg_class c where c.relnamespace = (select oid from pg_namespace where nspname = 'public') and c.relkind in ('r', 'p') and c.relname = any (names)
    union all
    select i.inhrelid, hashtextextended(i.xmin::text || ' ' || (select c.relfilenode from pg_class c where c.oid = i.inhrelid), 0)
      from part p join pg_inherits i on i.inhparent = p.id
  )
  select concat_ws(' ',
    (select sum(hashoidextended(id, 0) + link) from part),
    (select sum(hashtextextended(a.attrelid || ' ' || a.attnum || ' ' || a.xmin::text, 0)) from pg_attribute a where a.attrelid = any (array(select id from part)) and a.attnum > 0),
    (select sum(hashtextextended(t.oid || ' ' || t.xmin::text || ' ' || p.xmin::text, 0)) from pg_trigger t join pg_proc p on p.oid = t.tgfoid
      where t.tgrelid = any (array(select id from part))),
    (select sum(hashtextextended(c.name || ' ' || c.xmin::text, 0)) from headwater.captures c))
$$;

-- What was done once on this database: its seed, and the form in which the last start found everything installed.
create table headwater.marks (
  name text primary key,
  value text,
  at timestamptz not null default now()
);

-- Servers that run on this database: each keeps its row fresh.
create table headwater.servers (
  id text primary key,
  version text not null,
  host text not null,
  pid int not null,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now(),
  devices int not null
);

-- Rows of captured tables that are larger than any device could take, and are not sent: as far as a server has met them.
create table headwater.withheld (
  table_name text not null,
  key text not null,
  bytes bigint not null,
  at timestamptz not null default now(),
  primary key (table_name, key)
);

-- What should not have happened and was withstood.
create table headwater.incidents (
  id bigserial primary key,
  kind text not null,
  device text,
  detail text,
  at timestamptz not null default now()
);

-- Notifies only if a reader sleeps: readers asleep hold the lock shared. NOTIFY in every transaction would halve the rate of writers.
create function headwater.wake() returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if pg_try_advisory_lock(4702111234474983745) then
    perform pg_advisory_unlock(4702111234474983745);
  else
    perform pg_notify('headwater', '');
  end if;
end $$;

-- For transactions that are not ours. One that has notified cannot be prepared (two-phase commit): where the server allows prepared
-- transactions at all, these do not notify, and the reader looks more often.
create function headwater.wake_trigger() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if current_setting('max_prepared_transactions') = '0' then
    perform headwater.wake();
  end if;
  return null;
end $$;
revoke all on function headwater.wake_trigger() from public;

-- Ends the transaction as refused: HW001, with the code where an error names a constraint.
create function headwater.refuse_unless(ok boolean, code text, reason text) returns void language plpgsql as $$
begin
  if ok is not true then
    raise exception using errcode = 'HW001', message = reason, constraint = code;
  end if;
end $$;

-- The greeting: makes the device's row, and hands out a nonce. Answers `ok`, or `forked` for a store that was copied or a row that was lost. With
-- p_is_older the device continues a past that the database has lost the end of, and with it maybe the row or its newest nonce.
create function headwater.greet(p_device text, p_user text, p_nonce text, p_new_nonce text, p_confirmed bigint default 0, p_is_older boolean default false) returns table (answer text, last_number bigint) language plpgsql as $$
declare
  known headwater.devices;
begin
  select * into known from headwater.devices d where d.id = p_device for update;
  if not found then
    if p_nonce is not null and not p_is_older then
      return query select 'forked', 0::bigint;
      return;
    end if;
    insert into headwater.devices (id, user_id, nonce) values (p_device, p_user, p_new_nonce);
    return query select 'ok', 0::bigint;
  elsif known.user_id <> p_user or (not p_is_older and known.nonce is distinct from p_nonce and known.nonce_before is distinct from p_nonce) then
    insert into headwater.incidents (kind, device, detail) values ('forked', p_device, 'a stale nonce');
    return query select 'forked', 0::bigint;
  else
    -- A welcome may be lost on its way: the nonce before it stays good until the new one has been used.
    update headwater.devices d set nonce = p_new_nonce, nonce_before = p_nonce, seen_at = now(), confirmed = least(p_confirmed, d.last_number) where d.id = p_device;
    return query select 'ok', known.last_number;
  end if;
end $$;

-- Takes the device's next number: HW002 if it is not.
create function headwater.take_number(p_device text, p_number bigint, p_user text) returns void language plpgsql as $$
begin
  update headwater.devices set last_number = p_number where id = p_device and user_id = p_user and last_number + 1 = p_number;
  if not found then
    raise exception using errcode = 'HW002', message = 'not the next number of this device';
  end if;
end $$;

-- The guard of a mutation: HW003 if it was carried out under another number. No device, no number: it came over HTTP.
create function headwater.begin_mutation(p_device text, p_number bigint, p_id text, p_user text) returns void language plpgsql as $$
begin
  if p_device is not null then
    perform headwater.take_number(p_device, p_number, p_user);
  end if;
  if exists (select 1 from headwater.mutations where user_id = p_user and id = p_id and is_first) then
    raise exception using errcode = 'HW003', message = 'this mutation is known under another number';
  end if;
  perform set_config('headwater.actor', p_user, true), set_config('headwater.mutation', p_id, true);
end $$;

-- The record, and its place in the log: the confirmation travels in the checkpoint that holds the mutation's rows.
create function headwater.end_mutation(p_device text, p_number bigint, p_id text, p_user text, p_name text, p_hash text, p_outcome text, p_code text, p_reason text, p_is_first boolean)
returns void language plpgsql as $$
begin
  insert into headwater.mutations (device, number, id, is_first, user_id, name, payload_hash, outcome, code, reason)
  values (p_device, p_number, p_id, p_is_first, p_user, p_name, p_hash, p_outcome, p_code, p_reason);
  if p_device is not null then
    insert into headwater.log (op, key, new, actor, mutation)
    values ('m', json_build_array(p_device, p_number)::text, json_build_object('outcome', p_outcome, 'code', p_code, 'reason', p_reason), p_user, p_id);
  end if;
  perform headwater.wake();
end $$;

-- Tells every server that there are jobs, by the log: after the commit, and once per transaction.
create function headwater.jobs_trigger() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if current_setting('headwater.jobs_told', true) is distinct from pg_current_xact_id()::text then
    perform set_config('headwater.jobs_told', pg_current_xact_id()::text, true);
    insert into headwater.log (op) values ('j');
    if current_setting('max_prepared_transactions') = '0' then
      perform headwater.wake();
    end if;
  end if;
  return null;
end $$;
revoke all on function headwater.jobs_trigger() from public;
-- Of updates only a retry by hand starts counting anew.
create trigger jobs_told after insert on headwater.jobs for each statement execute function headwater.jobs_trigger();
create trigger jobs_retried after update on headwater.jobs for each row when (new.attempts = 0) execute function headwater.jobs_trigger();

-- Says that sessions of a person with the app may have ended: once it is committed, every server asks `authenticate` again about all connections of theirs. Who may
-- do that besides the owner of this schema is granted usage of it and execution of this.
create function headwater.authenticate_again(p_user text) returns void language plpgsql strict security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into headwater.log (op, key) values ('s', json_build_array(p_user)::text);
  if current_setting('max_prepared_transactions') = '0' then
    perform headwater.wake();
  end if;
end $$;
revoke all on function headwater.authenticate_again(text) from public;
