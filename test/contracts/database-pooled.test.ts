// Through a pooler that hands every transaction to another process of the server: nothing of a session is left for the next one.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { openPostgres } from '../../packages/server/src/database/postgres.ts'
import { createDatabase } from '../harness/databases.ts'
import { type Pooler, startPooler } from '../harness/pooler.ts'
import { databaseContract } from './database.ts'

let pooler: Pooler
beforeAll(async () => {
  pooler = await startPooler(inject('nativeUrl'))
})
afterAll(() => pooler.stop())

databaseContract({
  name: 'native, through a pooler',
  open: async () => {
    const { name, url, drop } = await createDatabase(inject('nativeUrl'))
    const database = await openPostgres(pooler.url(name), { directUrl: url })
    const close = async () => {
      await database.close()
      await drop()
    }
    return { database, url, close }
  },
})

describe('through a pooler', () => {
  test('settings of ours are in every transaction, and in nobody else’s', async () => {
    const { name, url, drop } = await createDatabase(inject('nativeUrl'))
    const strange = await openPostgres(url)
    await strange.execute(`alter database ${name} set timezone = 'Asia/Tokyo'; alter database ${name} set datestyle = 'German'`)
    await strange.close()
    const database = await openPostgres(pooler.url(name), { sessionsMax: 10 })
    const asked = Array.from({ length: 40 }, (_, i) => {
      const text = `select timestamptz '2026-01-01 00:00:00Z'::text as at, pg_sleep(0.01)::text as slept, $1::int as i`
      if (i % 3 === 0) return database.query(text, [i])
      return i % 3 === 1
        ? database.batch([{ text, parameters: [i] }]).then(([rows]) => rows ?? [])
        : database.transaction('read', ({ query }) => query(text, [i]))
    })
    expect((await Promise.all(asked)).map(([row]) => row?.at)).toEqual(Array.from({ length: 40 }, () => '2026-01-01 00:00:00+00'))
    await database.close()
    const { default: postgres } = await import('postgres')
    const sql = postgres(pooler.url(name), { max: 3, prepare: false, fetch_types: false })
    const seen = await Promise.all(Array.from({ length: 6 }, () => sql`select current_setting('timezone') as zone, pg_sleep(0.02)`))
    expect(new Set(seen.map(([row]) => row?.zone))).toEqual(new Set(['Asia/Tokyo']))
    await sql.end()
    await drop()
  })
})
