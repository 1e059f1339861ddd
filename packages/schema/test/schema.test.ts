import { HeadwaterError } from '@headwater/protocol'
import {
  array,
  bigint,
  boolean,
  type Column,
  checkSchema,
  compareRows,
  date,
  defineMutators,
  defineSchema,
  derivedId,
  enumeration,
  float,
  fullOrder,
  integer,
  json,
  type Mutators,
  mutator,
  queryOf,
  ref,
  refuse,
  type Tables,
  table,
  tableOf,
  text,
  timestamp,
  uuid,
} from '@headwater/schema'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'

function failureOf(run: () => unknown): HeadwaterError {
  try {
    run()
  } catch (error) {
    if (error instanceof HeadwaterError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
const refused = (tables: Tables) => failureOf(() => checkSchema(defineSchema(tables)))
const key = () => uuid().primaryKey()

describe('keys', () => {
  test('a table has a key, of one column or of several in the order they are named', () => {
    const schema = defineSchema({
      one: table({ id: key(), name: text() }),
      several: table({ a: text(), b: integer(), c: text() }).primaryKey('b', 'a'),
    })
    expect(tableOf(schema, 'one').key).toEqual(['id'])
    expect(tableOf(schema, 'several').key).toEqual(['b', 'a'])
    expect(refused({ none: table({ name: text() }) })).toMatchObject({ code: 'schema', message: 'Table none: there is no key.' })
  })

  test('a key is of types that are never null, equal in one way only, and ordered the same on both sides', () => {
    for (const column of [text(), uuid(), integer(), bigint(), date(), enumeration('a')])
      expect(() => checkSchema(defineSchema({ fine: table({ id: column }).primaryKey('id') }))).not.toThrow()
    for (const column of [float(), boolean(), json(), timestamp(), array(text()), text().nullable()]) {
      expect(refused({ bad: table({ id: column }).primaryKey('id') })).toMatchObject({ code: 'schema', message: 'Table bad: id cannot be part of the key.' })
    }
  })

  test('a reference has the type of the key it refers to, by way of other references as well', () => {
    const schema = defineSchema({
      projects: table({ id: bigint().primaryKey() }),
      details: table({ projectId: ref('projects', { onDelete: 'cascade' }).primaryKey() }),
      notes: table({ id: key(), detailId: ref('details').nullable() }),
    })
    expect(tableOf(schema, 'details').columns.projectId).toMatchObject({ type: 'bigint', table: 'projects', onDelete: 'cascade', isKey: true })
    expect(tableOf(schema, 'notes').columns.detailId).toMatchObject({ type: 'bigint', table: 'details', onDelete: 'restrict', isNullable: true })
  })

  test('what the server owns can be left out of an insert', () => {
    const owned = <V, I>(column: Column<V, false, boolean, I>) => refused({ one: table({ id: key(), owned: column.serverOwned() }) }).message
    expect(owned(text())).toContain('not nullable, and has no default')
    expect(owned(timestamp().default(new Date(0)))).toContain('Date as its default')
    expect(refused({ one: table({ id: text().serverOwned() }).primaryKey('id') }).message).toContain('part of the key')
    expect(refused({ one: table({ id: text().default('x').serverOwned() }).primaryKey('id') }).message).toContain('part of the key')
    expect(() =>
      checkSchema(defineSchema({ fine: table({ id: key(), a: integer().default(0).serverOwned(), b: text().nullable().serverOwned() }) })),
    ).not.toThrow()
  })

  test('a reference to what cannot be referred to is refused', () => {
    expect(refused({ a: table({ id: key(), b: ref('nothing') }) }).message).toContain('refers to nothing')
    expect(refused({ a: table({ id: key(), b: ref('constructor') }) }).message).toContain('refers to constructor')
    expect(refused({ pair: table({ x: text(), y: text() }).primaryKey('x', 'y'), a: table({ id: key(), b: ref('pair') }) }).message).toContain(
      'key of one column',
    )
    expect(refused({ one: table({ id: key() }), a: table({ id: key(), b: ref('one', { onDelete: 'setNull' }) }) }).message).toContain('not nullable')
  })
})

describe('names', () => {
  test('tables, columns and kinds of scope are camelCase, and a table has none of the names that a mutator needs', () => {
    for (const name of ['Projects', 'my_table', '1a', 'a-b', '', 'é', '__proto__x', 'a'.repeat(59)])
      expect(refused({ [name]: table({ id: key() }) }).code).toBe('schema')
    for (const name of ['id', 'now', 'query', 'user', 'then']) expect(refused({ [name]: table({ id: key() }) }).message).toContain('reserved')
    expect(refused({ a: table({ id: key(), my_column: text() }) }).message).toContain('my_column')
    expect(refused({ a: table({ id: key(), name: text() }).in('a:b', 'name') }).message).toContain('a:b')
  })

  test('a column that is not there is refused, whatever it is named for', () => {
    const columns = table({ id: key() })
    for (const bad of [
      columns.in('user', 'nothing' as 'id'),
      columns.unique('toString' as 'id'),
      columns.index('nothing' as 'id'),
      columns.primaryKey('nothing' as 'id'),
    ]) {
      expect(refused({ bad })).toMatchObject({ code: 'schema', hint: 'The table has id.' })
    }
    expect(failureOf(() => tableOf(defineSchema({ a: columns }), 'toString')).code).toBe('schema')
  })

  test('an array of arrays is no column', () => {
    expect(refused({ bad: table({ id: key(), lists: array(array(text())) }) }).message).toBe('Table bad: column lists is an array of arrays.')
  })

  test('a mutator is named neither as a table nor with a dot', () => {
    const schema = defineSchema({ projects: table({ id: key() }) })
    const nothing = mutator(z.object({}), async () => {})
    const checked = (mutators: Mutators) => failureOf(() => checkSchema(schema, defineMutators(schema, mutators)))
    expect(checked({ projects: nothing }).code).toBe('schema')
    expect(checked({ 'projects.insert': nothing }).code).toBe('schema')
    expect(() => checkSchema(schema, defineMutators(schema, { rename: nothing }))).not.toThrow()
  })
})

test('a declaration is never changed by what is made of it', () => {
  const plain = table({ id: key(), name: text() })
  const inUser = plain.in('user', 'name').index('name')
  expect(plain.definition).toMatchObject({ memberships: [], indexes: [] })
  expect(inUser.definition).toMatchObject({ memberships: [{ kind: 'user', column: 'name', load: 'eager' }], indexes: [['name']] })
})

describe('queries', () => {
  const schema = defineSchema({ things: table({ a: text(), b: integer().nullable(), c: json().nullable(), id: integer() }).primaryKey('id') })
  const things = tableOf(schema, 'things')
  const all = queryOf<{ a: string; b: number | null; c: unknown; id: number }, object>('things', things, () => ({}))

  test('a query is data, and asking further leaves it as it was', () => {
    const some = all.where({ a: 'x' }).orderBy('b', 'desc').limit(3)
    expect(some.definition).toMatchObject({ table: 'things', orderBy: [{ column: 'b', direction: 'desc' }], limit: 3 })
    expect(all.definition).toEqual({ table: 'things', where: { type: 'and', parts: [] }, orderBy: [], limit: null })
  })

  test('what has no order, and a limit that is no count, are refused', () => {
    expect(failureOf(() => all.orderBy('c')).code).toBe('query')
    expect(failureOf(() => all.orderBy('nothing' as 'a')).code).toBe('query')
    for (const rows of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) expect(failureOf(() => all.limit(rows)).code).toBe('query')
    expect(all.limit(0).definition.limit).toBe(0)
  })

  test('the key completes an order, so that two rows are never level', () => {
    expect(fullOrder(things, [{ column: 'b', direction: 'desc' }])).toEqual([
      { column: 'b', direction: 'desc' },
      { column: 'id', direction: 'asc' },
    ])
    expect(fullOrder(things, [{ column: 'id', direction: 'desc' }])).toEqual([{ column: 'id', direction: 'desc' }])
  })

  test('nulls are last ascending and first descending', () => {
    const rows = [
      { id: 1, b: null },
      { id: 2, b: 5 },
      { id: 3, b: 4 },
      { id: 4, b: null },
    ]
    const sorted = (direction: 'asc' | 'desc') => rows.toSorted(compareRows(things, fullOrder(things, [{ column: 'b', direction }]))).map((row) => row.id)
    expect(sorted('asc')).toEqual([3, 2, 1, 4])
    expect(sorted('desc')).toEqual([1, 4, 2, 3])
  })
})

describe('mutators', () => {
  test('ids derived from a mutation are uuids, the same each time, and all different', () => {
    fc.assert(
      fc.property(fc.uuid(), fc.uniqueArray(fc.nat({ max: 2 ** 40 - 1 }), { maxLength: 50 }), (mutation, numbers) => {
        const ids = numbers.map((n) => derivedId(mutation, n))
        expect(new Set(ids).size).toBe(numbers.length)
        expect(numbers.map((n) => derivedId(mutation, n))).toEqual(ids)
        for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      }),
    )
  })

  test('a refusal carries its code for programs and its reason for people', () => {
    expect(failureOf(() => refuse('full', 'The project is full.'))).toMatchObject({
      code: 'refused',
      message: 'The project is full.',
      details: { code: 'full' },
    })
  })
})
