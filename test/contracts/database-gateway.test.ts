import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import postgres from 'postgres'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type EmbeddedDatabase, openEmbedded } from '../../packages/server/src/database/embedded.ts'
import { type Gateway, openGateway } from '../../packages/server/src/database/gateway.ts'

let database: EmbeddedDatabase
let gateway: Gateway

beforeAll(async () => {
  database = await openEmbedded({ directory: null })
  gateway = await openGateway(database, { port: 0, idleMs: 500 })
})

beforeEach(async () => {
  await database.execute('drop table if exists item; create table item (id bigint primary key, name text)')
})

afterAll(async () => {
  await gateway.close()
  await database.close()
})

const url = () => `postgres://postgres@127.0.0.1:${gateway.port}/postgres`

/** Runs psql to its end, with a script on its standard input. */
async function psql(script: string, ...options: readonly string[]): Promise<{ readonly out: string; readonly err: string; readonly code: number | null }> {
  const child = spawn('psql', ['-X', '-A', '-t', ...options, url()], { stdio: 'pipe' })
  let [out, err] = ['', '']
  child.stdout.on('data', (piece) => (out += piece))
  child.stderr.on('data', (piece) => (err += piece))
  child.stdin.end(script)
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { out: out.trim(), err: err.trim(), code }
}

/** A driver with one connection, which keeps to itself what it has to say. */
const driver = () => postgres(url(), { max: 1, onnotice: () => undefined, idle_timeout: 0 })

const ids = async () => (await database.query('select id from item order by id')).map(({ id }) => id)

test('psql reads and writes, and describes tables', async () => {
  const { out, err } = await psql("insert into item values (1, 'é'), (2, null); select * from item order by id; \\d item")
  expect(err).toBe('')
  expect(out).toContain('1|é\n2|')
  expect(out).toContain('id|bigint||not null')
  expect(await ids()).toEqual(['1', '2'])
})

test('an error in psql leaves the database free', async () => {
  const { out, err } = await psql('select 1/0; select 2;')
  expect(err).toContain('division by zero')
  expect(out).toBe('2')
  expect(await database.query('select 1 as one')).toEqual([{ one: 1 }])
})

test('several statements in one query are one transaction', async () => {
  const { err } = await psql('', '-c', 'insert into item values (1); insert into item values (1)')
  expect(err).toContain('duplicate key')
  expect(await ids()).toEqual([])
})

test('COPY goes in and out', async () => {
  const { out, err } = await psql('\\copy item from pstdin\n1\ta\\\\b\n2\t\\N\n\\.\ncopy item to stdout;\n')
  expect(err).toBe('')
  expect(out).toBe('COPY 2\n1\ta\\\\b\n2\t\\N')
  expect(await database.query('select name from item order by id')).toEqual([{ name: 'a\\b' }, { name: null }])
})

test('COPY of many rows arrives whole', async () => {
  const rows = Array.from({ length: 100_000 }, (_, i) => `${i}\tname ${i}`).join('\n')
  const { out } = await psql(`copy item from stdin;\n${rows}\n\\.\n`)
  expect(out).toBe('COPY 100000')
  expect(await database.query('select count(*)::int as n from item')).toEqual([{ n: 100_000 }])
})

test('a COPY that fails, or that hides in a longer query, breaks nothing', async () => {
  const failed = await psql('copy item from stdin;\n1\ta\nx\ty\n\\.\nselect count(*) from item;\n')
  expect(failed.err).toContain('invalid input syntax')
  expect(failed.out).toBe('0')
  const hidden = await psql('', '-c', 'select 1; copy item from stdin')
  expect(hidden.err).toContain('no data for COPY')
  expect(await ids()).toEqual([])
})

test('a driver prepares statements, and finds them again after others had their turn', async () => {
  const [one, two] = [driver(), driver()]
  for (let i = 1; i <= 5; i++) {
    expect(await one`select ${i}::int + 1 as n`).toEqual([{ n: i + 1 }])
    expect(await two`select ${i}::int + 2 as n`).toEqual([{ n: i + 2 }])
    expect(await database.query('select $1::int + 3 as n', [i])).toEqual([{ n: i + 3 }])
  }
  await Promise.all([one.end(), two.end()])
})

test('settings stay with the client that made them', async () => {
  const [one, two] = [driver(), driver()]
  await one`set work_mem = '12MB'`
  await one`set search_path = pg_catalog`
  expect(await two`show work_mem`).toEqual([{ work_mem: '4MB' }])
  expect(await database.query('show work_mem')).toEqual([{ work_mem: '4MB' }])
  expect(await database.query('show search_path')).toEqual([{ search_path: 'public' }])
  expect(await one`show work_mem`).toEqual([{ work_mem: '12MB' }])
  expect(await one`show search_path`).toEqual([{ search_path: 'pg_catalog' }])
  await Promise.all([one.end(), two.end()])
})

test('a role that a client has taken stays with it', async () => {
  await database.execute('create role reader')
  const one = driver()
  await one`set role reader`
  expect(await database.query('select current_user::text as who')).toEqual([{ who: 'postgres' }])
  expect(await one`select current_user::text as who`).toEqual([{ who: 'reader' }])
  await one.end()
})

test('two clients with open transactions do not see into each other', async () => {
  const [one, two] = [driver(), driver()]
  const order: string[] = []
  const add = (sql: ReturnType<typeof driver>, id: number) =>
    sql.begin(async (transaction) => {
      order.push(`begin ${id}`)
      await transaction`insert into item values (${id}, 'one')`
      await new Promise((resolve) => setTimeout(resolve, 100))
      const seen = await transaction`select id from item order by id`
      order.push(`end ${id}`)
      return seen.map((row) => row.id)
    })
  const seen = await Promise.all([add(one, 1), add(two, 2)])
  expect(seen).toEqual([['1'], ['1', '2']])
  expect(order).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2'])
  await Promise.all([one.end(), two.end()])
})

test('this process waits for the transaction of a client, and the client for this process', async () => {
  const one = driver()
  const inside = one.begin(async (transaction) => {
    await transaction`insert into item values (1)`
    const waiting = ids()
    await transaction`insert into item values (2)`
    return { waiting }
  })
  const { waiting } = await inside
  expect(await waiting).toEqual(['1', '2'])
  const held = database.transaction('write', async (transaction) => {
    await transaction.query('insert into item values (3)')
    await new Promise((resolve) => setTimeout(resolve, 50))
  })
  expect(await one`select count(*)::int as n from item`).toEqual([{ n: 3 }])
  await held
  await one.end()
})

test('a client that rolls back leaves nothing', async () => {
  const one = driver()
  await expect(
    one.begin(async (transaction) => {
      await transaction`insert into item values (1)`
      throw new Error('changed my mind')
    }),
  ).rejects.toThrow('changed my mind')
  expect(await ids()).toEqual([])
  await one.end()
})

test('a transaction that is left alone is rolled back, and its client told', async () => {
  const child = spawn('psql', ['-X', url()], { stdio: 'pipe' })
  let err = ''
  child.stderr.on('data', (piece) => (err += piece))
  child.stdin.write("begin; insert into item values (1, 'left alone');\n")
  const since = performance.now()
  await new Promise((resolve) => child.stdout.once('data', resolve))
  expect(await ids()).toEqual([])
  expect(performance.now() - since).toBeGreaterThan(400)
  child.stdin.end('select 1;\n')
  await new Promise((resolve) => child.once('close', resolve))
  expect(err).toContain('left alone')
})

test('a client that is killed inside a transaction leaves nothing and frees the database', async () => {
  const child = spawn('psql', ['-X', url()], { stdio: 'pipe' })
  child.stdin.write("begin; insert into item values (1, 'killed');\n")
  await new Promise((resolve) => child.stdout.once('data', resolve))
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('close', resolve))
  expect(await ids()).toEqual([])
})

test('a commit of a client wakes the tail', async () => {
  const tail = await database.openTail()
  const woken = new Promise<void>((resolve) => void tail.onWake('anything', () => resolve()))
  await psql('insert into item values (1)')
  await woken
  await tail.close()
})

test('encryption is declined, and a cancel request ends its connection', async () => {
  const preferring = postgres(`${url()}?sslmode=prefer`, { max: 1 })
  expect(await preferring`select 1 as one`).toEqual([{ one: 1 }])
  await preferring.end()
  expect(await say(Buffer.from([0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 1, 0, 0, 0, 1]))).toBe('')
})

test('garbage, a message too large and an unknown database end the connection and nothing else', async () => {
  expect(await say(Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'))).toContain('08P01')
  expect(await say(startup('database', 'elsewhere'))).toContain('3D000')
  expect(await say(Buffer.concat([startup('user', 'me'), Buffer.from([0x51, 0x7f, 0xff, 0xff, 0xff])]))).toContain('08P01')
  expect(await ids()).toEqual([])
})

test('a newer minor version of the protocol is negotiated down', async () => {
  const bytes = startup('user', 'me')
  bytes.writeUInt16BE(2, 6)
  expect(await say(Buffer.concat([bytes, Buffer.from([0x58, 0, 0, 0, 4])]))).toMatch(/^v/)
})

test('a seventeenth client is refused', async () => {
  const drivers = Array.from({ length: 16 }, driver)
  await Promise.all(drivers.map((sql) => sql`select 1`))
  const one = driver()
  await expect(one`select 1`).rejects.toMatchObject({ code: '53300' })
  await Promise.all([...drivers, one].map((sql) => sql.end()))
})

test('a LISTEN, a temporary table and an advisory lock do not outlive the turn of somebody else', async () => {
  const one = driver()
  await one`create temp table item (other int)`
  await one`select pg_advisory_lock(1)`
  expect(await ids()).toEqual([])
  expect(await database.query('select count(*)::int as n from pg_locks where locktype = $1', ['advisory'])).toEqual([{ n: 0 }])
  await one.end()
})

test('closing the gateway rolls back what is open and tells its clients', async () => {
  const other = await openGateway(database, { port: 0 })
  const child = spawn('psql', ['-X', `postgres://postgres@127.0.0.1:${other.port}/postgres`], { stdio: 'pipe' })
  let err = ''
  child.stderr.on('data', (piece) => (err += piece))
  // It may have noticed, and gone, before it is asked for more.
  child.stdin.on('error', () => undefined)
  child.stdin.write('begin; insert into item values (1);\n')
  await new Promise((resolve) => child.stdout.once('data', resolve))
  await other.close()
  expect(await ids()).toEqual([])
  child.stdin.end('select 1;\n')
  await new Promise((resolve) => child.once('close', resolve))
  expect(err).toContain('the gateway is being closed')
})

function startup(name: string, value: string): Buffer {
  const body = Buffer.from(`user\0me\0${name}\0${value}\0\0`)
  const head = Buffer.alloc(8)
  head.writeInt32BE(body.length + 8)
  head.writeInt32BE(196_608, 4)
  return Buffer.concat([head, body])
}

/** Sends bytes, and gives what came back until the other side closed. */
async function say(bytes: Buffer): Promise<string> {
  const socket = connect(gateway.port, '127.0.0.1')
  const pieces: Buffer[] = []
  socket.on('data', (piece) => pieces.push(piece))
  socket.on('error', () => undefined)
  socket.write(bytes)
  await new Promise((resolve) => socket.once('close', resolve))
  return Buffer.concat(pieces).toString('latin1')
}
