// Drivers and tools as people have them, side by side on an embedded database: node-postgres and postgres.js are what ORMs speak through.
import { connect, type Socket } from 'node:net'
import { Client } from 'pg'
import postgres from 'postgres'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type EmbeddedDatabase, openEmbedded } from '../../packages/server/src/database/embedded.ts'
import { type Gateway, openGateway } from '../../packages/server/src/database/gateway.ts'
import { flush, message, parse, simpleQuery } from '../../packages/server/src/database/wire.ts'
import { chanceOf } from '../harness/chance.ts'

let database: EmbeddedDatabase
let gateway: Gateway

beforeAll(async () => {
  database = await openEmbedded({ directory: null })
  gateway = await openGateway(database, { port: 0, idleMs: 2_000 })
})
beforeEach(async () => {
  await database.execute('drop table if exists item; create table item (id bigint generated always as identity, who text, place text)')
})
afterAll(async () => {
  await gateway.close()
  await database.close()
})

const url = () => `postgres://postgres@127.0.0.1:${gateway.port}/postgres`

async function nodePostgres(): Promise<Client> {
  const client = new Client({ connectionString: url(), ssl: false })
  await client.connect()
  return client
}

test('node-postgres prepares by name, in text and in binary, and goes on after an error', async () => {
  const [one, two] = [await nodePostgres(), await nodePostgres()]
  for (let i = 1; i <= 4; i++) {
    const ask = { name: 'add', text: 'select $1::int + $2::int as n, $3::text[] as list' }
    expect((await one.query({ ...ask, values: [i, 1, ['a', 'b,"c']] })).rows).toEqual([{ n: i + 1, list: ['a', 'b,"c'] }])
    // The other one means something else by the same name.
    expect((await two.query({ name: 'add', text: 'select $1::text as n', values: [i] })).rows).toEqual([{ n: String(i) }])
    await expect(one.query('select 1/0')).rejects.toMatchObject({ code: '22012' })
    expect((await one.query(Object.assign({ text: 'select $1::int4 as n', values: [i] }, { binary: true }))).rows).toEqual([{ n: i }])
  }
  await Promise.all([one.end(), two.end()])
})

test('a transaction as an ORM makes it, with savepoints and an isolation level, is whole', async () => {
  const client = await nodePostgres()
  await client.query('begin')
  await client.query('set transaction isolation level serializable')
  await client.query('insert into item (who) values ($1) returning id', ['a'])
  await client.query('savepoint one')
  await expect(client.query('insert into item (id) values (1)')).rejects.toMatchObject({ code: '428C9' })
  await client.query('rollback to savepoint one')
  await client.query('insert into item (who) values ($1)', ['b'])
  const waiting = database.query('select who from item order by id')
  await client.query('commit')
  expect(await waiting).toEqual([{ who: 'a' }, { who: 'b' }])
  await client.end()
})

test('transactions of two drivers, a pool and the app do not mix, and nobody finds what somebody else has set', async () => {
  const client = await nodePostgres()
  const pool = postgres(url(), { max: 3, onnotice: () => undefined })
  const rounds = 40
  const insert = 'insert into item (who, place) values ($1, current_setting($2, true))'
  const asClient = async () => {
    for (let i = 0; i < rounds; i++) {
      await client.query('begin')
      await client.query(`set local my.place = 'client'`)
      await client.query(insert, ['client', 'my.place'])
      await client.query(insert, ['client', 'my.place'])
      await client.query(i % 5 === 0 ? 'rollback' : 'commit')
    }
  }
  const asPool = () =>
    Promise.all(
      Array.from({ length: rounds }, () =>
        pool.begin(async (sql) => {
          await sql`set local my.place = 'pool'`
          await sql`create temp table if not exists mine (id int) on commit drop`
          await sql`insert into item (who, place) values ('pool', current_setting('my.place', true)), ('pool', current_setting('my.place', true))`
        }),
      ),
    )
  const asApp = () =>
    Promise.all(
      Array.from({ length: rounds }, () =>
        database.transaction('write', async (transaction) => {
          await transaction.query(`select set_config('my.place', 'app', true)`)
          await transaction.query(insert.replace('$1', '$1::text').replace('$2', '$2::text'), ['app', 'my.place'])
          await transaction.query(insert.replace('$1', '$1::text').replace('$2', '$2::text'), ['app', 'my.place'])
        }),
      ),
    )
  await Promise.all([asClient(), asPool(), asApp()])
  const counts = await database.query('select who, place, count(*)::int as n from item group by 1, 2 order by 1')
  expect(counts).toEqual([
    { who: 'app', place: 'app', n: rounds * 2 },
    { who: 'client', place: 'client', n: rounds * 2 * 0.8 },
    { who: 'pool', place: 'pool', n: rounds * 2 },
  ])
  // Two rows of a transaction have neighbouring numbers: nobody else's is between them.
  const [torn] = await database.query(`
    select count(*)::int as n from item as first left join item as second on second.id = first.id + 1 and second.who = first.who
    where first.id in (select min(id) from item group by xmin::text) and second.id is null`)
  expect(torn).toEqual({ n: 0 })
  expect(await database.query(`select current_setting('my.place', true) as place`)).toEqual(
    [{ place: null }].map(() => ({ place: expect.toBeOneOf([null, '']) })),
  )
  await Promise.all([client.end(), pool.end()])
})

test('a cancel request with the right key ends its connection, and the statement runs to its end', async () => {
  const client = await nodePostgres()
  // node-postgres keeps them for its own cancel requests; its types do not name them.
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number }
  const counting = client.query('select count(*)::int as n from generate_series(1, 300000)')
  const request = Buffer.alloc(16)
  for (const [i, value] of [16, 80_877_102, processID, secretKey].entries()) request.writeInt32BE(value, i * 4)
  const socket = connect(gateway.port, '127.0.0.1')
  socket.write(request)
  await new Promise((resolve) => socket.once('close', resolve))
  expect((await counting).rows).toEqual([{ n: 300_000 }])
  await client.end()
})

/** Sends bytes, and answers with what came back until the other side closed, or for a moment. */
async function throwAt(bytes: Buffer): Promise<string> {
  const socket: Socket = connect(gateway.port, '127.0.0.1')
  const pieces: Buffer[] = []
  socket.on('error', () => undefined)
  socket.on('data', (piece) => pieces.push(piece))
  socket.write(bytes)
  setTimeout(() => socket.destroy(), 100)
  await new Promise((resolve) => socket.once('close', resolve))
  return Buffer.concat(pieces).toString('latin1')
}

const startup = Buffer.from('\0\0\0\x11\0\x03\0\0user\0me\0\0', 'latin1')

test('a message of a type that nobody knows ends its client, not the database', async () => {
  expect(await throwAt(Buffer.concat([startup, message('?', Buffer.from('x')), simpleQuery('select 1')]))).toContain('08P01')
  expect(await database.query('select 1 as one')).toEqual([{ one: 1 }])
})

test('what is passed over after an error, until a Sync, does not pass for a database that broke off', async () => {
  const said = await throwAt(Buffer.concat([startup, parse('', 'select nonsense'), flush, simpleQuery('select 1'), simpleQuery('select 2')]))
  expect(said).toContain('nonsense')
  expect(said).not.toContain('SELECT 1')
  expect(await database.query('select 1 as one')).toEqual([{ one: 1 }])
})

test('garbage before and after a greeting, of many at once, does not touch a client at work', async () => {
  const types = ['Q', 'P', 'B', 'D', 'E', 'S', 'H', 'F', 'C', 'd', 'c', 'f', 'p', 'X', '?']
  const chance = chanceOf(1)
  const upTo = (max: number) => Math.floor(chance() * max)
  const garbage = (bytesMax: number) => Buffer.from(Array.from({ length: upTo(bytesMax) }, () => upTo(256)))
  const client = await nodePostgres()
  const working = (async () => {
    for (let i = 0; i < 100; i++) await client.query('insert into item (who) values ($1)', ['at work'])
  })()
  for (let round = 0; round < 30; round++) {
    const pieces = Array.from({ length: 5 }, () => message(types[upTo(types.length)] ?? 'Q', garbage(40)))
    await Promise.all([
      throwAt(garbage(100)),
      throwAt(Buffer.concat([startup, ...pieces])),
      throwAt(Buffer.concat([startup, simpleQuery("begin; insert into item (who) values ('left')"), ...pieces])),
      throwAt(Buffer.concat([startup, simpleQuery('select 1'), garbage(50)])),
    ])
  }
  await working
  await expect.poll(() => database.query('select who, count(*)::int as n from item group by who')).toEqual([{ who: 'at work', n: 100 }])
  await client.end()
})
