// HARD-CASES 32: operators, order and values have one meaning. Here the device's and PostgreSQL's are compared, query by query, over
// rows and operands chosen to lie close together: both forms of the same text, equal numbers written differently, nulls, extremes.
import type { Json } from '@headwater/protocol'
import { compareRows, compile, decodeValue, fullOrder, type Predicate, type QueryDefinition } from '@headwater/schema'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from '../../packages/server/src/ports.ts'
import { createParameters } from '../../packages/server/src/sql/permit.ts'
import { predicateSql, selectStatement } from '../../packages/server/src/sql/select.ts'
import { sql } from '../../packages/server/src/sql/tag.ts'
import { databases } from '../harness/databases.ts'
import { columns, fillThings, operand, ordered, type Row, rows, things } from '../harness/things.ts'

const grants = { user: sql`select 'ada' as user, 'ada' as key, 'owner' as role` }
const visible = rows.filter((row) => row.ownerId === 'ada')

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
    { weight: 1, arbitrary: fc.record({ type: fc.constant('not' as const), part: tie('any') }) },
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
    await fillThings(database)
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
