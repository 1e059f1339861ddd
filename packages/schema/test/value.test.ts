// R9 and W12 on the device's side of the table of values: every type, both directions, extremes, refusals.
import { HeadwaterError } from '@headwater/protocol'
import {
  array,
  bigint,
  boolean,
  bytes,
  type ColumnDefinition,
  type ColumnType,
  date,
  decodeValue,
  encodeValue,
  enumeration,
  float,
  integer,
  isPlain,
  json,
  numeric,
  text,
  timestamp,
  uuid,
} from '@headwater/schema'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'

interface Values {
  readonly column: { readonly definition: ColumnDefinition }
  /** What an app may write, and the JavaScript value it reads back, if that is another. */
  readonly accepted: readonly (readonly [written: unknown, read?: unknown])[]
  readonly refused: readonly unknown[]
  /** Encoded values that have not the type's form; none where decoding does nothing. */
  readonly corrupt?: readonly (string | number | boolean | object)[]
}

const id = '01234567-89ab-4cde-8f01-23456789abcd'
const table: Readonly<Record<Exclude<ColumnType, 'reference'>, Values>> = {
  text: {
    column: text(),
    accepted: [[''], ['a'], ['\u{1f600}'], ['é\u0301\u202e'], ['x'.repeat(100_000)], ['__proto__']],
    refused: ['\0', 'a\0b', '\ud800', '\udc00', 'a\ud800b', 1, true, {}, [], 1n, new Date(0)],
  },
  integer: {
    column: integer(),
    accepted: [[0], [-0, 0], [1], [-1], [2_147_483_647], [-2_147_483_648]],
    refused: [2_147_483_648, -2_147_483_649, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '1', 1n, true],
  },
  bigint: {
    column: bigint(),
    accepted: [[0n], [-1n], [9_223_372_036_854_775_807n], [-9_223_372_036_854_775_808n]],
    refused: [9_223_372_036_854_775_808n, -9_223_372_036_854_775_809n, 1, '1', 1.5],
    corrupt: ['', 'a', '1.5', '0x10', ' 1', '1n', '99999999999999999999', 1, true, {}, []],
  },
  numeric: {
    column: numeric(),
    accepted: [['0'], ['-1'], ['12.50'], ['0.00000000000000000001'], ['1'.repeat(200)], ['NaN'], ['Infinity'], ['-Infinity']],
    refused: ['', '1.', '.5', '+1', '1e3', '1,5', ' 1', '1\n', '--1', 'nan', 'infinity', 1, 1n, '0x10'],
  },
  float: {
    column: float(),
    accepted: [[0], [-0], [0.1], [-1.5], [Number.MAX_VALUE], [5e-324], [Number.NaN], [Number.POSITIVE_INFINITY], [Number.NEGATIVE_INFINITY]],
    refused: ['1', 1n, true, {}],
    corrupt: ['nan', 'infinity', '1.5', '', true, {}, []],
  },
  boolean: { column: boolean(), accepted: [[true], [false]], refused: [0, 1, 'true', '', {}] },
  json: {
    column: json(),
    accepted: [[0], [''], [false], [[]], [{}], [[null, [1, 'a', { b: null }]]], [{ constructor: 1, toString: 'x' }], [JSON.parse('{"__proto__":1}')]],
    refused: [
      Number.NaN,
      Number.NEGATIVE_INFINITY,
      1n,
      () => 1,
      Symbol('a'),
      new Date(0),
      new Map(),
      [undefined],
      '\0',
      { '\0': 1 },
      ['\ud800'],
      { a: { b: 1n } },
      nested(33),
    ],
  },
  timestamp: {
    column: timestamp(),
    accepted: [
      ['2026-11-21T03:43:43.123456Z'],
      ['2026-11-21T03:43:43Z', '2026-11-21T03:43:43.000000Z'],
      ['2026-11-21T03:43:43.1Z', '2026-11-21T03:43:43.100000Z'],
      [new Date(Date.UTC(2026, 10, 21, 3, 43, 43, 7)), '2026-11-21T03:43:43.007000Z'],
      ['0001-01-01T00:00:00.000000Z'],
      ['9999-12-31T23:59:59.999999Z'],
      ['2024-02-29T00:00:00.000000Z'],
      ['infinity'],
      ['-infinity'],
    ],
    refused: [
      new Date(Number.NaN),
      new Date(8.64e15),
      '2026-11-21',
      '2026-11-21 03:43:43Z',
      '2026-11-21T03:43:43',
      '2026-11-21T03:43:43+01:00',
      '2026-11-21T24:00:00Z',
      '2026-11-21T03:43:60Z',
      '2026-02-29T00:00:00Z',
      '2026-11-21T03:43:43.1234567Z',
      '0000-01-01T00:00:00Z',
      '10000-01-01T00:00:00Z',
      '2026-11-21T03:43:43Z\n',
      'now',
      0,
    ],
  },
  date: {
    column: date(),
    accepted: [['2026-11-21'], ['0001-01-01'], ['9999-12-31'], ['2024-02-29'], ['infinity'], ['-infinity']],
    refused: ['2026-02-29', '2026-13-01', '2026-00-01', '2026-04-31', '0000-01-01', '2026-1-1', '21.11.2026', '2026-11-21T00:00:00Z', '', new Date(0), 0],
  },
  bytes: {
    column: bytes(),
    accepted: [[new Uint8Array()], [new Uint8Array([0])], [new Uint8Array([0, 127, 128, 255])], [Uint8Array.from({ length: 8_193 }, (_, i) => i % 256)]],
    refused: ['AA==', [0], new ArrayBuffer(1), 0, {}],
    corrupt: ['*', 'AA=A', 'A', 0, true, {}, []],
  },
  uuid: {
    column: uuid(),
    accepted: [[id], [id.toUpperCase(), id], ['00000000-0000-0000-0000-000000000000'], ['ffffffff-ffff-ffff-ffff-ffffffffffff']],
    refused: ['', id.slice(1), `{${id}}`, id.replaceAll('-', ''), `${id}\n`, `${id.slice(0, -1)}g`, 0],
  },
  enumeration: { column: enumeration('draft', 'live'), accepted: [['draft'], ['live']], refused: ['', 'Draft', 'toString', '__proto__', 0, ['draft']] },
  array: {
    column: array(bigint()),
    accepted: [[[]], [[1n, 2n, -1n]]],
    refused: ['1', 1n, {}, [1], [1n, null], [1n, undefined], Array.from({ length: 1 }), Object.assign([1n], { length: 3 }), [[1n]]],
    corrupt: ['[]', {}, 1, ['a'], [1]],
  },
}

function nested(depth: number): unknown {
  return depth === 0 ? 1 : [nested(depth - 1)]
}

const codeOf = (run: () => unknown): string => {
  try {
    run()
    return 'accepted'
  } catch (error) {
    expect(error).toBeInstanceOf(HeadwaterError)
    return error instanceof HeadwaterError ? error.code : ''
  }
}

for (const [type, { column, accepted, refused, corrupt = [] }] of Object.entries(table)) {
  const { definition } = column
  describe(type, () => {
    test('R9: every value comes back as it was, by way of JSON', () => {
      for (const [written, read = written] of accepted) {
        const encoded = encodeValue(definition, written, 'column')
        const travelled = JSON.parse(JSON.stringify(encoded))
        expect(travelled).toEqual(encoded)
        expect(Object.is(decodeValue(definition, travelled), read) || equal(decodeValue(definition, travelled), read)).toBe(true)
        expect(encodeValue(definition, decodeValue(definition, encoded), 'column')).toEqual(encoded)
        if (isPlain(definition)) expect(decodeValue(definition, encoded)).toBe(encoded)
      }
    })

    test('W12: what the column cannot hold is refused on the device, and the error names the column', () => {
      for (const value of refused) {
        expect({ value, code: codeOf(() => encodeValue(definition, value, 'column')) }).toEqual({ value, code: 'invalid' })
        expect(() => encodeValue(definition, value, 'the column')).toThrow(/the column/)
      }
    })

    test('an encoded value that has not the form of one is corrupt, and nothing else is thrown', () => {
      for (const encoded of corrupt)
        expect({ encoded, code: codeOf(() => decodeValue(definition, JSON.parse(JSON.stringify(encoded)))) }).toEqual({ encoded, code: 'corrupt' })
    })

    test('null is for nullable columns, and is null in both forms', () => {
      expect(codeOf(() => encodeValue(definition, null, 'column'))).toBe('invalid')
      expect(codeOf(() => encodeValue(definition, undefined, 'column'))).toBe('invalid')
      const nullable = { ...definition, isNullable: true }
      expect(encodeValue(nullable, null, 'column')).toBe(null)
      expect(encodeValue(nullable, undefined, 'column')).toBe(null)
      expect(decodeValue(nullable, null)).toBe(null)
      expect(decodeValue(nullable, undefined)).toBe(null)
    })
  })
}

/** As vitest compares, with -0 and 0 told apart. */
function equal(a: unknown, b: unknown): boolean {
  expect(a).toStrictEqual(b)
  return true
}

test('R9: any float, bigint, text and bytes come back', () => {
  const back = (column: { readonly definition: ColumnDefinition }, value: unknown) =>
    decodeValue(column.definition, JSON.parse(JSON.stringify(encodeValue(column.definition, value, 'column'))))
  fc.assert(
    fc.property(fc.double(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.uint8Array(), (number, big, piece) => {
      expect(Object.is(back(float(), number), number)).toBe(true)
      expect(back(bigint(), big)).toBe(big)
      expect(back(bytes(), piece)).toStrictEqual(Uint8Array.from(piece))
      expect(back(array(bytes()), [piece, piece])).toStrictEqual([Uint8Array.from(piece), Uint8Array.from(piece)])
    }),
  )
})

test('a longest text is counted in code points, as the database counts', () => {
  const { definition } = text().max(3)
  expect(encodeValue(definition, '\u{1f600}\u{1f600}\u{1f600}', 'column')).toBe('\u{1f600}\u{1f600}\u{1f600}')
  expect(codeOf(() => encodeValue(definition, '\u{1f600}\u{1f600}\u{1f600}a', 'column'))).toBe('invalid')
  expect(codeOf(() => encodeValue(definition, 'abcd', 'column'))).toBe('invalid')
})

test('a validator of a JSON column is asked before a write', () => {
  const { definition } = json(z.object({ dark: z.boolean() }))
  expect(encodeValue(definition, { dark: true }, 'column')).toEqual({ dark: true })
  expect(() => encodeValue(definition, { dark: 1 }, 'settings')).toThrow(/settings: dark: /)
})

test('S1: an error says nothing of the value', () => {
  for (const [type, { column }] of Object.entries(table)) {
    for (const value of ['a secret\0', ['a secret'], 'a secret']) {
      const { message } = failureOf(() => encodeValue(column.definition, value, type))
      expect(message).not.toContain('secret')
    }
  }
})

function failureOf(run: () => unknown): { readonly message: string } {
  try {
    run()
    return { message: 'accepted' }
  } catch (error) {
    return error instanceof Error ? error : { message: 'not an error' }
  }
}
