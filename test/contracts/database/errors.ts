import { expect, test } from 'vitest'
import type { Database } from '../../../packages/server/src/ports.ts'
import { names } from './given.ts'

export function errorsContract(database: () => Database): void {
  test.each([
    ['insert into item values (1, null), (1, null)', { sqlstate: '23505', constraint: 'item_pkey', table: 'item', severity: 'ERROR' }],
    ['insert into item values (1, null, 200)', { sqlstate: '23514', constraint: 'item_size_check', table: 'item' }],
    ['insert into item values (null)', { sqlstate: '23502', table: 'item', column: 'id' }],
    ['selec', { sqlstate: '42601' }],
    ['select * from nowhere', { sqlstate: '42P01' }],
    ["do $$ begin raise exception 'not enough %', 'gold' using errcode = 'HW042', hint = 'dig'; end $$", { sqlstate: 'HW042', message: 'not enough gold' }],
  ])('an error says what it was about: %s', async (text, details) => {
    await expect(database().query(text)).rejects.toMatchObject({ name: 'HeadwaterError', code: 'sql', details })
    expect(await names(database())).toEqual([])
  })

  test('an error carries the hint of the database, and not the values of a row', async () => {
    await database().query("insert into item values (1, 'a secret')")
    const error = await database()
      .query("insert into item values (2, 'a secret')")
      .catch((reason: unknown) => reason)
    expect(JSON.stringify(error)).not.toContain('a secret')
    await expect(database().query("do $$ begin raise exception 'no' using hint = 'dig'; end $$")).rejects.toMatchObject({ hint: 'dig' })
  })

  test.each(['begin', 'commit', ' Rollback ', 'START TRANSACTION', 'prepare transaction $1', 'abort', 'end'])('%s as a statement is refused', async (text) => {
    await expect(database().query(text)).rejects.toMatchObject({ code: 'sql', details: { sqlstate: '25001' } })
    await expect(database().transaction('write', (transaction) => transaction.query(text))).rejects.toMatchObject({ details: { sqlstate: '25001' } })
  })

  test('two statements in one query are refused', async () => {
    await expect(database().query("insert into item values (1, 'a'); insert into item values (2, 'b')")).rejects.toMatchObject({
      details: { sqlstate: '42601' },
    })
    expect(await names(database())).toEqual([])
  })

  test('a COPY that wants data is refused and breaks nothing', async () => {
    await expect(database().query('copy item from stdin')).rejects.toMatchObject({ code: 'sql' })
    await expect(database().execute('select 1; copy item from stdin; select 2')).rejects.toMatchObject({ code: 'sql' })
    expect(await names(database())).toEqual([])
  })

  test('after an error everything goes on', async () => {
    for (let i = 0; i < 30; i++) await expect(database().query('select 1/$1::int', [0])).rejects.toMatchObject({ details: { sqlstate: '22012' } })
    expect(await database().query('select 1/$1::int as one', [1])).toEqual([{ one: 1 }])
  })

  test('a script is carried out as a whole or not at all', async () => {
    await expect(database().execute("insert into item values (1, 'a'); create table other (); insert into nowhere values (1)")).rejects.toMatchObject({
      details: { sqlstate: '42P01' },
    })
    expect(await names(database())).toEqual([])
    expect(await database().query(`select to_regclass('other') as other`)).toEqual([{ other: null }])
    await database().execute("insert into item values (1, 'a;b'); -- a comment;\n do $$ begin perform 1; end $$;")
    expect(await names(database())).toEqual(['a;b'])
  })

  test('a script that begins a transaction leaves none open', async () => {
    await database().execute("begin; insert into item values (1, 'a')")
    await database().query("insert into item values (2, 'b')")
    expect(await names(database())).toEqual(['a', 'b'])
  })

  test('statements that were prepared before the tables changed answer as the tables are now', async () => {
    const all = { text: 'select * from item where id = $1::bigint', parameters: [1] }
    for (let i = 0; i < 12; i++) await Promise.all(Array.from({ length: 4 }, () => database().query(all.text, all.parameters)))
    await database().execute("alter table item add column extra text default 'x'; insert into item values (1, 'a')")
    expect(await database().query(all.text, all.parameters)).toEqual([{ id: '1', name: 'a', size: null, extra: 'x' }])
    await database().query("do $$ begin execute 'alter table item drop column extra'; end $$")
    const insert = { text: 'insert into item values ($1::bigint, $2::text)', parameters: [2, 'b'] }
    expect(await database().batch([all, insert, all])).toEqual([[{ id: '1', name: 'a', size: null }], [], [{ id: '1', name: 'a', size: null }]])
    expect(await names(database())).toEqual(['a', 'b'])
  })
}
