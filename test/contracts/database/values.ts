import { expect, test } from 'vitest'
import type { Database } from '../../../packages/server/src/ports.ts'

export function valuesContract(database: () => Database): void {
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
