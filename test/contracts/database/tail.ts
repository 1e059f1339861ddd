import { expect, test } from 'vitest'
import type { Database, TailSession } from '../../../packages/server/src/ports.ts'
import { pause, signal } from './given.ts'

export function tailContract(database: () => Database): void {
  async function withTail<T>(body: (tail: TailSession) => Promise<T>): Promise<T> {
    const tail = await database().openTail()
    return body(tail).finally(() => tail.close())
  }

  test('the tail answers statements in order', async () => {
    await withTail(async (tail) => {
      const all = await Promise.all(Array.from({ length: 20 }, (_, i) => tail.query('select $1::int as n', [i])))
      expect(all.map(([row]) => row?.n)).toEqual(Array.from({ length: 20 }, (_, i) => i))
      await expect(tail.query('select 1/0')).rejects.toMatchObject({ code: 'sql', details: { sqlstate: '22012' } })
      expect(await tail.query('select 1 as one')).toEqual([{ one: 1 }])
    })
  })

  test('the tail reads one snapshot', async () => {
    await withTail(async (tail) => {
      const [read, written] = [signal(), signal()]
      const count = 'select pg_current_snapshot()::text as s, count(*)::int as n from item'
      const seen = tail.read(async (transaction) => {
        const before = await transaction.query(count)
        read.give()
        await Promise.race([written.given, pause(100)])
        return { before, after: await transaction.query(count) }
      })
      await read.given
      await database().query("insert into item values (1, 'a')")
      written.give()
      const { before, after } = await seen
      expect(after).toEqual(before)
      await expect(tail.read((transaction) => transaction.query("insert into item values (2, 'b')"))).rejects.toMatchObject({ details: { sqlstate: '25006' } })
    })
  })

  test('the tail has no plan of its own: it plans for what it is given', async () => {
    await database().execute(
      'drop table if exists entries; create table entries (xid bigint primary key); insert into entries select i from generate_series(1, 50000) i; analyze entries',
    )
    await withTail(async (tail) => {
      const text = 'explain (format text) select * from entries where xid >= $1::bigint'
      for (let i = 0; i < 10; i++) await tail.query('select * from entries where xid >= $1::bigint', [50_000])
      for (let i = 0; i < 10; i++) await tail.query(text, [50_000])
      expect(JSON.stringify(await tail.query(text, [50_000]))).toContain('Index')
      expect(JSON.stringify(await tail.query(text, [1]))).toContain('Seq Scan')
    })
    await database().execute('drop table entries')
  })

  test.each([
    ['a statement', () => database().query("select pg_notify('news', '')")],
    ['a transaction', () => database().transaction('write', (transaction) => transaction.query("select pg_notify('news', '')"))],
    ['a batch', () => database().batch([{ text: "select pg_notify('news', '')", parameters: [] }])],
    ['a script', () => database().execute('notify news')],
  ])('%s that notifies wakes the tail after its commit', async (_, write) => {
    await withTail(async (tail) => {
      const woken = signal()
      await tail.onWake('news', woken.give)
      await write()
      await woken.given
    })
  })

  test('the tail is woken every time, on each of its channels', async () => {
    await withTail(async (tail) => {
      const counts = { first: 0, 'Second "one"': 0 }
      await tail.onWake('first', () => void counts.first++)
      await tail.onWake('Second "one"', () => void counts['Second "one"']++)
      for (let i = 1; i <= 3; i++) {
        await database().query("select pg_notify('first', ''), pg_notify('Second \"one\"', '')")
        await expect.poll(() => Math.min(counts.first, counts['Second "one"'])).toBeGreaterThanOrEqual(i)
      }
    })
  })

  test('a tail that is closed is woken no more, and refuses', async () => {
    const tail = await database().openTail()
    let wakes = 0
    await tail.onWake('news', () => void wakes++)
    await tail.close()
    await database().query("select pg_notify('news', '')")
    await pause(30)
    expect(wakes).toBe(0)
    await expect(tail.query('select 1')).rejects.toMatchObject({ code: 'connection' })
    await expect(tail.read(async () => 1)).rejects.toMatchObject({ code: 'connection' })
  })

  test('two tails read side by side', async () => {
    await withTail((one) =>
      withTail(async (two) => expect(await Promise.all([one.query('select 1 as n'), two.query('select 2 as n')])).toEqual([[{ n: 1 }], [{ n: 2 }]])),
    )
  })
}
