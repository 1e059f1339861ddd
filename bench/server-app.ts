// What of the app is the server's alone, and its rows as SQL.

import { holdersMayWrite } from '@headwater/schema'
import { type Database, sql } from '@headwater/server'
import { person, schema } from './app.ts'

export const access = holdersMayWrite(schema)

/** Whoever is in the table `people` holds their own rows. */
export const grants = { user: sql`select id as "user", id as key, 'owner' as role from people` }

/** Everybody who may connect: `ada`, and as many others as the benchmark of mutations has devices. */
export const people = [person, ...Array.from({ length: 32 }, (_, i) => `person-${i}`)]

/** The table of the app's own that grants read; it has to be there before a server starts. */
export async function prepare(database: Database): Promise<void> {
  await database.execute('create table if not exists people (id text primary key)')
  for (const one of people) await database.query('insert into people (id) values ($1) on conflict do nothing', [one])
}

/** Rows of one person as SQL: the same ranks and sizes as `itemOf` makes. `first` is the number of the first. */
export const fillSql = (count: number, owner = person, first = 1) => `
  insert into items (id, owner_id, title, status, rank, created_at, updated_at, body)
  select ('00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0'))::uuid, '${owner}', 'Item ' || i || ' of the list', 'open', i,
    timestamptz '2026-11-21T03:43:43Z' + i * interval '1 second', timestamptz '2026-11-21T03:43:43Z' + i * interval '1 second',
    md5(i::text) || ' ' || md5((i + 1)::text) || ' ' || md5((i + 2)::text) || ' ' || md5((i + 3)::text) || ' ' || md5((i + 4)::text)
  from generate_series(${first}, ${first + count - 1}) as i`
