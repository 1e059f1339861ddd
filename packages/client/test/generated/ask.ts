// What is asked and what changes, from a seed: every type of column, values that lie close together, nulls, and columns that are not held.
import {
  array,
  bigint,
  boolean,
  bytes,
  type ColumnDefinition,
  date,
  defineSchema,
  enumeration,
  float,
  integer,
  json,
  numeric,
  type OrderBy,
  type Predicate,
  type QueryDefinition,
  ref,
  table,
  text,
  timestamp,
} from '@headwater/schema'
import type { Row } from '../../src/store/row.ts'

export const schema = defineSchema({
  lists: table({ id: text().primaryKey(), name: text().nullable(), size: integer() }).in('user', 'id'),
  things: table({
    id: text().primaryKey(),
    listId: ref('lists').nullable(),
    kind: text().index(),
    words: text().nullable(),
    whole: integer().nullable(),
    large: bigint().nullable(),
    exact: numeric().nullable(),
    ratio: float().nullable(),
    isOpen: boolean().nullable(),
    day: date().nullable(),
    time: timestamp().nullable(),
    data: bytes().nullable(),
    tags: array(text()).nullable(),
    extra: json().nullable(),
    state: enumeration('new', 'old', 'Zero').nullable(),
  }).in('user', 'kind'),
})
export type Table = 'lists' | 'things'
export type Random = () => number

export const pick = <T>(random: Random, items: readonly T[]): T => {
  const item = items[Math.floor(random() * items.length)]
  if (item === undefined) throw new Error('Nothing to pick from.')
  return item
}
export const count = (random: Random, max: number) => Math.floor(random() * (max + 1))

/** Both forms of the same text, the ends of the planes, equal numbers that are written differently. */
const words = ['', 'a', 'A', 'ab', 'abc', 'b', 'Z', '%', 'é', 'e\u0301', '\ue000', '\ufffd', '\u{1f600}', '\u{1f600}a']
const valuesOf: Readonly<Record<string, readonly unknown[]>> = {
  id: ['l0', 'l1', 'l2', 'l3', 'l4', 'l5'],
  listId: ['l0', 'l1', 'l2', 'l3', 'l4', 'l5', 'l6'],
  name: words,
  size: [0, 1, 2],
  kind: ['a', 'b', 'c'],
  words,
  whole: [-2_147_483_648, -1, 0, 1, 2, 2_147_483_647],
  large: [-9_223_372_036_854_775_808n, -1n, 0n, 1n, 9_223_372_036_854_775_807n],
  exact: ['1.1', '1.10', '1.2', '-1', '0', '0.00', '12345678901234567890.5', 'NaN', 'Infinity', '-Infinity'],
  ratio: [0, 0.5, -0.25, 3, 1e300, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  isOpen: [true, false],
  day: ['2026-02-28', '2026-03-01', '0001-01-01', 'infinity', '-infinity'],
  time: ['2026-02-28T00:00:00.000000Z', '2026-02-28T00:00:00.000001Z', 'infinity', '-infinity'],
  data: [Uint8Array.of(), Uint8Array.of(0), Uint8Array.of(1, 2), Uint8Array.of(255)],
  tags: [[], ['a'], ['a', 'b'], ['\u{1f600}'], ['\ue000']],
  extra: [0, 'a', true, [1], { a: 1, b: 2 }, { b: 2, a: 1 }, { a: null }],
  state: ['new', 'old', 'Zero'],
}
export const columnsOf = (name: Table): readonly [string, ColumnDefinition][] => Object.entries(schema.definitions[name]?.columns ?? {})

export const keysOf: Readonly<Record<Table, readonly string[]>> = {
  lists: ['l0', 'l1', 'l2', 'l3', 'l4', 'l5'],
  things: Array.from({ length: 24 }, (_, at) => `t${at}`),
}

export function rowOf(random: Random, name: Table, key: string): Row {
  const row: Record<string, unknown> = {}
  for (const [column, { isNullable }] of columnsOf(name)) {
    if (column === 'id') row.id = key
    else if (isNullable && random() < 0.02) continue
    else row[column] = isNullable && random() < 0.15 ? null : pick(random, valuesOf[column] ?? [])
  }
  return row
}

/** The row with some columns of another. */
export const mixed = (random: Random, row: Row, other: Row): Row =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name, random() < 0.2 ? (other[name] ?? value) : value]))

export function predicateOf(random: Random, name: Table, depth = 0): Predicate {
  const part = random()
  if (part < 0.15 && depth < 2) return { type: 'not', part: predicateOf(random, name, depth + 1) }
  if (part < 0.45 && depth < 2)
    return { type: random() < 0.5 ? 'and' : 'or', parts: Array.from({ length: count(random, 3) }, () => predicateOf(random, name, depth + 1)) }
  const [column, { type }] = pick(random, columnsOf(name))
  if (random() < 0.1) return { type: 'isNull', column, negated: random() < 0.5 }
  const value = () => pick(random, valuesOf[column] ?? [])
  if (type === 'json') return { type: 'compare', column, operator: 'eq', operand: value() }
  if (random() < 0.15) return { type: 'compare', column, operator: 'in', operand: Array.from({ length: count(random, 3) }, value) }
  if ((type === 'text' || type === 'enumeration') && random() < 0.3)
    return { type: 'compare', column, operator: pick(random, ['contains', 'startsWith']), operand: pick(random, words) }
  // Rows are looked up by an equality that must hold: often enough there is one.
  return { type: 'compare', column, operator: pick(random, ['eq', 'eq', 'ne', 'lt', 'lte', 'gt', 'gte']), operand: value() }
}

export function queryOf(random: Random, name: Table): QueryDefinition {
  const ordered = columnsOf(name).filter(([, { type }]) => type !== 'json')
  const orderBy: readonly OrderBy[] = Array.from({ length: count(random, 2) }, () => ({
    column: pick(random, ordered)[0],
    direction: pick(random, ['asc', 'desc'] as const),
  }))
  const lookedUp: Predicate = { type: 'compare', column: pick(random, name === 'things' ? ['kind', 'listId', 'id'] : ['id']), operator: 'eq', operand: '' }
  const equal = { ...lookedUp, operand: pick(random, [...(valuesOf[lookedUp.column] ?? []), 't3']) }
  const where = random() < 0.25 ? ({ type: 'and', parts: [predicateOf(random, name), equal] } as const) : predicateOf(random, name)
  return { table: name, where: random() < 0.15 ? { type: 'and', parts: [] } : where, orderBy, limit: random() < 0.5 ? null : pick(random, [0, 1, 2, 5, 8]) }
}
