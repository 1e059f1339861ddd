// What of the app is the server's alone, and its rows as SQL.

import { holdersMayWrite } from '@headwater/schema'
import { type Database, sql } from '@headwater/server'
import { person, schema } from './app.ts'

export const access = holdersMayWrite(schema)

/** Whoever is in the table `people` holds the rows of the owners that it names: their own, to begin with. */
export const grants = { user: sql`select id as "user", owner as key, 'owner' as role from people` }

/** Everybody who may connect: `ada`, and as many others as the benchmark of mutations has devices. */
export const people = [person, ...Array.from({ length: 32 }, (_, i) => `person-${i}`)]

/** The table of the app's own that grants read; it has to be there before a server starts. */
export async function prepare(database: Database): Promise<void> {
  await database.execute('create table if not exists people (id text, owner text, primary key (id, owner))')
  for (const one of people) await database.query('insert into people (id, owner) values ($1, $1) on conflict do nothing', [one])
}

/** Rows of one person as SQL: the same ranks and sizes as `itemOf` makes. `first` is the number of the first. */
export const fillSql = (count: number, owner = person, first = 1) => `
  insert into items (id, owner_id, title, status, rank, created_at, updated_at, body)
  select ('00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, '${owner}', 'Item ' || i || ' of the list', 'open', i,
    timestamptz '2026-11-21T03:43:43Z' + i * interval '1 second', timestamptz '2026-11-21T03:43:43Z' + i * interval '1 second',
    md5(i::text) || ' ' || md5((i + 1)::text) || ' ' || md5((i + 2)::text) || ' ' || md5((i + 3)::text) || ' ' || md5((i + 4)::text)
  from generate_series(${first}, ${first + count - 1}) as i`

/** What makes a person hold `scopes` more scopes, with `rows` rows in each. */
export const fillScopesSql = (scopes: number, rows: number, holder: string) => `
  insert into people (id, owner) select '${holder}', 'owner-' || i from generate_series(0, ${scopes - 1}) as i;
  ${fillSql(scopes * rows, 'owner').replace("'owner'", `'owner-' || (i % ${scopes})`)}`
