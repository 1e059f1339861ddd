// What a server publishes can never be taken back by a crash of PostgreSQL. It flushes the WAL itself only where a commit did not.
import type { Database } from '@headwater/server'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openPostgres } from '../../packages/server/src/database/postgres.ts'
import type { TailSession } from '../../packages/server/src/ports.ts'
import { keys, startServer, type TestServer } from '../harness/app.ts'
import { type Native, startNative } from '../harness/native.ts'
import { connectWire, type WireDevice } from '../harness/wire-device.ts'

/** What the tails of a database ask of it. */
function recorded(database: Database, asked: string[]): Database {
  const record = (tail: TailSession): TailSession => ({
    ...tail,
    query: (text, parameters) => {
      asked.push(text)
      return tail.query(text, parameters)
    },
  })
  return { ...database, openTail: async () => record(await database.openTail()) }
}

describe('what is published is durable', () => {
  const asked: string[] = []
  const id = '00000000-0000-4000-8000-000000000001'
  let native: Native
  let url: string
  let sql: ReturnType<typeof postgres>
  let server: TestServer
  let device: WireDevice

  beforeAll(async () => {
    // Nothing else writes to this server's WAL, and nobody flushes it in passing.
    native = await startNative({
      settings: { autovacuum: 'off', wal_level: 'minimal', max_wal_senders: '0', wal_writer_delay: '10s', max_prepared_transactions: '0' },
    })
    url = native.url(await native.createDatabase())
    sql = postgres(url, { max: 1, onnotice: () => undefined })
    server = await startServer(recorded(await openPostgres(url), asked))
    await sql`insert into projects (id, owner_id, title) values (${id}, 'ada', 'first')`
    device = await connectWire({ url: server.url, user: 'ada', keys })
  })

  afterAll(async () => {
    device?.close()
    await server?.close()
    await sql?.end()
    await native?.stop()
  })

  /** Commits a title, and answers how often the server flushed until the device had it. */
  async function flushesFor(title: string, synchronousCommit: 'on' | 'off'): Promise<number> {
    asked.length = 0
    await sql.unsafe(`begin; set local synchronous_commit = ${synchronousCommit}; update projects set title = '${title}'; commit`)
    await device.until(() => device.rows('projects')[0]?.title === title, title)
    return asked.filter((text) => /pg_logical_emit_message|update headwater\.witness/.test(text)).length
  }

  test('a commit that waited for the flush is published without another', async () => {
    expect(await flushesFor('waited', 'on')).toBe(0)
  })

  test('F1: a commit that did not wait is flushed before anybody hears of it', async () => {
    expect(await flushesFor('did not wait', 'off')).toBe(1)
    await native.kill()
    await native.startAgain()
    const after = postgres(url, { max: 1 })
    expect((await after`select title from projects`)[0]?.title).toBe('did not wait')
    await after.end()
  })
})
