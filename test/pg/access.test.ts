// HARD-CASES 32: an access rule means on a device what it means in SQL. Random rules over rows with every column type, evaluated by both:
// three-valued, images before and after, the person, scopes and roles, related rows.
import { type ScopeKey, scopeKey } from '@headwater/protocol'
import { createJudge, type ExpressionData, type Held, type Operand, type Rules } from '@headwater/schema'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from '../../packages/server/src/ports.ts'
import { createParameters, createPerson } from '../../packages/server/src/sql/permit.ts'
import { ruleSql } from '../../packages/server/src/sql/rule.ts'
import { sql } from '../../packages/server/src/sql/tag.ts'
import { databases } from '../harness/databases.ts'
import { columns, definitionOf, fillThings, operand, ordered, rows, schema, things, typeOf } from '../harness/things.ts'

const person = 'a'
const held: readonly (readonly [kind: string, key: string, role: string])[] = [
  ['user', 'ada', 'owner'],
  ['user', 'grace', 'viewer'],
  ['team', 'draft', 'editor'],
  ['team', 'draft', 'guest'],
  ['team', 'é', 'viewer'],
]
const grantsOf = (kind: string) => {
  const values = held.filter((one) => one[0] === kind).map(([, key, role]) => `('a', '${key}', '${role}')`)
  return { text: `select * from (values ${[...values, "('b', 'Zebra', 'owner')"].join(', ')}) as v("user", key, role)`, parameters: [] }
}
const grants = { user: grantsOf('user'), team: sql`select g.* from (${grantsOf('team')}) g where g.role <> ${'nobody'}` }
const rules: Rules = { tables: new Map(), roles: { team: ['viewer', 'editor', 'owner'] } }
const roles = new Map<ScopeKey, readonly string[]>()
for (const [kind, key, role] of held) roles.set(scopeKey(kind, key), [...(roles.get(scopeKey(kind, key)) ?? []), role])
const device: Held = { scopes: () => ({ roles, tag: 'known' }), visible: { each: (_, run) => rows.forEach(run) } }

const column = (name: string, of: string): Operand => ({ type: 'column', of, column: name, definition: definitionOf(name) })
const images = ['row', 'before', 'after']
const operators = (name: string) => (typeOf(name) === 'json' ? ['eq'] : ['eq', 'ne', 'lt', 'lte', 'gt', 'gte'])

/** Comparisons of a column of one of these rows with a constant, with a column of its type, with the person, and with null. */
const comparison = (of: readonly string[], others: readonly string[]): fc.Arbitrary<ExpressionData> =>
  fc.oneof(
    fc.record({
      type: fc.constant('isNull' as const),
      operand: fc.tuple(fc.constantFrom(...columns), fc.constantFrom(...of)).map(([name, image]) => column(name, image)),
    }),
    fc.tuple(fc.constantFrom(...columns), fc.constantFrom(...of), fc.constantFrom(...others)).chain(([name, image, other]) =>
      fc.record({
        type: fc.constant('compare' as const),
        operator: fc.constantFrom(...operators(name)) as fc.Arbitrary<'eq'>,
        left: fc.constant(column(name, image)),
        right: fc.oneof(
          operand(name).map((value) => ({ type: 'constant' as const, value })),
          fc.constant(column(name, other)),
        ),
      }),
    ),
    fc.tuple(fc.constantFrom(...ordered), fc.constantFrom(...of)).chain(([name, image]) =>
      fc.record({
        type: fc.constant('compare' as const),
        operator: fc.constant('in' as const),
        left: fc.constant(column(name, image)),
        right: fc.array(operand(name), { maxLength: 3 }).map((value) => ({ type: 'constant' as const, value })),
      }),
    ),
    fc
      .tuple(fc.constantFrom('text', 'enumeration', 'uuid', 'integer', 'bigint', 'ownerId'), fc.constantFrom(...of), fc.constantFrom('eq', 'ne'))
      .map(
        ([name, image, operator]): ExpressionData => ({ type: 'compare', operator: operator as 'eq', left: column(name, image), right: { type: 'person' } }),
      ),
  )
const holding: fc.Arbitrary<ExpressionData> = fc.record({
  type: fc.constant('held' as const),
  kind: fc.constantFrom('user', 'team'),
  roles: fc.option(fc.array<string>(fc.constantFrom('viewer', 'editor', 'owner', 'guest', "o'hara"), { minLength: 1, maxLength: 2 }), { nil: null }),
})
const related: fc.Arbitrary<ExpressionData> = fc
  .array(comparison(['related1'], ['related1', ...images]), { minLength: 1, maxLength: 2 })
  .map((parts) => ({ type: 'exists', table: 'things', as: 'related1', where: { type: 'and', parts } }))
const expressionOf = (leaf: fc.Arbitrary<ExpressionData>): fc.Arbitrary<ExpressionData> =>
  fc.letrec<{ any: ExpressionData }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 3 },
      { weight: 3, arbitrary: leaf },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('constant' as const), value: fc.boolean() }) },
      { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('and', 'or'), parts: fc.array(tie('any'), { maxLength: 3 }) }) },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('not' as const), part: tie('any') }) },
    ),
  })).any

const afterOf = (i: number) => rows[(i + 7) % rows.length] ?? {}
const onDevice = (expression: ExpressionData) => {
  const judge = createJudge(rules, person, device, things)
  return rows.map((row, i) => judge(expression, { row, before: row, after: afterOf(i) }))
}

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

  async function inSql(expression: ExpressionData): Promise<readonly unknown[]> {
    const parameters = createParameters()
    const deps = { schema, access: rules, grants, table: things, person: createPerson(person, parameters), parameters }
    const condition = ruleSql(deps, expression, { row: 'before', before: 'before', after: 'after' })
    const answers = await database.query(
      `select (${condition})::boolean as answer from public.things before join public.things after on after.id = (before.id + 7) % ${rows.length} order by before.id`,
      parameters.list,
    )
    return answers.map((row) => row.answer)
  }

  test('S5 a rule is true, false and unknown for the same rows as on a device', async () => {
    await fc.assert(
      fc.asyncProperty(expressionOf(fc.oneof({ weight: 3, arbitrary: comparison(images, images) }, { weight: 1, arbitrary: holding })), async (expression) => {
        expect(await inSql(expression)).toEqual(onDevice(expression))
      }),
      { numRuns: 300 },
    )
  })

  test('S5 of related rows a device says yes or no only where SQL says the same: rows that it does not hold may be there', async () => {
    let known = 0
    await fc.assert(
      fc.asyncProperty(expressionOf(fc.oneof({ weight: 2, arbitrary: related }, { weight: 1, arbitrary: comparison(images, images) })), async (expression) => {
        const answers = await inSql(expression)
        for (const [i, answer] of onDevice(expression).entries()) {
          if (answer === null) continue
          known++
          expect(answers[i]).toBe(answer)
        }
      }),
      { numRuns: 80 },
    )
    expect(known).toBeGreaterThan(1_000)
  })
})
