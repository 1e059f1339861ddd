// Every way to write a table that SQL has: whoever writes, and however, the device shows what SQL answers.
import { bigint, defineSchema, holdersMayWrite, integer, table, text, uuid } from '@headwater/schema'
import { createServer, type Database, type Server, sql } from '@headwater/server'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { snakeCase } from '../../packages/server/src/sql/name.ts'
import { databases } from '../harness/databases.ts'
import { rowsOf, type WatchedDevice, watchDevice } from '../harness/generated/device.ts'

const owned = { ownerId: text() }
const schema = defineSchema({
  items: table({ id: uuid().primaryKey(), ...owned, title: text(), n: integer().nullable(), loud: text().nullable() }).in('user', 'ownerId'),
  // A key of several columns, which change; words of SQL as names.
  order: table({ group: text(), select: bigint(), ...owned, table: text().nullable() })
    .primaryKey('group', 'select')
    .in('user', 'ownerId'),
  lines: table({ id: integer().primaryKey(), ...owned, parentId: integer().nullable(), otherId: integer().nullable() }).in('user', 'ownerId'),
  parents: table({ id: integer().primaryKey(), ...owned }).in('user', 'ownerId'),
  parts: table({ id: integer(), region: text(), ...owned, note: text().nullable() })
    .primaryKey('id', 'region')
    .in('user', 'ownerId'),
  seats: table({ id: integer().primaryKey(), ...owned, seat: integer() }).in('user', 'ownerId'),
  events: table({ id: integer().primaryKey(), ...owned, about: text() }).in('user', 'ownerId'),
})

/** As an app may have made its tables itself, with what our own DDL does not have. */
const made = `
  create table people (id text primary key);
  insert into people values ('ada'), ('bob');
  create table items (id uuid primary key, owner_id text not null, title text not null, n integer, loud text generated always as (upper(title)) stored);
  create table parents (id integer primary key, owner_id text not null);
  create table lines (id integer primary key, owner_id text not null, parent_id integer references parents on delete cascade on update cascade,
    other_id integer references parents on delete set null on update set null);
  create table parts (id integer, region text, owner_id text not null, note text, primary key (id, region)) partition by list (region);
  create table parts_north partition of parts for values in ('north');
  create table parts_south partition of parts for values in ('south') partition by range (id);
  create table parts_south_low partition of parts_south for values from (0) to (100);
  create table parts_south_high partition of parts_south default;
  create table seats (id integer primary key, owner_id text not null, seat integer not null, constraint one_seat unique (seat) deferrable,
    constraint apart exclude using btree (seat with =) deferrable initially deferred);
  create table events (id integer primary key, owner_id text not null, about text not null);`

/** Roles are the server's, not the database's. */
const writer = `writer_${process.pid}`

/** What SQL says, of each way. What is skipped on an embedded database has no place there: its one session is the server's own. */
const ways: readonly (readonly [name: string, script: string | readonly string[], nativeOnly?: boolean])[] = [
  [
    'several rows, savepoints and what was rolled back to one',
    `begin; insert into parents values (1, 'ada'), (2, 'ada'), (3, 'bob'); savepoint a; delete from parents; rollback to a; insert into parents values (4, 'ada'); release a; commit`,
    true,
  ],
  [
    'more than 64 subtransactions',
    `do $$ begin for i in 100..199 loop begin insert into parents values (i, 'ada'); if i % 3 = 0 then raise exception 'no'; end if; exception when raise_exception then null; end; end loop; end $$`,
  ],
  ['an aborted transaction', `do $$ begin insert into parents values (300, 'ada'); raise exception 'no'; exception when others then null; end $$`],
  ['thousands of tiny transactions', Array.from({ length: 300 }, (_, i) => `insert into events values (${1_000 + i}, 'ada', 'tiny')`)],
  [
    'INSERT ON CONFLICT',
    `insert into parents values (1, 'bob'), (5, 'ada') on conflict (id) do update set owner_id = excluded.owner_id; insert into parents values (5, 'bob') on conflict do nothing`,
  ],
  [
    'MERGE',
    `merge into parents p using (values (5, 'bob'), (6, 'ada'), (2, 'x')) s (id, o) on p.id = s.id when matched and s.o = 'x' then delete when matched then update set owner_id = s.o when not matched then insert values (s.id, s.o)`,
  ],
  [
    'a key that changes, and comes back',
    `insert into "order" values ('a', 1, 'ada', 'x'), ('a', 9007199254740993, 'ada', null); update "order" set "select" = "select" + 1; update "order" set "group" = 'b' where "select" = 2; update "order" set "group" = 'a', "table" = 'y' where "group" = 'b'`,
  ],
  [
    'keys exchanged in one statement',
    `insert into seats values (1, 'ada', 10), (2, 'ada', 20), (3, 'bob', 30); update seats set seat = case id when 1 then 20 when 2 then 10 else seat end`,
  ],
  [
    'keys exchanged behind a deferred constraint',
    `do $$ begin set constraints all deferred; update seats set id = id + 1000; update seats set id = case id when 1001 then 2 when 1002 then 1 else id end; end $$`,
  ],
  [
    'cascades: on update, on delete, set null',
    `insert into parents values (4, 'ada'), (6, 'ada') on conflict do nothing; insert into lines values (1, 'ada', 4, 4), (2, 'ada', 6, 4), (3, 'ada', 6, 6), (4, 'bob', 4, 6); update parents set id = 40 where id = 4; delete from parents where id = 6; update parents set id = 41 where id = 40; delete from parents where id = 41`,
  ],
  [
    'rows written into partitions, and moved between them',
    `insert into parts values (1, 'north', 'ada', 'a'), (2, 'south', 'ada', 'b'), (3, 'north', 'bob', 'c'); insert into parts_south_low values (50, 'south', 'ada', 'd'); insert into parts_north values (60, 'north', 'ada', 'e');
    update parts set region = 'south' where id = 1; update parts set id = 500 where id = 2; update parts_south set id = 501 where id = 50; delete from parts_north where id = 60`,
  ],
  [
    'TRUNCATE of a partition, and of the whole with what came after',
    `insert into parts values (70, 'north', 'ada', 'f'), (71, 'south', 'ada', 'g'); truncate parts_north; insert into parts values (72, 'north', 'ada', 'h'); truncate parts; insert into parts values (73, 'north', 'ada', 'i')`,
  ],
  [
    'TRUNCATE CASCADE',
    `insert into parents values (80, 'ada'); insert into lines values (80, 'ada', 80, null); truncate parents cascade; insert into parents values (81, 'ada')`,
  ],
  [
    'COPY into a table',
    `copy items (id, owner_id, title, n) from program 'printf "%s\\tada\\tcopied\\t7\\n" 00000000-0000-4000-8000-000000000001 00000000-0000-4000-8000-000000000002'`,
    true,
  ],
  [
    'generated columns',
    `insert into items (id, owner_id, title) values ('00000000-0000-4000-8000-000000000003', 'ada', 'quiet'); update items set title = 'still' where title = 'quiet'`,
  ],
  [
    "the app's own triggers, before, after and nested",
    `
    create function shout() returns trigger language plpgsql as $$ begin new.title := new.title || '!'; return new; end $$;
    create trigger a_shout before insert or update on items for each row when (pg_trigger_depth() < 2) execute function shout();
    create function note() returns trigger language plpgsql as $$ begin
      insert into events values (coalesce((select max(id) from events), 0) + 1, new.owner_id, new.title);
      if new.n = 1 then update items set n = 100 where id = new.id; end if;
      if new.n = 2 then update items set title = 'sibling' where n = 100; end if;
      return null; end $$;
    create trigger "0_a_note" after insert or update on items for each row execute function note();
    insert into items (id, owner_id, title, n) values ('00000000-0000-4000-8000-000000000004', 'ada', 'one', 1), ('00000000-0000-4000-8000-000000000005', 'ada', 'two', 2);
    update items set title = title || '?', n = case when n = 100 then 2 else 1 end where n in (2, 100);
    drop trigger "0_a_note" on items; drop trigger a_shout on items`,
  ],
  [
    'a view that is written through a trigger, and rules',
    `
    create view titles as select id, title from items;
    create function titled() returns trigger language plpgsql as $$ begin update items set title = new.title where id = old.id; return new; end $$;
    create trigger t instead of update on titles for each row execute function titled();
    update titles set title = 'through the view' where id = '00000000-0000-4000-8000-000000000003';
    create rule kept as on delete to events where old.about = 'tiny' do instead update events set about = 'kept' where id = old.id;
    delete from events where id < 1100; drop rule kept on events; drop view titles`,
  ],
  [
    'session_replication_role = replica',
    `do $$ begin set local session_replication_role = replica; insert into parents values (90, 'ada'); update parents set owner_id = 'ada' where id = 3; delete from parents where id = 81; end $$`,
  ],
  [
    'another role, with row level security on the table',
    `
    create role ${writer}; grant insert, update, delete, select on items to ${writer}; alter table items enable row level security; create policy own on items using (title <> 'hidden');
    set role ${writer}; insert into items (id, owner_id, title) values ('00000000-0000-4000-8000-000000000006', 'ada', 'by a writer'); update items set n = 3; delete from items where title like 'still%'; reset role;
    insert into items (id, owner_id, title) values ('00000000-0000-4000-8000-000000000007', 'ada', 'hidden'); drop owned by ${writer}; drop role ${writer}`,
  ],
  [
    'made and gone, changed and put back, moved to another and back',
    `insert into parents values (95, 'ada'); delete from parents where id = 95; update parents set owner_id = 'bob' where id = 90; update parents set owner_id = 'ada' where id = 90; insert into parents values (96, 'ada'); update parents set owner_id = 'bob' where id = 96`,
  ],
]

const captures = databases.flatMap((one) => (['rows', 'keys'] as const).map((kind) => ({ ...one, kind })))

describe.each(captures)('R7 R8 R9 the ways to write, on $name, $kind in the log', ({ open, name, kind }) => {
  let database: Database
  let server: Server
  let device: WatchedDevice
  let client: ReturnType<typeof postgres> | null = null
  let version = 0
  const closing: (() => Promise<unknown>)[] = []

  beforeAll(async () => {
    const opened = await open()
    database = opened.database
    closing.push(opened.close)
    await database.execute(made)
    const rows = await database.query(`select current_setting('server_version_num')::int as version`)
    version = Number(rows[0]?.version)
    const grants = { user: sql`select id as "user", id as key, 'owner' as role from people` }
    const capture = kind === 'keys' ? Object.fromEntries(Object.keys(schema.definitions).map((table) => [table, 'keys' as const])) : {}
    server = await createServer({ schema, access: holdersMayWrite(schema), capture, grants, database, authenticate: ({ headers }) => headers.get('x-user') })
    closing.unshift(server.close)
    const { url } = await server.listen({ port: 0 })
    device = watchDevice({ schema, url, person: 'ada' })
    closing.unshift(device.close)
    await device.client().ready
    if (opened.url !== null) {
      const connected = postgres(opened.url, { max: 1, onnotice: () => {} })
      client = connected
      closing.unshift(() => connected.end())
    }
  })
  afterAll(async () => {
    for (const close of closing) await close()
  })

  const shown = () =>
    [...rowsOf(schema, device.client())].flatMap(([table, rows]) =>
      rows.map((row) =>
        JSON.stringify([table, ...Object.keys(schema.definitions[table]?.columns ?? {}).map((column) => (row[column] === null ? null : String(row[column])))]),
      ),
    )
  async function answered(): Promise<readonly string[]> {
    const answers = Object.entries(schema.definitions).map(async ([table, { columns }]) => {
      const names = Object.keys(columns)
      const rows = await database.query(
        `select ${names.map((column) => `"${snakeCase(column)}"::text as "${column}"`).join(', ')} from "${snakeCase(table)}" where owner_id = 'ada'`,
      )
      return rows.map((row) => JSON.stringify([table, ...names.map((column) => row[column])]))
    })
    return (await Promise.all(answers)).flat()
  }

  const here = ways
    // They say the same of both, and take the longest.
    .filter(([way]) => kind === 'rows' || way !== 'thousands of tiny transactions')
    .filter(([, , nativeOnly]) => nativeOnly !== true || name !== 'embedded')
    .map(([way, script]) => ({ way, parts: typeof script === 'string' ? [script] : script }))
  test.each(here)('$way', { timeout: 60_000 }, async ({ way, parts }) => {
    if (way === 'MERGE' && version < 150_000) return
    for (const part of parts) await (client === null ? database.execute(part) : client.unsafe(part))
    const wanted = [...(await answered())].sort()
    expect(wanted.length).toBeGreaterThan(0)
    await expect.poll(() => [...shown()].sort(), { timeout: 20_000, interval: 20 }).toEqual(wanted)
    expect(await device.client().verify()).toEqual([])
  })

  test('a transaction that is prepared, and committed later', { timeout: 60_000 }, async () => {
    if (client === null) return
    await client.unsafe(`begin; insert into parents values (200, 'ada'); update lines set owner_id = 'ada'; prepare transaction 'later'`)
    await client.unsafe(`insert into parents values (201, 'ada')`)
    await expect.poll(() => shown().filter((row) => row.includes('"201"')).length, { timeout: 20_000 }).toBe(1)
    expect(shown().filter((row) => row.includes('"parents","200"'))).toEqual([])
    await client.unsafe(`commit prepared 'later'`)
    const wanted = [...(await answered())].sort()
    await expect.poll(() => [...shown()].sort(), { timeout: 20_000 }).toEqual(wanted)
  })
})
