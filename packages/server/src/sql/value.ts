// A column's value in its two SQL forms: the type it is stored in, and the encoded JSON of packages/schema/src/value.ts. What
// is written here and what is written there are one table, held together by test/pg/values.test.ts.
import type { ColumnDefinition, ColumnType } from '@headwater/schema'
import { literal } from './name.ts'

const storedTypes: Record<Exclude<ColumnType, 'array' | 'reference'>, string> = {
  // Ordered by code point, as on every device, whatever the locale of the database.
  text: 'text collate "C"',
  enumeration: 'text collate "C"',
  integer: 'integer',
  bigint: 'bigint',
  numeric: 'numeric',
  float: 'double precision',
  boolean: 'boolean',
  json: 'jsonb',
  timestamp: 'timestamptz',
  date: 'date',
  bytes: 'bytea',
  uuid: 'uuid',
}

/** For CREATE TABLE. */
export function storedType(column: ColumnDefinition): string {
  return column.type === 'array' ? `${castType(elementOf(column))}[]` : storedTypes[plainType(column)]
}

/** For a cast. */
export const castType = (column: ColumnDefinition): string => storedType(column).replace(' collate "C"', '')

/** An SQL expression of type text: the value's encoded JSON, `null` for null. `value` is an SQL expression of the stored type. */
export const toJson = (column: ColumnDefinition, value: string): string => `coalesce(${presentToJson(column, value)}, 'null')`

function presentToJson(column: ColumnDefinition, value: string): string {
  switch (column.type) {
    case 'integer':
    case 'boolean':
    case 'json':
      return `${value}::text`
    case 'bigint':
    case 'numeric':
    case 'uuid':
      return `'"' || ${value}::text || '"'`
    case 'float':
      // JSON has no negative zero that survives a second encoding.
      return `case ${value}::text when '-0' then '"-0"' else to_json(${value})::text end`
    case 'timestamp':
      return timestampToJson(value)
    case 'bytes':
      return `'"' || translate(encode(${value}, 'base64'), E'\\n', '') || '"'`
    case 'array':
      return arrayToJson(elementOf(column), value)
    default:
      return `to_json(${value})::text`
  }
}

/** Outside the years 1 to 9999, infinities included, PostgreSQL's own text. */
const timestampToJson = (value: string) =>
  `case when ${value} >= '0001-01-01 00:00+00'::timestamptz and ${value} < '10000-01-01 00:00+00'::timestamptz ` +
  `then '"' || to_char(${value} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '"' else to_json((${value} at time zone 'UTC')::text)::text end`

const arrayToJson = (element: ColumnDefinition, value: string) =>
  `case when ${value} is null then null else coalesce((select '[' || string_agg(${toJson(element, 'item')}, ',' order by position) || ']' ` +
  `from unnest(${value}) with ordinality as items(item, position)), '[]') end`

/** An SQL expression of the stored type from a JSON object of encoded values: `source` is of type json. */
export function fromJson(column: ColumnDefinition, source: string, name: string): string {
  const member = literal(name)
  switch (column.type) {
    case 'bytes':
      return `decode(${source} ->> ${member}, 'base64')`
    case 'json':
      // A JSON null is an SQL null: a device could not tell them apart.
      return `nullif((${source} -> ${member})::jsonb, 'null'::jsonb)`
    case 'array':
      return arrayFromJson(elementOf(column), `${source} -> ${member}`)
    default:
      return `(${source} ->> ${member})::${castType(column)}`
  }
}

function arrayFromJson(element: ColumnDefinition, items: string): string {
  const item = element.type === 'bytes' ? `decode(item #>> '{}', 'base64')` : element.type === 'json' ? 'item::jsonb' : `(item #>> '{}')::${castType(element)}`
  return `case when json_typeof(${items}) = 'array' then array(select ${item} from json_array_elements(${items}) with ordinality as items(item, position) order by position) end`
}

/** A constant of the column as an SQL literal, from its encoded form. */
export const constant = (column: ColumnDefinition, encoded: unknown): string =>
  `(${fromJson(column, `${literal(JSON.stringify({ value: encoded }))}::json`, 'value')})`

function elementOf(column: ColumnDefinition): ColumnDefinition {
  if (column.element === undefined) throw new Error('an array without an element')
  return column.element
}

function plainType(column: ColumnDefinition): Exclude<ColumnType, 'array' | 'reference'> {
  if (column.type === 'array' || column.type === 'reference') throw new Error(`${column.type} is not a stored type`)
  return column.type
}
