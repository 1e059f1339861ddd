// The device's side of the closed list of operators: three-valued, as SQL is.
import { HeadwaterError } from '@headwater/protocol'
import {
  array,
  bigint,
  bytes,
  compile,
  contains,
  date,
  defineSchema,
  enumeration,
  eq,
  equalJson,
  float,
  gt,
  gte,
  integer,
  json,
  lt,
  lte,
  ne,
  numeric,
  oneOf,
  type Predicate,
  predicateOf,
  startsWith,
  table,
  tableOf,
  text,
  timestamp,
  uuid,
} from '@headwater/schema'
import { describe, expect, test } from 'vitest'

const schema = defineSchema({
  things: table({
    id: uuid().primaryKey(),
    name: text().max(5).nullable(),
    count: integer().nullable(),
    big: bigint().nullable(),
    exact: numeric().nullable(),
    ratio: float().nullable(),
    status: enumeration('draft', 'live').nullable(),
    at: timestamp().nullable(),
    day: date().nullable(),
    raw: bytes().nullable(),
    tags: array(text()).nullable(),
    data: json().nullable(),
  }),
})
const things = tableOf(schema, 'things')
const empty = { id: '0', name: null, count: null, big: null, exact: null, ratio: null, status: null, at: null, day: null, raw: null, tags: null, data: null }
const answer = (where: Readonly<Record<string, unknown>>, row: Readonly<Record<string, unknown>>) =>
  compile(things, predicateOf(things, where))({ ...empty, ...row })

describe('operators', () => {
  const cases: readonly (readonly [string, Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>, boolean | null])[] = [
    ['a value means equal', { count: 1 }, { count: 1 }, true],
    ['eq is false for another value', { count: eq(1) }, { count: 2 }, false],
    ['eq with a null is unknown', { count: eq(1) }, {}, null],
    ['ne of another value', { count: ne(1) }, { count: 2 }, true],
    ['ne with a null is unknown, as in SQL', { count: ne(1) }, {}, null],
    ['null asks for null', { count: null }, {}, true],
    ['null asks for null, and a value is none', { count: null }, { count: 0 }, false],
    ['ne(null) asks for what is not null', { count: ne(null) }, { count: 0 }, true],
    ['ne(null) is false for null, and not unknown', { count: ne(null) }, {}, false],
    ['lt', { count: lt(2) }, { count: 1 }, true],
    ['lt of the same', { count: lt(2) }, { count: 2 }, false],
    ['lte of the same', { count: lte(2) }, { count: 2 }, true],
    ['gt of the same', { count: gt(2) }, { count: 2 }, false],
    ['gte of the same', { count: gte(2) }, { count: 2 }, true],
    ['gt with a null is unknown', { count: gt(2) }, {}, null],
    ['in', { count: oneOf([1, 2]) }, { count: 2 }, true],
    ['in of others', { count: oneOf([1, 2]) }, { count: 3 }, false],
    ['in nothing', { count: oneOf([]) }, { count: 3 }, false],
    ['in with a null is unknown', { count: oneOf([1]) }, {}, null],
    ['contains', { name: contains('b') }, { name: 'abc' }, true],
    ['contains minds the case', { name: contains('B') }, { name: 'abc' }, false],
    ['contains reads % and _ as they stand', { name: contains('%') }, { name: 'abc' }, false],
    ['contains may look for more than the column holds', { name: contains('abcdefgh') }, { name: 'abc' }, false],
    ['contains with a null is unknown', { name: contains('b') }, {}, null],
    ['startsWith', { name: startsWith('ab') }, { name: 'abc' }, true],
    ['startsWith is not contains', { name: startsWith('bc') }, { name: 'abc' }, false],
    ['startsWith of an enumeration', { status: startsWith('dr') }, { status: 'draft' }, true],
    ['text compares by code point', { name: gt('\ufffd') }, { name: '\u{1f600}' }, true],
    ['a number that is not one equals itself, as in PostgreSQL', { ratio: eq(Number.NaN) }, { ratio: Number.NaN }, true],
    ['a number that is not one is above all others', { ratio: gt(Number.POSITIVE_INFINITY) }, { ratio: Number.NaN }, true],
    ['zero equals minus zero', { ratio: eq(-0) }, { ratio: 0 }, true],
    ['numerics of different scale are equal', { exact: eq('1.10') }, { exact: '1.1' }, true],
    ['numerics compare as numbers', { exact: gt('9') }, { exact: '10' }, true],
    ['bigints compare as numbers', { big: lt(10n) }, { big: 9n }, true],
    ['bytes are equal by content', { raw: eq(Uint8Array.of(1, 2)) }, { raw: Uint8Array.of(1, 2) }, true],
    ['bytes are one of several by content', { raw: oneOf([Uint8Array.of(1), Uint8Array.of(2)]) }, { raw: Uint8Array.of(2) }, true],
    ['arrays are equal by content', { tags: eq(['a']) }, { tags: ['a'] }, true],
    ['arrays in another order are not equal', { tags: eq(['a', 'b']) }, { tags: ['b', 'a'] }, false],
    ['a Date is asked for as the text a row holds', { at: eq(new Date(0)) }, { at: '1970-01-01T00:00:00.000000Z' }, true],
    ['a time is asked for in any accepted form', { at: eq('1970-01-01T00:00:00Z') }, { at: '1970-01-01T00:00:00.000000Z' }, true],
    ['a uuid is asked for in either case', { id: 'ABCDEF01-2345-4678-9abc-def012345678' }, { id: 'abcdef01-2345-4678-9abc-def012345678' }, true],
    ['JSON is equal with its members in any order', { data: eq({ a: 1, b: [2] }) }, { data: { b: [2], a: 1 } }, true],
    ['several columns must all hold', { count: 1, name: 'a' }, { count: 1, name: 'b' }, false],
    ['false wins over unknown', { count: 1, name: 'a' }, { count: 2 }, false],
    ['unknown wins over true', { count: 1, name: 'a' }, { count: 1 }, null],
    ['nothing asked is true', {}, {}, true],
    ['undefined asks nothing', { count: undefined }, {}, true],
  ]
  for (const [sentence, where, row, expected] of cases) test(sentence, () => expect(answer(where, row)).toBe(expected))
})

test('and and or are those of three-valued logic, for every pair', () => {
  const known = (value: boolean | null): Predicate => ({
    type: 'compare',
    column: 'count',
    operator: value === false ? 'ne' : 'eq',
    operand: value === null ? 2 : 1,
  })
  // With count 1: eq 1 is true and ne 1 false. Unknown comes from a column that is null.
  const unknown: Predicate = { type: 'compare', column: 'name', operator: 'eq', operand: 'a' }
  const part = (value: boolean | null) => (value === null ? unknown : known(value))
  const both = (type: 'and' | 'or', a: boolean | null, b: boolean | null) => compile(things, { type, parts: [part(a), part(b)] })({ ...empty, count: 1 })
  const values = [true, false, null]
  for (const a of values) {
    for (const b of values) {
      expect(both('and', a, b)).toBe(a === false || b === false ? false : a === null || b === null ? null : true)
      expect(both('or', a, b)).toBe(a === true || b === true ? true : a === null || b === null ? null : false)
    }
  }
  expect(compile(things, { type: 'and', parts: [] })(empty)).toBe(true)
  expect(compile(things, { type: 'or', parts: [] })(empty)).toBe(false)
})

test('what cannot be asked is refused when the query is made', () => {
  const code = (where: Readonly<Record<string, unknown>>) => {
    try {
      predicateOf(things, where)
      return 'accepted'
    } catch (error) {
      return error instanceof HeadwaterError ? error.code : String(error)
    }
  }
  expect(code({ nothing: 1 })).toBe('query')
  expect(code({ constructor: 1 })).toBe('query')
  expect(code({ __proto__: null, toString: 1 })).toBe('query')
  expect(code({ count: lt(null) })).toBe('query')
  expect(code({ data: gt({}) })).toBe('query')
  expect(code({ data: contains('a') })).toBe('query')
  expect(code({ count: contains('1') })).toBe('query')
  expect(code({ at: startsWith('2026') })).toBe('query')
  expect(code({ count: '1' })).toBe('invalid')
  expect(code({ count: { operator: 'eq', operand: 1 } })).toBe('invalid')
  expect(code({ name: eq('\0') })).toBe('invalid')
  expect(code({ id: 'no uuid' })).toBe('invalid')
})

test('an object that only looks like a test is a value', () => {
  expect(answer({ data: { operator: 'ne', operand: 1 } }, { data: { operator: 'ne', operand: 1 } })).toBe(true)
})

test('a condition is data: it survives JSON where its operands do', () => {
  const predicate = predicateOf(things, { count: gt(1), name: null })
  expect(compile(things, JSON.parse(JSON.stringify(predicate)))({ ...empty, count: 2 })).toBe(true)
})

test('JSON is equal as jsonb is', () => {
  for (const [a, b, expected] of [
    [{ a: 1 }, { a: 1 }, true],
    [{ a: 1 }, { a: 1, b: null }, false],
    [{ a: null }, { b: null }, false],
    [[1, 2], [2, 1], false],
    [[], {}, false],
    [[], [], true],
    [null, {}, false],
    ['1', 1, false],
    [JSON.parse('{"__proto__":1}'), {}, false],
    [{ toString: 1 }, {}, false],
  ]) {
    expect({ a, b, equal: equalJson(a, b) }).toEqual({ a, b, equal: expected })
    expect(equalJson(b, a)).toBe(expected)
  }
})
