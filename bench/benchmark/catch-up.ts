// What the log costs, at a million rows of it: catching up from 1,000, 10,000 and 100,000 rows behind, by a device of which every hundredth row is;
// a hundred that come back at once to a server that has just started; an idle server; its bytes; and what pruning costs those who write.
import { randomUUID } from 'node:crypto'
import { type Cursor, decodeDown, deviceId, encode, protocolVersion, scopeKey, userId } from '@headwater/protocol'
import { createServer, type Database, openPostgres, type Server } from '@headwater/server'
import { cursorOf, type Identity } from '../../packages/server/src/feed/cursor.ts'
import { fingerprintStatement } from '../../packages/server/src/feed/log.ts'
import { prunePiece } from '../../packages/server/src/feed/prune.ts'
import { snapshotBelow } from '../../packages/server/src/feed/snapshot.ts'
import { itemOf, mutators, person, schema } from '../app.ts'
import { type Bed, withDatabase } from '../database.ts'
import { type Figure, latencies, median, timed } from '../figure.ts'
import { access, grants } from '../server-app.ts'
import { pause } from '../wait.ts'

const rows = Number(process.env.HEADWATER_BENCH_LOG ?? 1_000_000)
const crowd = 100
const idleMs = 10_000
const prunedRows = 200_000

/** Rows of the log as the capture writes them, a hundred to a transaction, one of them of each owner. */
const fillLogSql = `create procedure fill_log(transactions integer) language plpgsql as $$ begin
    perform set_config('synchronous_commit', 'off', false);
    for t in 0..transactions - 1 loop
      insert into headwater.log (table_name, op, key, scopes_after, new)
        select 'items', 'i', json_build_array(id)::text, array['user:' || owner], json_build_object('id', id, 'owner_id', owner, 'title', 'Item ' || i || ' of the list',
          'status', 'open', 'rank', i, 'created_at', '2026-11-21T03:43:43.000000Z', 'updated_at', '2026-11-21T03:43:43.000000Z',
          'body', md5(i::text) || ' ' || md5((i + 1)::text) || ' ' || md5((i + 2)::text) || ' ' || md5((i + 3)::text) || ' ' || md5((i + 4)::text))
        from (select i, '00000000-0000-4000-8000-' || lpad(to_hex(i), 12, '0') as id, case i % 100 when 0 then '${person}' else 'owner-' || i % 100 end as owner
          from generate_series(t * 100, t * 100 + 99) as i) as made;
      commit;
    end loop;
  end $$`

export const catchUp = (): Promise<readonly Figure[]> =>
  withDatabase(async (bed) => {
    await bed.fill(fillLogSql)
    await bed.fill(`call fill_log(${rows / 100})`)
    const database = await openPostgres(bed.url)
    const figures = [
      ...(await behind(bed, database)),
      await manyAtOnce(bed, database),
      ...(await idle(bed)),
      await size(database),
      ...(await pruning(bed, database)),
    ]
    await database.close()
    return figures
  })

const startServer = async (bed: Bed, recentBytes: number, over: (database: Database) => Database = (same) => same): Promise<Server> =>
  createServer({
    schema,
    access,
    mutators,
    grants,
    log: { recentBytes },
    database: over(await openPostgres(bed.url)),
    authenticate: ({ headers }) => headers.get('x-user'),
  })

/** From the log, as a server reads it that has nothing in memory; and from memory. */
async function behind(bed: Bed, database: Database): Promise<readonly Figure[]> {
  const figures: Figure[] = []
  for (const [name, recentBytes] of [
    ['from the log', 0],
    ['from memory', 16_777_216],
  ] as const) {
    const server = await startServer(bed, recentBytes)
    for (const count of recentBytes === 0 ? [1_000, 10_000, 100_000] : [1_000]) {
      const { cursor, xid } = await cursorBack(database, server.identity as Identity, count)
      const value = median(await timed(10, () => resume(server, cursor)))
      const limit = median(await timed(10, () => database.query(plainSql, [xid])))
      figures.push({ name: `catching up ${count / 1_000}k rows ${name}`, unit: 'ms', value, limit })
    }
    await server.close()
  }
  return figures
}

const plainSql = `select new::text as new from headwater.log where xid >= $1::text::xid8 and scopes_after && array['user:${person}'] order by seq`

async function manyAtOnce(bed: Bed, database: Database): Promise<Figure> {
  const server = await startServer(bed, 16_777_216)
  const { cursor } = await cursorBack(database, server.identity as Identity, 1_000)
  const beganAt = performance.now()
  await Promise.all(Array.from({ length: crowd }, () => resume(server, cursor)))
  const value = performance.now() - beganAt
  const limit = median(await timed(10, () => Promise.all(Array.from({ length: crowd }, () => database.query('select 1')))))
  await server.close()
  return { name: `${crowd} devices that catch up 1k rows at once, after a start`, unit: 'ms', value, limit }
}

async function idle(bed: Bed): Promise<readonly Figure[]> {
  let statements = 0
  const server = await startServer(bed, 0, (database) => ({
    ...database,
    openTail: async () => {
      const tail = await database.openTail()
      const query: typeof tail.query = (text, parameters) => {
        statements++
        return tail.query(text, parameters)
      }
      return { ...tail, query }
    },
  }))
  await pause(2_000)
  statements = 0
  const own = process.cpuUsage()
  await pause(idleMs)
  const { user, system } = process.cpuUsage(own)
  const counted = statements
  await server.close()
  const none = process.cpuUsage()
  await pause(idleMs / 5)
  const nothing = process.cpuUsage(none)
  return [
    { name: 'idle server, statements of its tail in a second', unit: 'statements', value: counted / (idleMs / 1_000), limit: 4 },
    { name: 'idle server, CPU in a second', unit: 'ms', value: (user + system) / idleMs, limit: ((nothing.user + nothing.system) * 5) / idleMs },
  ]
}

async function size(database: Database): Promise<Figure> {
  const [found] = await database.query(
    `select pg_total_relation_size('headwater.log')::float8 / count(*) as value, avg(octet_length(new::text) + octet_length(key)) as limit from headwater.log`,
  )
  return { name: 'log, a change', unit: 'KB', value: Number(found?.value) / 1_024, limit: Number(found?.limit) / 1_024 }
}

/** Durable inserts through the capture, one after the other, with and without pruning beside them. */
async function pruning(bed: Bed, database: Database): Promise<readonly Figure[]> {
  const sql = bed.connect()
  let i = 10_000_000
  const insert = async () => {
    const { id, ownerId, title, status, rank, createdAt, updatedAt, body } = itemOf(i++, 'writer')
    await sql`insert into items (id, owner_id, title, status, rank, created_at, updated_at, body)
      values (${id}, ${ownerId}, ${title}, ${status}, ${rank}, ${createdAt}, ${updatedAt}, ${body})`
  }
  const without = await timed(1_000, insert)
  const pieces: number[] = []
  let isPruning = true
  const pruned = prune(database, pieces).finally(() => {
    isPruning = false
  })
  const beside: number[] = []
  while (isPruning) beside.push(...(await timed(1, insert)))
  await pruned
  return [
    ...latencies('insert while the log is pruned', beside, without),
    { name: 'pruning 5,000 rows of the log', unit: 'ms', value: median(pieces), limit: median(without) },
  ]
}

/** As a server does: it rests after each piece for as long as that took. */
async function prune(database: Database, pieces: number[]): Promise<void> {
  for (let gone = 0; gone < prunedRows; ) {
    const beganAt = performance.now()
    gone += (await prunePiece(database, { minutes: 0, rows: 1, bytes: 1 }, { minutes: 0, rows: 1_000 })).rows
    pieces.push(performance.now() - beganAt)
    await pause(performance.now() - beganAt)
  }
}

/** The cursor of a device that was level so many rows ago. */
async function cursorBack(database: Database, identity: Identity, count: number): Promise<{ readonly cursor: Cursor; readonly xid: string }> {
  const xidBack = async (offset: number) =>
    BigInt(
      String((await database.query('select l.xid::text as xid from headwater.log l order by l.xid desc, l.seq desc offset $1::int limit 1', [offset]))[0]?.xid),
    )
  const xid = await xidBack(count - 1)
  const [snapshot, since] = [snapshotBelow(xid), snapshotBelow(await xidBack(count + 63))]
  const { text, parameters } = fingerprintStatement(since, snapshot)
  const [found] = await database.query(text, parameters)
  return { xid: String(xid), cursor: cursorOf(identity, { snapshot, since, count: BigInt(String(found?.count)), sum: BigInt(String(found?.sum)) }) }
}

/** A device with the cursor greets, until it is level. */
async function resume(server: Server, cursor: Cursor): Promise<void> {
  let end = () => {}
  await new Promise<void>((resolve, reject) => {
    const send = (frame: string | Buffer) => {
      const message = decodeDown(String(frame))
      if (message.type === 'failure' || (message.type === 'welcome' && !message.resumed)) reject(new Error(String(frame).slice(0, 500)))
      if (message.type === 'checkpoint') resolve()
    }
    const connected = server.connect(
      { url: '/', headers: new Headers({ 'x-user': person }) },
      { send, bufferedBytes: () => 0, close: () => {}, destroy: () => {} },
    )
    connected.then((events) => {
      end = events.onClose
      events.onMessage(helloOf(cursor))
    }, reject)
  })
  end()
}

const helloOf = (cursor: Cursor) =>
  encode({
    type: 'hello',
    version: protocolVersion,
    user: userId(person),
    device: deviceId(randomUUID()),
    nonce: null,
    cursor,
    confirmed: 0,
    granted: [scopeKey('user', person)],
    held: [],
    grants: null,
    mark: null,
  })
