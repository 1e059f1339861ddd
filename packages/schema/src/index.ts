export { checkSchema } from './check.ts'
export {
  array,
  bigint,
  boolean,
  bytes,
  type Column,
  type ColumnDefinition,
  type ColumnType,
  date,
  enumeration,
  float,
  integer,
  json,
  numeric,
  ref,
  text,
  timestamp,
  uuid,
} from './column.ts'
export { type ArgsOf, defineMutators, derivedId, type Mutator, type Mutators, mutator, type Reading, refuse, type Tx, type Writing } from './mutator.ts'
export { compareText, compareValues, type Direction, type OrderBy } from './order.ts'
export {
  compile,
  contains,
  type Evaluate,
  eq,
  equalJson,
  gt,
  gte,
  lt,
  lte,
  ne,
  type Operator,
  oneOf,
  operators,
  type Predicate,
  predicateOf,
  startsWith,
  type Test,
  type Where,
} from './predicate.ts'
export { compareRows, fullOrder, type Query, type QueryDefinition, queryOf } from './query.ts'
export { defineSchema, type Schema, type TableName, type Tables, tableOf } from './schema.ts'
export { type StandardSchema, validate } from './standard.ts'
export {
  type ColumnSet,
  type Columns,
  columnOf,
  type Insert,
  type Key,
  type LoadKind,
  type Membership,
  type Row,
  shownBy,
  type Table,
  type TableDefinition,
  table,
  type Update,
} from './table.ts'
export { decodeValue, encodeValue, isPlain } from './value.ts'
