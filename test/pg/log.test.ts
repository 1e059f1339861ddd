// The log under hard concurrency, followed by the real tail: nothing lost, doubled or split, compared with the tables.
import type { Database } from '@headwater/server'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Batch, createFeed } from '../../packages/server/src/feed/feed.ts'
import { readStep } from '../../packages/server/src/feed/log.ts'
import { snapshotOf } from '../../packages/server/src/feed/snapshot.ts'
import { install } from '../../packages/server/src/install/install.ts'
import { grants, prepare, schema } from '../harness/app.ts'
import { databases } from '../harness/databases.ts'

const clock = {
  now: () => Date.now(),
  timer: (ms: number, run: () => void) => {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}
const accounts = 40
const balance = 1_000

/** Applies batches as a device does, and checks what must hold of every one of them. */
function createFollower() {
  const rows = new Map<string, number>()
  const batchOfXid = new Map<bigint, number>()
  const seqs = new Set<bigint>()
  const titles = new Map<string, string>()
  let batches = 0
  const wrong: string[] = []
  return {
    wrong,
    rows,
    seqs,
    titles: () => titles,
    batches: () => batches,
    onBatch: (batch: Pick<Batch<null>, 'rows' | 'changes'>) => {
      batches++
      for (const row of batch.rows) {
        if (seqs.has(row.seq)) wrong.push(`row ${row.seq} came twice`)
        seqs.add(row.seq)
        if ((batchOfXid.get(row.xid) ?? batches) !== batches) wrong.push(`transaction ${row.xid} was split`)
        batchOfXid.set(row.xid, batches)
      }
      for (const change of batch.changes) {
        if (change.table !== 'projects') continue
        const [, , title, , , visits] = JSON.parse(change.row ?? '[]')
        if (change.row === null) {
          rows.delete(change.key)
          titles.delete(change.key)
        } else {
          rows.set(change.key, visits)
          titles.set(change.key, title)
        }
      }
      const sum = [...rows.values()].reduce((total, one) => total + one, 0)
      if (rows.size >= accounts && sum !== accounts * balance) wrong.push(`batch ${batches} shows half a transfer: the sum is ${sum}`)
    },
  }
}

async function follow(database: Database) {
  const { identity } = await install(database, { schema, serverSchema: schema, needs: [], capture: {} }, grants)
  const follower = createFollower()
  const feed = createFeed<null>({
    database,
    clock,
    schema,
    identity,
    along: { isNeeded: () => false, read: async () => null },
    listened: () => [],
    onWithheld: () => {},
    check: async () => false,
    onTrouble: (error) => follower.wrong.push(String(error)),
  })
  await feed.start()
  feed.onBatch(follower.onBatch)
  return { feed, follower }
}

describe('R7 the tail on native 18', () => {
  let database: Database
  let close: () => Promise<void>
  let url: string

  beforeAll(async () => {
    const native = databases.find((one) => one.name !== 'embedded')
    if (native === undefined) throw new Error('native is not among the databases')
    const opened = await native.open()
    database = opened.database
    close = opened.close
    url = opened.url ?? ''
    await prepare(database)
  })
  afterAll(() => close())

  test('16 writers with savepoints, aborts and two-phase commits: nothing is lost, doubled or split, and every batch is whole', async () => {
    const { feed, follower } = await follow(database)
    const sql = postgres(url, { max: 18, onnotice: () => {} })
    await sql`insert into projects (id, owner_id, title, visits) select gen_random_uuid(), 'ada', 'account ' || i, ${balance} from generate_series(1, ${accounts}) i`
    const ids = (await sql`select id from projects`).map((row) => String(row.id))
    const pick = () => ids[Math.floor(Math.random() * ids.length)] ?? ''
    let committed = 0
    const transfer = async (writer: number, round: number) => {
      const [from, to] = [pick(), pick()].sort() as [string, string]
      if (from === to) return
      const amount = Math.floor(Math.random() * 20) - 10
      const gid = `transfer-${writer}-${round}`
      const kind = Math.random()
      const session = await sql.reserve()
      try {
        await session`begin`
        await session`update projects set visits = visits - ${amount} where id = ${from}`
        if (kind < 0.3) {
          await session`savepoint s`
          await session`update projects set visits = visits + 999 where id = ${to}`
          await session`rollback to savepoint s`
        }
        if (Math.random() < 0.3) await new Promise((resolve) => setTimeout(resolve, Math.random() * 20))
        await session`update projects set visits = visits + ${amount} where id = ${to}`
        if (kind > 0.85) await session`rollback`
        else if (kind > 0.6) {
          await session.unsafe(`prepare transaction '${gid}'`)
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 10))
          await session.unsafe(Math.random() < 0.2 ? `rollback prepared '${gid}'` : `commit prepared '${gid}'`)
        } else await session`commit`
        committed++
      } catch (error) {
        // Deadlocks are part of it.
        if (!String(error).includes('deadlock')) throw error
        await session`rollback`
      } finally {
        session.release()
      }
    }
    await Promise.all(
      Array.from({ length: 16 }, async (_, writer) => {
        for (let round = 0; round < 60; round++) await transfer(writer, round)
      }),
    )
    await feed.reach()
    const logged = await sql`select seq::text from headwater.log`
    expect(follower.wrong).toEqual([])
    expect(logged.length).toBeGreaterThan(accounts)
    expect(follower.seqs.size).toBe(logged.length)
    const table = new Map((await sql`select id, visits from projects`).map((row) => [JSON.stringify([row.id]), row.visits]))
    expect(follower.rows).toEqual(table)
    expect(follower.batches()).toBeGreaterThan(50)
    expect(committed).toBeGreaterThan(500)
    await feed.stop()
    await sql.end()
  })

  test('F11 a transaction that stays open delays only its own rows', async () => {
    const { feed, follower } = await follow(database)
    const sql = postgres(url, { max: 4, onnotice: () => {} })
    const slow = await sql.reserve()
    await slow`begin`
    await slow`insert into projects (id, owner_id, title, visits) values (gen_random_uuid(), 'ada', 'slow', 0)`
    const before = follower.seqs.size
    await sql`insert into projects (id, owner_id, title, visits) values (gen_random_uuid(), 'ada', 'quick', 0)`
    await feed.reach()
    expect(follower.seqs.size).toBe(before + 1)
    await slow`commit`
    slow.release()
    await feed.reach()
    expect(follower.seqs.size).toBe(before + 2)
    await feed.stop()
    await sql.end()
  })

  test('F10 F11 where most of the log is one transaction, a step reads its index and not the log, with transactions open and without', async () => {
    await install(database, { schema, serverSchema: schema, needs: [], capture: {} }, grants)
    const sql = postgres(url, { max: 3, onnotice: () => {} })
    await sql`insert into headwater.log (table_name, op, key) select 'nothing', 'd', '[' || i || ']' from generate_series(1, 30000) i`
    await sql`analyze headwater.log`
    const open = await sql.reserve()
    const scans = async () => {
      const [row] = await sql`select seq_scan::int as seq, idx_scan::int as index from pg_stat_user_tables where schemaname = 'headwater' and relname = 'log'`
      return { seq: Number(row?.seq), index: Number(row?.index) }
    }
    const tail = await database.openTail()
    for (const isOpen of [false, true]) {
      if (isOpen) await open`begin`
      if (isOpen) await open`insert into projects (id, owner_id, title, visits) values (gen_random_uuid(), 'ada', 'slow', 0)`
      const [now] = await sql`select pg_current_snapshot()::text as s`
      const before = await scans()
      const look = async () => expect((await readStep(tail, snapshotOf(String(now?.s)), 1_000)).rows).toEqual([])
      for (let i = 0; i < 20; i++) await look()
      // A session tells the statistics after a statement, once in a second.
      const counted = () => look().then(async () => (await scans()).index)
      await expect.poll(counted, { timeout: 20_000, interval: 200 }).toBeGreaterThanOrEqual(before.index + 20)
      expect((await scans()).seq).toBe(before.seq)
    }
    await open`rollback`
    open.release()
    await tail.close()
    await sql.end()
  })

  test("hard case 2: a row that the app's trigger changed out of turn is taken from its table", async () => {
    const { feed, follower } = await follow(database)
    const sql = postgres(url, { max: 2, onnotice: () => {} })
    await sql.unsafe(`
      create function sibling() returns trigger language plpgsql as $$ begin
        if pg_trigger_depth() = 1 and new.title = 'a' then update projects set title = 'from the trigger' where title = 'b2'; end if; return null; end $$;
      create trigger sibling after update on projects for each row execute function sibling();
      delete from projects;
      insert into projects (id, owner_id, title, visits) values (gen_random_uuid(), 'ada', 'a1', 0), (gen_random_uuid(), 'ada', 'b1', 0);
      update projects set title = case title when 'a1' then 'a' else 'b2' end`)
    await feed.reach()
    const titles = new Map<string, string>()
    for (const row of await sql`select id, title from projects`) titles.set(JSON.stringify([row.id]), String(row.title))
    expect([...titles.values()].sort()).toEqual(['a', 'from the trigger'])
    expect(follower.titles()).toEqual(titles)
    await sql.unsafe('drop trigger sibling on projects; drop function sibling()')
    await feed.stop()
    await sql.end()
  })
})
