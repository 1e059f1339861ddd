// What capture costs who writes rows of 10 KB: with the rows in the log, and with their keys alone. The limit is the same table without capture, in turns.
import { defineSchema, integer, table, text, uuid } from '@headwater/schema'
import { openPostgres, sql } from '@headwater/server'
import postgres from 'postgres'
import { install } from '../../packages/server/src/install/install.ts'
import { startNative } from '../../test/harness/native.ts'
import { type Figure, median } from '../figure.ts'

const wide = () => table({ id: uuid().primaryKey(), ownerId: text(), n: integer().default(0), body: text() }).in('user', 'ownerId')
const schema = defineSchema({ rows: wide(), keys: wide() })
const grants = { user: sql`select id as "user", id as key, 'owner' as role from people` }
const tables = ['bare', 'rows', 'keys'] as const
const rounds = 300
const warmUps = 20
/** 10,240 characters that do not compress to nothing. */
const body = `(select string_agg(md5(random()::text), '') from generate_series(1, 320))`

export async function capture(): Promise<readonly Figure[]> {
  const native = await startNative({ settings: { max_prepared_transactions: '0' } })
  const url = native.url(await native.createDatabase())
  const database = await openPostgres(url)
  const client = postgres(url, { max: 1, onnotice: () => undefined })
  try {
    await database.execute('create table people (id text primary key)')
    await install(database, { schema, serverSchema: schema, needs: [], capture: { keys: 'keys' } }, grants)
    await client.unsafe('create table bare (like rows including all)')
    const inserted = await inTurns(client, (name, id) => `insert into ${name} (id, owner_id, body) values ('${id}', 'ada', ${body})`)
    const updated = await inTurns(
      client,
      (name) => `update ${name} set n = n + 1 where id = (select id from ${name} order by id offset ${turn++ % rounds} limit 1)`,
    )
    const bytes = async (name: string, op: string) => {
      const [row] = await client.unsafe(`select avg(pg_column_size(l.*))::float8 as bytes from headwater.log l where table_name = '${name}' and op = '${op}'`)
      return Number(row?.bytes) / 1_024
    }
    const [limit, whole] = [await bytes('rows', 'i'), await bytes('rows', 'u')]
    return [
      ...figuresOf('insert of a row of 10 KB', inserted),
      ...figuresOf('update of a number in a row of 10 KB', updated),
      { name: 'log of an insert of 10 KB, keys', unit: 'KB', value: await bytes('keys', 'i'), limit },
      { name: 'log of an update in 10 KB, keys', unit: 'KB', value: await bytes('keys', 'u'), limit: whole },
    ]
  } finally {
    await client.end()
    await database.close()
    await native.stop()
  }
}

let turn = 0
type Times = Readonly<Record<(typeof tables)[number], number[]>>

async function inTurns(client: ReturnType<typeof postgres>, statement: (name: string, id: string) => string): Promise<Times> {
  const times: Times = { bare: [], rows: [], keys: [] }
  for (let round = -warmUps; round < rounds; round++) {
    for (const name of tables) {
      const start = performance.now()
      await client.unsafe(statement(name, crypto.randomUUID()))
      if (round >= 0) times[name].push(performance.now() - start)
    }
  }
  return times
}

const figuresOf = (what: string, times: Times): readonly Figure[] =>
  (['rows', 'keys'] as const).map((name) => ({ name: `${what}, ${name} in the log`, unit: 'ms', value: median(times[name]), limit: median(times.bare) }))
