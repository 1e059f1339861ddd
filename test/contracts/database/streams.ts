import { expect, test } from 'vitest'
import type { Database } from '../../../packages/server/src/ports.ts'
import { names, pause } from './given.ts'

export function streamsContract(database: () => Database): void {
  const numbers = 'select i::text from generate_series(1, $1::int) i'

  test('fifty thousand rows come in pieces, in order, each after the one before has settled', async () => {
    let [rows, pieces, running, largest] = [0, 0, 0, 0]
    await database().transaction('read', (transaction) =>
      transaction.stream(numbers, [50_000], async (piece) => {
        expect(++running).toBe(1)
        for (const text of piece) if (Number(text) !== ++rows) throw new Error(`${text} came as number ${rows}`)
        largest = Math.max(largest, piece.length)
        if (++pieces % 10 === 0) await pause(1)
        running--
      }),
    )
    expect(rows).toBe(50_000)
    expect(largest).toBeLessThanOrEqual(1000)
    expect(pieces).toBeGreaterThan(40)
  })

  test('a stream hands out texts exactly', async () => {
    const texts: string[] = []
    const value = 'a\\b\n\t\\N\\\\.é😀'
    await database().transaction('read', (transaction) =>
      transaction.stream(
        'select $1::text union all select json_build_array($1::text, 1.10)::text union all select 9007199254740993::text',
        [value],
        (piece) => void texts.push(...piece),
      ),
    )
    expect(texts).toEqual([value, JSON.stringify([value, 0]).replace('0]', '1.10]').replace(',', ', '), '9007199254740993'])
  })

  test('a stream ends where the function says so, and the transaction goes on', async () => {
    const rows: string[] = []
    let calls = 0
    const after = await database().transaction('read', async (transaction) => {
      await transaction.stream(numbers, [50_000], (piece) => {
        rows.push(...piece)
        return ++calls < 2
      })
      return transaction.query('select 7 as seven')
    })
    expect(calls).toBe(2)
    expect(rows.length).toBeLessThan(50_000)
    expect(rows).toEqual(rows.map((_, i) => String(i + 1)))
    expect(after).toEqual([{ seven: 7 }])
  })

  test('an empty stream hands out nothing', async () => {
    let calls = 0
    await database().transaction('read', (transaction) => transaction.stream('select $1::text where false', ['a'], () => void calls++))
    expect(calls).toBe(0)
  })

  test.each([1, 700, 1000, 1001])('what a stream of %i rows throws in the function ends it, and the transaction goes on', async (count) => {
    const error = new Error('enough')
    await database().transaction('read', async (transaction) => {
      const attempt = transaction.stream(numbers, [count], async (piece) => {
        await pause(1)
        if (piece.includes(String(count)) || count === 1000) throw error
      })
      await expect(attempt).rejects.toBe(error)
      expect(await transaction.query('select 1 as one')).toEqual([{ one: 1 }])
      const rows: string[] = []
      await transaction.stream(numbers, [3], (piece) => void rows.push(...piece))
      expect(rows).toEqual(['1', '2', '3'])
    })
  })

  test('a statement that fails in the middle of a stream is an error as any other', async () => {
    const rows: string[] = []
    const attempt = database().transaction('read', (transaction) =>
      transaction.stream('select (1/(700 - i))::text from generate_series(1, 1000) i', [], (piece) => void rows.push(...piece)),
    )
    await expect(attempt).rejects.toMatchObject({ code: 'sql', details: { sqlstate: '22012' } })
    expect(rows.length).toBeLessThan(700)
    await expect(database().transaction('read', (transaction) => transaction.stream('select * from nowhere', [], () => {}))).rejects.toMatchObject({
      details: { sqlstate: '42P01' },
    })
    expect(await database().query('select 1 as one')).toEqual([{ one: 1 }])
  })

  test('two streams and statements in one transaction do not disturb each other', async () => {
    const counts: Record<'first' | 'second', string[]> = { first: [], second: [] }
    await database().transaction('write', async (transaction) => {
      await Promise.all([
        transaction.stream(numbers, [2000], (piece) => void counts.first.push(...piece)),
        transaction.stream(numbers, [1500], (piece) => void counts.second.push(...piece)),
        transaction.query("insert into item values (1, 'a')"),
      ])
    })
    expect([counts.first.length, counts.second.length]).toEqual([2000, 1500])
    expect(await names(database())).toEqual(['a'])
  })
}
