// What every Database promises, as a suite. See packages/server/src/ports.ts.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Database, TailSession, Transaction } from '../../packages/server/src/ports.ts'
import type { DatabaseKind, OpenedDatabase } from '../harness/databases.ts'

/** Runs the suite on a kind of database. */
export function databaseContract({ name, open }: DatabaseKind): void {
  describe(name, () => {
    let opened: OpenedDatabase
    let database: Database
    const given = () => database

    beforeAll(async () => {
      opened = await open()
      database = opened.database
    })
    beforeEach(async () => {
      await database.execute('drop table if exists item; create table item (id bigint primary key, name text unique, size int check (size < 100))')
    })
    afterAll(() => opened.close())

    describe('values', () => valuesContract(given))
    describe('errors', () => errorsContract(given))
    describe('transactions', () => transactionsContract(given))
    describe('batches', () => batchesContract(given))
    describe('streams', () => streamsContract(given))
    describe('the tail', () => tailContract(given))
    describe('closing', () => closingContract(open))
  })
}

const names = async (database: Database) => (await database.query('select name from item order by id')).map((row) => row.name)
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** A promise with its resolve. */
function signal(): { readonly given: Promise<void>; readonly give: () => void } {
  let give = () => {}
  const given = new Promise<void>((resolve) => {
    give = resolve
  })
  return { given, give }
}

function valuesContract(database: () => Database): void {
  test.each([
    ['bigint', '9223372036854775807'],
    ['bigint', '-9223372036854775808'],
    ['numeric', '12345678901234567890.123456789012345678900'],
    ['numeric', 'NaN'],
    ['timestamptz', '2026-11-21 03:43:43.123456+00'],
    ['timestamptz', 'infinity'],
    ['timestamp', '0001-01-01 00:00:00.000001'],
    ['date', '0044-03-15 BC'],
    ['time', '24:00:00'],
    ['uuid', '018f3c3e-0000-7000-8000-0123456789ab'],
    ['bytea', '\\x00ff5c'],
    ['json', '{"b" : 1,  "a": [1.10, "\\u0041\\\\"]}'],
    ['jsonb', '{"a": [1.10, "\\\\"], "b": 12345678901234567890}'],
    ['text[]', '{a,"b c",NULL,"d\\"e"}'],
    ['int[]', '{{1,2},{3,4}}'],
    ['text', 'a\\b\n\t\'"$1;--é😀\u2028�'],
    ['text', ''],
    ['text', 'true'],
    ['pg_snapshot', '10:20:10,14,15'],
    ['xid8', '18446744073709551615'],
  ])('a %s comes back as the text it went in as: %s', async (type, value) => {
    expect(await database().query(`select $1::text::${type} as value`, [value])).toEqual([{ value }])
    expect(await database().query(`select $1::${type} as value`, [value])).toEqual([{ value }])
  })

  test.each([
    ['int', '-2147483648', -2_147_483_648],
    ['smallint', '7', 7],
    ['oid', '4294967295', 4_294_967_295],
    ['float8', '0.1', 0.1],
    ['float8', '-0', -0],
    ['float8', 'NaN', Number.NaN],
    ['float8', '-Infinity', Number.NEGATIVE_INFINITY],
    ['float4', '1.5', 1.5],
    ['boolean', 'true', true],
    ['boolean', 'false', false],
  ])('a %s of %s is read as JavaScript has it', async (type, value, expected) => {
    expect(await database().query(`select $1::text::${type} as value`, [value])).toEqual([{ value: expected }])
  })

  test('parameters may be of every kind, null among them', async () => {
    const [row] = await database().query('select $1::text as a, $2::int as b, $3::bool as c, $4::text as d, $5::float8 as e, $6::bool as f', [
      'a',
      1,
      true,
      null,
      1.5,
      false,
    ])
    expect(row).toEqual({ a: 'a', b: 1, c: true, d: null, e: 1.5, f: false })
  })

  test('JSON is bound as the text that it is', async () => {
    const [row] = await database().query(`select $1::text::jsonb->>'a' as a, $2::jsonb->>0 as b, jsonb_typeof($3::text::jsonb) as c`, [
      '{"a":"x\\"y"}',
      '["z"]',
      '"text"',
    ])
    expect(row).toEqual({ a: 'x"y', b: 'z', c: 'string' })
  })

  test('a parameter of a megabyte, and a row of ten, arrive whole', async () => {
    const value = 'é😀\\'.repeat(130_000)
    expect(await database().query('select $1::text as value', [value])).toEqual([{ value }])
    const [row] = await database().query(`select repeat('é', 5000000) as value`)
    expect(row?.value).toHaveLength(5_000_000)
  })

  test('a text with a NUL or half a character is refused, not changed', async () => {
    await expect(database().query('select $1::text', ['a\0b'])).rejects.toMatchObject({ code: 'sql', details: { sqlstate: '22021' } })
    await expect(database().query('select $1::text', ['\ud83d'])).rejects.toMatchObject({ code: 'sql', details: { sqlstate: '22021' } })
    await expect(database().query('select 1\0')).rejects.toMatchObject({ code: 'sql', details: { sqlstate: '22021' } })
  })

  test('no rows, no columns, and statements without an answer are empty', async () => {
    expect(await database().query('select 1 where false')).toEqual([])
    expect(await database().query('select')).toEqual([{}])
    expect(await database().query("insert into item values (1, 'a')")).toEqual([])
    expect(await database().query('')).toEqual([])
  })

  test('text is in UTF-8, and times are in UTC', async () => {
    expect(await database().query("select '2026-01-01'::timestamptz::text as at, length('é😀') as length")).toEqual([
      { at: '2026-01-01 00:00:00+00', length: 2 },
    ])
  })
}

function errorsContract(database: () => Database): void {
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

function transactionsContract(database: () => Database): void {
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

  test('a transaction that is over refuses', async () => {
    const kept = await database().transaction('write', async (transaction) => transaction)
    await expect(add(kept, 1, 'a')).rejects.toMatchObject({ code: 'over' })
    await expect(kept.stream('select 1::text', [], () => {})).rejects.toMatchObject({ code: 'over' })
    expect(await names(database())).toEqual([])
  })
}

function batchesContract(database: () => Database): void {
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

function streamsContract(database: () => Database): void {
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

function tailContract(database: () => Database): void {
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

function closingContract(open: () => Promise<OpenedDatabase>): void {
  test('closing waits for what is under way, then everything is refused', async () => {
    const { database, close } = await open()
    await database.execute('create table item (id int)')
    const writing = database.transaction('write', async (transaction) => {
      await transaction.query('insert into item values (1)')
      await pause(30)
      return transaction.query('select id from item')
    })
    await pause(5)
    const closing = database.close()
    expect(await writing).toEqual([{ id: 1 }])
    await closing
    await expect(database.query('select 1')).rejects.toMatchObject({ code: 'closed' })
    await expect(database.batch([])).rejects.toMatchObject({ code: 'closed' })
    await close()
  })
}
