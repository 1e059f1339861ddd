import { expect, test } from 'vitest'
import type { Database, Transaction } from '../../../packages/server/src/ports.ts'
import { names, pause, signal } from './given.ts'

export function transactionsContract(database: () => Database): void {
  const add = (transaction: Transaction, id: number, name: string) => transaction.query('insert into item values ($1::bigint, $2::text)', [id, name])

  test('a transaction commits when its function resolves, with its answer', async () => {
    const answer = await database().transaction('write', async (transaction) => {
      await add(transaction, 1, 'a')
      expect(await transaction.query('select name from item')).toEqual([{ name: 'a' }])
      return 'done'
    })
    expect(answer).toBe('done')
    expect(await names(database())).toEqual(['a'])
  })

  test('a transaction rolls back when its function rejects, and rejects with the same error', async () => {
    const error = new Error('changed my mind')
    const attempt = database().transaction('write', async (transaction) => {
      await add(transaction, 1, 'a')
      throw error
    })
    await expect(attempt).rejects.toBe(error)
    expect(await names(database())).toEqual([])
  })

  test('a transaction whose statement failed does not pass for committed, even if the error was swallowed', async () => {
    const attempt = database().transaction('write', async (transaction) => {
      await add(transaction, 1, 'a')
      await add(transaction, 1, 'b').catch(() => undefined)
    })
    await expect(attempt).rejects.toMatchObject({ code: 'sql', details: { sqlstate: '23505' } })
    expect(await names(database())).toEqual([])
  })

  test('a transaction goes on after an error that a savepoint held', async () => {
    await database().transaction('write', async (transaction) => {
      await add(transaction, 1, 'a')
      await transaction.query('savepoint before')
      await expect(add(transaction, 1, 'b')).rejects.toMatchObject({ details: { sqlstate: '23505' } })
      await transaction.query('rollback to savepoint before')
      await add(transaction, 2, 'c')
    })
    expect(await names(database())).toEqual(['a', 'c'])
  })

  test('a failure of the commit itself is thrown, and nothing is committed', async () => {
    await database().execute('drop table if exists late; create table late (id int, unique (id) deferrable initially deferred)')
    const attempt = database().transaction('write', (transaction) => transaction.query('insert into late values (1), (1)'))
    await expect(attempt).rejects.toMatchObject({ code: 'sql', details: { sqlstate: '23505' } })
    await expect(database().query('insert into late values (1), (1)')).rejects.toMatchObject({ details: { sqlstate: '23505' } })
    expect(await database().query('select id from late')).toEqual([])
    await database().execute('drop table late')
  })

  test('transactions are REPEATABLE READ, and those for reading read only', async () => {
    const modes = (transaction: Transaction) =>
      transaction.query("select current_setting('transaction_isolation') as isolation, current_setting('transaction_read_only') as read_only")
    expect(await database().transaction('write', modes)).toEqual([{ isolation: 'repeatable read', read_only: 'off' }])
    expect(await database().transaction('read', modes)).toEqual([{ isolation: 'repeatable read', read_only: 'on' }])
    await expect(database().transaction('read', (transaction) => add(transaction, 1, 'a'))).rejects.toMatchObject({ details: { sqlstate: '25006' } })
  })

  test('a transaction for definitions is READ COMMITTED, runs scripts, and commits or leaves nothing', async () => {
    await database().execute('drop table if exists defined')
    const defined = async () => (await database().query(`select to_regclass('defined') is not null as present`))[0]?.present
    const error = new Error('changed my mind')
    const attempt = database().transaction('define', async (transaction) => {
      await transaction.execute('create table defined (id int); insert into defined values (1); savepoint one; drop table defined; rollback to one;')
      expect(await transaction.query(`select id, current_setting('transaction_isolation') as isolation from defined`)).toEqual([
        { id: 1, isolation: 'read committed' },
      ])
      throw error
    })
    await expect(attempt).rejects.toBe(error)
    expect(await defined()).toBe(false)
    await database().transaction('define', (transaction) => transaction.execute('create table defined (id int); comment on table defined is $$a;b$$'))
    expect(await defined()).toBe(true)
    const broken = database().transaction('define', (transaction) => transaction.execute('drop table defined; select 1/0'))
    await expect(broken).rejects.toMatchObject({ code: 'sql', details: { sqlstate: '22012' } })
    expect(await defined()).toBe(true)
    const ended = database().transaction('define', (transaction) => transaction.execute('begin; drop table defined'))
    await expect(ended).rejects.toMatchObject({ code: 'sql', details: { sqlstate: '25001' } })
    expect(await defined()).toBe(true)
    await database().execute('drop table defined')
  })

  test('a transaction sees one snapshot, whatever is committed meanwhile', async () => {
    const [read, written] = [signal(), signal()]
    const seen = database().transaction('read', async (transaction) => {
      const before = await transaction.query('select count(*)::int as n from item')
      read.give()
      await Promise.race([written.given, pause(100)])
      return [before, await transaction.query('select count(*)::int as n from item')]
    })
    await read.given
    await database().query("insert into item values (1, 'a')")
    written.give()
    expect(await seen).toEqual([[{ n: 0 }], [{ n: 0 }]])
  })

  test('of two transactions that change one row, no update is lost', async () => {
    await database().query("insert into item values (1, 'a', 0)")
    const increment = () =>
      database().transaction('write', async (transaction) => {
        const [row] = await transaction.query('select size from item where id = 1')
        await pause(20)
        await transaction.query('update item set size = $1::int where id = 1', [Number(row?.size) + 1])
      })
    const outcomes = await Promise.allSettled([increment(), increment(), increment()])
    const failed = outcomes.filter((outcome) => outcome.status === 'rejected')
    for (const { reason } of failed) expect(reason).toMatchObject({ code: 'sql', details: { sqlstate: '40001' } })
    expect(await database().query('select size from item')).toEqual([{ size: outcomes.length - failed.length }])
  })

  test('forty transactions at once all finish', async () => {
    const all = Array.from({ length: 40 }, (_, i) =>
      database().transaction('write', async (transaction) => {
        await add(transaction, i, `name ${i}`)
        await pause(1)
      }),
    )
    await Promise.all(all)
    expect(await names(database())).toHaveLength(40)
  })

  test('statements of one transaction may be asked for at once, and are carried out in order', async () => {
    await database().transaction('write', async (transaction) => {
      await Promise.all(Array.from({ length: 50 }, (_, i) => add(transaction, i, String(i))))
      const rows = await transaction.query('select id::int as id from item order by ctid')
      expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 50 }, (_, i) => i))
    })
  })

  test('of statements asked for at once, those behind one that failed fail as well, and the next transaction is none the worse', async () => {
    const answers = await database().transaction('write', async (transaction) => {
      await transaction.query('savepoint before')
      const attempts = [add(transaction, 1, 'a'), add(transaction, 1, 'again'), add(transaction, 2, 'b'), transaction.query('rollback to savepoint before')]
      const settled = await Promise.allSettled(attempts)
      await add(transaction, 3, 'c')
      return settled.map((one) => (one.status === 'rejected' ? one.reason.details.sqlstate : 'done'))
    })
    expect(answers).toEqual(['done', '23505', '25P02', 'done'])
    expect(await names(database())).toEqual(['c'])
  })

  test('a transaction that is over refuses', async () => {
    const kept = await database().transaction('write', async (transaction) => transaction)
    await expect(add(kept, 1, 'a')).rejects.toMatchObject({ code: 'over' })
    await expect(kept.stream('select 1::text', [], () => {})).rejects.toMatchObject({ code: 'over' })
    expect(await names(database())).toEqual([])
  })
}
