// Rows with every column type, whose values lie close together: both forms of the same text, equal numbers written differently, nulls,
// extremes. For the suites that hold a device's meaning of an operator against PostgreSQL's.
import {
  array,
  bigint,
  boolean,
  bytes,
  type ColumnDefinition,
  type ColumnType,
  date,
  defineSchema,
  encodeValue,
  enumeration,
  float,
  integer,
  json,
  numeric,
  table,
  tableOf,
  text,
  timestamp,
  uuid,
} from '@headwater/schema'
import fc from 'fast-check'
import type { Database } from '../../packages/server/src/ports.ts'
import { createTable } from '../../packages/server/src/sql/create.ts'
import { columnName } from '../../packages/server/src/sql/name.ts'
import { fromJson } from '../../packages/server/src/sql/value.ts'

export const schema = defineSchema({
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
  })
    .in('user', 'ownerId')
    .in('team', 'enumeration'),
})
export const things = tableOf(schema, 'things')
export type Row = Readonly<Record<string, unknown>>
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
export const columns = Object.keys(domains)
export const ordered = columns.filter((column) => column !== 'json')

/** Everything of every domain is in some row, beside what chance put there. */
export const rows: readonly Row[] = fc
  .sample(fc.record(Object.fromEntries(Object.entries(domains).map(([column, values]) => [column, fc.constantFrom(null, ...values)]))), {
    numRuns: 120,
    seed: 20_261_121,
  })
  .map((row, i) => {
    const swept = Object.entries(domains).map(([column, values]) => [column, i < values.length ? values[i] : row[column]])
    return { id: i, ownerId: i % 10 === 9 ? 'grace' : 'ada', ...Object.fromEntries(swept) }
  })
export const operand = (column: string) => fc.constantFrom(...domains[typeOf(column)])
export const typeOf = (column: string): Exclude<ColumnType, 'reference'> => {
  const { type } = definitionOf(column)
  if (type === 'reference') throw new Error('a reference was not resolved')
  return type
}
export function definitionOf(column: string): ColumnDefinition {
  const definition = things.columns[column]
  if (definition === undefined) throw new Error(`no column ${column}`)
  return definition
}

/** Makes the table and its rows. */
export async function fillThings(database: Database): Promise<void> {
  await database.execute(createTable('things', things))
  const names = Object.keys(things.columns)
  const encoded = rows.map((row) => Object.fromEntries(names.map((name) => [name, encodeValue(definitionOf(name), row[name], name)])))
  const values = names.map((name) => fromJson(definitionOf(name), 'r', name))
  await database.query(
    `insert into public.things (${names.map(columnName).join(', ')}) select ${values.join(', ')} from json_array_elements($1::text::json) r`,
    [JSON.stringify(encoded)],
  )
}
