// What a server pays, once a second, to notice what others do to captured tables: one statement over the catalogue of 50 tables.
import { withDatabase } from '../database.ts'
import { type Figure, median, timed } from '../figure.ts'

const tables = 50
const looks = 200

export function drift(): Promise<readonly Figure[]> {
  return withDatabase(async ({ fill, connect }) => {
    await fill(`do $$ begin
      for i in 1..${tables} loop
        execute format('create table watched_%s (id uuid primary key, owner_id text, title text, stars int, status text, made_at timestamptz)', i);
        for j in 0..2 loop
          execute format('create trigger %I after insert on watched_%s execute function headwater.wake_trigger()', (array['0_headwater_rows', '0_headwater_truncate', '9_headwater_wake'])[j + 1], i);
        end loop;
      end loop;
    end $$`)
    const sql = connect()
    const names = `array(select 'watched_' || i from generate_series(1, ${tables}) i)`
    const rows = await sql.unsafe(`select count(form)::int as n from headwater.catalogue(${names})`)
    if (rows[0]?.n !== tables) throw new Error(`The catalogue has ${rows[0]?.n} of ${tables} tables.`)
    const value = median(await timed(looks, () => sql.unsafe(`select headwater.catalogue_mark(${names})`)))
    const limit = median(await timed(looks, () => sql.unsafe('select 1')))
    return [{ name: `looking at ${tables} tables for foreign DDL, once a second`, unit: 'ms', value, limit }]
  })
}
