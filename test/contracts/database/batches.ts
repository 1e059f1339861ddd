import { expect, test } from 'vitest'
import type { Database } from '../../../packages/server/src/ports.ts'
import { names } from './given.ts'

export function batchesContract(database: () => Database): void {
  const insert = (id: number, name: string) => ({ text: 'insert into item values ($1::bigint, $2::text) returning name', parameters: [id, name] })
  const broken = { text: 'select 1/$1::int', parameters: [0] }

  test('a batch answers the rows of each statement, in order', async () => {
    const rows = await database().batch([
      insert(1, 'a'),
      { text: 'select count(*)::int as n from item', parameters: [] },
      insert(2, 'b'),
      { text: 'update item set size = 1', parameters: [] },
    ])
    expect(rows).toEqual([[{ name: 'a' }], [{ n: 1 }], [{ name: 'b' }], []])
    expect(await names(database())).toEqual(['a', 'b'])
    expect(await database().batch([])).toEqual([])
  })

  test.each([
    ['first', [broken, insert(1, 'a'), insert(2, 'b')]],
    ['middle', [insert(1, 'a'), broken, insert(2, 'b')]],
    ['last', [insert(1, 'a'), insert(2, 'b'), broken]],
  ])('a batch whose %s statement fails leaves nothing, and everything goes on', async (_, statements) => {
    // More often than there are connections: each of them must be usable afterwards, with statements prepared and not.
    for (let i = 0; i < 12; i++) await expect(database().batch(statements)).rejects.toMatchObject({ code: 'sql', details: { sqlstate: '22012' } })
    expect(await names(database())).toEqual([])
    expect(await database().batch([insert(3, 'c')])).toEqual([[{ name: 'c' }]])
  })

  test('of several failures of a batch the first is thrown', async () => {
    const attempt = database().batch([insert(1, 'a'), { text: 'select * from nowhere', parameters: [] }, broken, insert(1, 'a')])
    await expect(attempt).rejects.toMatchObject({ details: { sqlstate: '42P01' } })
  })

  test('a batch with a parameter that cannot be stored sends nothing', async () => {
    await expect(database().batch([insert(1, 'a'), insert(2, 'b\0')])).rejects.toMatchObject({ details: { sqlstate: '22021' } })
    expect(await names(database())).toEqual([])
  })

  test('a batch whose commit fails is undone', async () => {
    await database().execute('drop table if exists late; create table late (id int, unique (id) deferrable initially deferred)')
    const one = { text: 'insert into late values (1)', parameters: [] }
    await expect(database().batch([one, one])).rejects.toMatchObject({ details: { sqlstate: '23505' } })
    expect(await database().query('select id from late')).toEqual([])
    await database().execute('drop table late')
  })

  test('a batch is REPEATABLE READ', async () => {
    expect(await database().batch([{ text: "select current_setting('transaction_isolation') as isolation", parameters: [] }])).toEqual([
      [{ isolation: 'repeatable read' }],
    ])
  })

  test('five hundred statements in one batch, and fifty batches at once', async () => {
    await database().batch(Array.from({ length: 500 }, (_, i) => insert(i, `a ${i}`)))
    await Promise.all(Array.from({ length: 50 }, (_, i) => database().batch([insert(1000 + i, `b ${i}`), insert(2000 + i, `c ${i}`)])))
    expect(await names(database())).toHaveLength(600)
  })

  test('more different statements than are kept prepared all work', async () => {
    const texts = Array.from({ length: 1200 }, (_, i) => ({ text: `select $1::int + ${i} as n`, parameters: [1] }))
    for (let round = 0; round < 2; round++) {
      const rows = await database().batch(texts)
      expect(rows.map(([row]) => row?.n)).toEqual(texts.map((_, i) => i + 1))
    }
  })
}
