// HARD-CASES 32: one order on both sides. That PostgreSQL agrees is tested where there is one.
import {
  array,
  bigint,
  boolean,
  bytes,
  type ColumnDefinition,
  compareText,
  compareValues,
  date,
  enumeration,
  float,
  integer,
  numeric,
  text,
  timestamp,
  uuid,
} from '@headwater/schema'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

/** Per type, values from the first to the last; those in one inner array are equal. */
const ascending: readonly (readonly [string, { readonly definition: ColumnDefinition }, readonly (readonly unknown[])[]])[] = [
  [
    'text',
    text(),
    [
      [''],
      ['\u0001'],
      ['A'],
      ['B'],
      ['a'],
      ['a\u0001'],
      ['aa'],
      ['b'],
      ['é'],
      ['\ud7ff'],
      ['\ue000'],
      ['\ufffd'],
      ['\uffff'],
      ['\u{10000}'],
      ['\u{1f600}'],
      ['\u{10ffff}'],
      [null],
    ],
  ],
  ['enumeration', enumeration('z', 'a'), [['a'], ['z'], [null]]],
  ['integer', integer(), [[-2_147_483_648], [-10], [-9], [0, -0], [9], [10], [null]]],
  ['bigint', bigint(), [[-(2n ** 63n)], [-10n], [-9n], [0n], [9n], [10n], [2n ** 53n], [2n ** 53n + 1n], [null]]],
  ['float', float(), [[Number.NEGATIVE_INFINITY], [-1.5], [0, -0], [5e-324], [1.5], [Number.POSITIVE_INFINITY], [Number.NaN], [null]]],
  [
    'numeric',
    numeric(),
    [
      ['-Infinity'],
      ['-10'],
      ['-9.9'],
      ['-0.1'],
      ['0', '0.00', '-0'],
      ['0.09'],
      ['0.1', '0.10'],
      ['9'],
      ['10', '010'],
      [`1${'0'.repeat(30)}`],
      [`1${'0'.repeat(29)}1`],
      ['Infinity'],
      ['NaN'],
      [null],
    ],
  ],
  ['boolean', boolean(), [[false], [true], [null]]],
  [
    'timestamp',
    timestamp(),
    [['-infinity'], ['0001-01-01T00:00:00.000000Z'], ['2026-11-21T03:43:43.000000Z'], ['2026-11-21T03:43:43.000001Z'], ['infinity'], [null]],
  ],
  ['date', date(), [['-infinity'], ['0001-01-01'], ['1969-12-31'], ['2026-11-21'], ['infinity'], [null]]],
  ['bytes', bytes(), [[bytesOf()], [bytesOf(0)], [bytesOf(0, 0)], [bytesOf(0, 255)], [bytesOf(127)], [bytesOf(128)], [bytesOf(255)], [null]]],
  ['uuid', uuid(), [['00000000-0000-0000-0000-000000000000'], ['0fffffff-0000-0000-0000-000000000000'], ['a0000000-0000-0000-0000-000000000000'], [null]]],
  ['array', array(integer()), [[[]], [[-1]], [[1]], [[1, -5]], [[1, 2]], [[2]], [null]]],
  ['array of text', array(text()), [[['\ufffd']], [['\ufffd', '']], [['\u{1f600}']], [null]]],
]

function bytesOf(...values: readonly number[]): Uint8Array {
  return Uint8Array.from(values)
}

describe('one order', () => {
  for (const [name, { definition }, groups] of ascending) {
    test(`of ${name}: every pair compares as the database says`, () => {
      for (const [i, left] of groups.entries()) {
        for (const [j, right] of groups.entries()) {
          for (const a of left)
            for (const b of right) expect({ a, b, sign: Math.sign(compareValues(definition, a, b)) }).toEqual({ a, b, sign: Math.sign(i - j) })
        }
      }
    })
  }

  test('text compares by code point, whatever the text', () => {
    const byCodePoint = (a: string, b: string) => {
      const [left, right] = [Array.from(a, (one) => one.codePointAt(0) ?? 0), Array.from(b, (one) => one.codePointAt(0) ?? 0)]
      const at = left.findIndex((one, i) => one !== right[i])
      return at < 0 ? left.length - right.length : (left[at] ?? 0) - (right[at] ?? -1)
    }
    const near = fc.array(fc.constantFrom('a', 'b', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}'), { maxLength: 4 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.oneof(near, fc.string({ unit: 'binary' })), fc.oneof(near, fc.string({ unit: 'binary' })), (a, b) => {
        expect(Math.sign(compareText(a, b))).toBe(Math.sign(byCodePoint(a, b)))
      }),
      { numRuns: 300 },
    )
  })

  test('numeric compares exactly, whatever the number of digits', () => {
    const decimal = fc.tuple(fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), fc.nat({ max: 12 }))
    fc.assert(
      fc.property(decimal, decimal, ([a, scaleOfA], [b, scaleOfB]) => {
        const expected = a * 10n ** BigInt(scaleOfB) - b * 10n ** BigInt(scaleOfA)
        const compared = compareValues(numeric().definition, decimalText(a, scaleOfA), decimalText(b, scaleOfB))
        expect(Math.sign(compared)).toBe(expected < 0n ? -1 : expected > 0n ? 1 : 0)
      }),
    )
  })
})

function decimalText(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  return `${unscaled < 0n ? '-' : ''}${whole}${scale > 0 ? `.${digits.slice(digits.length - scale)}` : ''}`
}
