// HARD-CASES 32: operators, order and values have one meaning. Here the device's and PostgreSQL's are compared, query by query, over
// rows and operands chosen to lie close together: both forms of the same text, equal numbers written differently, nulls, extremes.
import type { Json } from '@headwater/protocol'
import {
  array,
  bigint,
  boolean,
  bytes,
  type ColumnDefinition,
  type ColumnType,
  compareRows,
  compile,
  date,
  decodeValue,
  defineSchema,
  encodeValue,
  enumeration,
  float,
  fullOrder,
  integer,
  json,
  numeric,
  type Predicate,
  type QueryDefinition,
  table,
  tableOf,
  text,
  timestamp,
  uuid,
} from '@headwater/schema'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from '../../packages/server/src/ports.ts'
import { createTable } from '../../packages/server/src/sql/create.ts'
import { columnName } from '../../packages/server/src/sql/name.ts'
import { createParameters } from '../../packages/server/src/sql/permit.ts'
import { predicateSql, selectStatement } from '../../packages/server/src/sql/select.ts'
import { sql } from '../../packages/server/src/sql/tag.ts'
import { fromJson } from '../../packages/server/src/sql/value.ts'
import { databases } from '../harness/databases.ts'

const schema = defineSchema({
  things: table({
    id: integer().primaryKey(),
    ownerId: text(),
    text: text().nullable(),
    enumeration: enumeration('draft', 'live', 'Zebra', 'é').nullable(),
    integer: integer().nullable(),
    bigint: bigint().nullable(),
    numeric: numeric().nullable(),
    float: float().nullable(),
    boolean: boolean().nullable(),
    timestamp: timestamp().nullable(),
    date: date().nullable(),
    bytes: bytes().nullable(),
    uuid: uuid().nullable(),
    array: array(text()).nullable(),
    json: json().nullable(),
  }).in('user', 'ownerId'),
})
const things = tableOf(schema, 'things')
const grants = { user: sql`select 'ada' as user, 'ada' as key, 'owner' as role` }

type Row = Readonly<Record<string, unknown>>
const domains: Readonly<Record<Exclude<ColumnType, 'reference'>, readonly unknown[]>> = {
  text: ['', 'a', 'A', 'ab', 'b', 'a%', 'a_', 'é', 'e\u0301', '\\', "'", '\uffff', '\u{1f600}', '\ud7ff', 'a\n', ' a'],
  enumeration: ['draft', 'live', 'Zebra', 'é'],
  integer: [-2_147_483_648, -10, -9, 0, 9, 10, 2_147_483_647],
  bigint: [-(2n ** 63n), -1n, 0n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n],
  numeric: ['0', '0.00', '1', '1.0', '-1', '9', '10', '0.1', '0.10', '-0.1', '1000000000000000000000000000001', 'NaN', 'Infinity', '-Infinity'],
  float: [0, -0, 0.1, 0.30000000000000004, -1.5, 5e-324, Number.MAX_VALUE, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  boolean: [true, false],
  timestamp: [
    '2026-11-21T03:43:43.123456Z',
    '2026-11-21T03:43:43.123457Z',
    '0001-01-01T00:00:00.000000Z',
    '9999-12-31T23:59:59.999999Z',
    '1969-12-31T23:59:59.999999Z',
    'infinity',
    '-infinity',
  ],
  date: ['2026-11-21', '2024-02-29', '0001-01-01', '9999-12-31', '1969-12-31', 'infinity', '-infinity'],
  bytes: [[], [0], [0, 0], [1], [127], [128], [255], [255, 0]].map((values) => Uint8Array.from(values)),
  uuid: [
    '00000000-0000-0000-0000-000000000000',
    '0fffffff-ffff-ffff-ffff-ffffffffffff',
    'a0000000-0000-0000-0000-000000000000',
    'ffffffff-ffff-ffff-ffff-ffffffffffff',
  ],
  array: [[], [''], ['a'], ['a', ''], ['a', 'b'], ['b', 'a'], ['\u{1f600}'], ['\uffff'], ['"', '\\', 'NULL', '{}', ',']],
  json: [0, 1, '', '1', true, [], {}, [1, 2], [2, 1], { a: 1, b: [null] }, { b: [null], a: 1 }, { a: null }, { a: { b: 'é' } }, 1e300, 5e-324, 0.1],
}
const columns = Object.keys(domains)
const ordered = columns.filter((column) => column !== 'json')

/** Everything of every domain is in some row, beside what chance put there. */
const rows: readonly Row[] = fc
  .sample(fc.record(Object.fromEntries(Object.entries(domains).map(([column, values]) => [column, fc.constantFrom(null, ...values)]))), {
    numRuns: 120,
    seed: 20_261_121,
  })
  .map((row, i) => {
    const swept = Object.entries(domains).map(([column, values]) => [column, i < values.length ? values[i] : row[column]])
    return { id: i, ownerId: i % 10 === 9 ? 'grace' : 'ada', ...Object.fromEntries(swept) }
  })
const visible = rows.filter((row) => row.ownerId === 'ada')

const operand = (column: string) => fc.constantFrom(...domains[typeOf(column)])
const typeOf = (column: string): Exclude<ColumnType, 'reference'> => {
  const { type } = definitionOf(column)
  if (type === 'reference') throw new Error('a reference was not resolved')
  return type
}
function definitionOf(column: string): ColumnDefinition {
  const definition = things.columns[column]
  if (definition === undefined) throw new Error(`no column ${column}`)
  return definition
}

const comparison: fc.Arbitrary<Predicate> = fc.oneof(
  fc.constantFrom(...columns).chain((column) => fc.record({ type: fc.constant('isNull' as const), column: fc.constant(column), negated: fc.boolean() })),
  fc.constantFrom(...ordered).chain((column) =>
    fc.record({
      type: fc.constant('compare' as const),
      column: fc.constant(column),
      operator: fc.constantFrom('eq', 'ne', 'lt', 'lte', 'gt', 'gte'),
      operand: operand(column),
    }),
  ),
  fc.constantFrom(...ordered).chain((column) =>
    fc.record({
      type: fc.constant('compare' as const),
      column: fc.constant(column),
      operator: fc.constant('in' as const),
      operand: fc.array(operand(column), { maxLength: 4 }),
    }),
  ),
  fc.record({ type: fc.constant('compare' as const), column: fc.constant('json'), operator: fc.constant('eq' as const), operand: operand('json') }),
  fc.record({
    type: fc.constant('compare' as const),
    column: fc.constantFrom('text', 'enumeration'),
    operator: fc.constantFrom('contains', 'startsWith'),
    operand: fc.oneof(operand('text'), fc.constantFrom('raf', 'Z', 'dr', '%', '_')),
  }),
)
const predicate: fc.Arbitrary<Predicate> = fc.letrec<{ any: Predicate }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 2 },
    { weight: 3, arbitrary: comparison },
    { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('and', 'or'), parts: fc.array(tie('any'), { maxLength: 3 }) }) },
  ),
})).any
const query: fc.Arbitrary<QueryDefinition> = fc.record({
  table: fc.constant('things'),
  where: predicate,
  orderBy: fc.uniqueArray(fc.record({ column: fc.constantFrom(...ordered), direction: fc.constantFrom('asc', 'desc') }), {
    maxLength: 2,
    selector: ({ column }) => column,
  }),
  limit: fc.option(fc.nat({ max: 30 })),
})

describe.each(databases)('on $name', ({ open }) => {
  let database: Database
  let close: () => Promise<void> = async () => {}
  beforeAll(async () => {
    const opened = await open()
    database = opened.database
    close = opened.close
    await database.execute(createTable('things', things))
    const names = Object.keys(things.columns)
    const encoded = rows.map((row) => Object.fromEntries(names.map((name) => [name, encodeValue(definitionOf(name), row[name], name)])))
    const values = names.map((name) => fromJson(definitionOf(name), 'r', name))
    await database.query(
      `insert into public.things (${names.map(columnName).join(', ')}) select ${values.join(', ')} from json_array_elements($1::text::json) r`,
      [JSON.stringify(encoded)],
    )
  })
  afterAll(() => close())

  test('a predicate is true, false and unknown for the same rows as on a device', async () => {
    await fc.assert(
      fc.asyncProperty(predicate, async (where) => {
        const parameters = createParameters()
        const condition = predicateSql(things, where, parameters)
        const answers = await database.query(`select (${condition})::boolean as answer from public.things t order by t.id`, parameters.list)
        const evaluate = compile(things, where)
        expect(answers.map((row) => row.answer)).toEqual(rows.map((row) => evaluate(row)))
      }),
      { numRuns: 250 },
    )
  })

  test('S1, R9: a query answers the rows of held scopes that a device would show, in the same order, every value as it was', async () => {
    await fc.assert(
      fc.asyncProperty(query, async (definition) => {
        const { text: statement, parameters } = selectStatement(things, definition, grants, 'ada')
        const answers = await database.query(statement, parameters)
        const evaluate = compile(things, definition.where)
        const sorted = visible.filter((row) => evaluate(row) === true).toSorted(compareRows(things, fullOrder(things, definition.orderBy)))
        expect(answers.map((row) => decoded(String(row.row)))).toEqual(definition.limit === null ? sorted : sorted.slice(0, definition.limit))
      }),
      { numRuns: 150 },
    )
  })

  test('a person without a grant gets no row, whatever is asked', async () => {
    const { text: statement, parameters } = selectStatement(
      things,
      { table: 'things', where: { type: 'or', parts: [{ type: 'and', parts: [] }] }, orderBy: [], limit: null },
      grants,
      'eve',
    )
    expect(await database.query(statement, parameters)).toEqual([])
  })
})

/** A row as the server sends it, as a device reads it. */
function decoded(sent: string): Row {
  const values: readonly Json[] = JSON.parse(sent)
  return Object.fromEntries(Object.entries(things.columns).map(([name, column], i) => [name, decodeValue(column, values[i])]))
}
