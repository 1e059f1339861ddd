export { type Access, defineAccess, type Exists, holdersMayWrite, type Judged, type JudgedUpdate, type Rule, type TableAccess } from './access/access.ts'
export { type Can, createJudge, type Held } from './access/can.ts'
export { checkAccess } from './access/check.ts'
export {
  allow,
  and,
  deny,
  type Expression,
  type ExpressionData,
  holds,
  isIn,
  isNull,
  type Need,
  not,
  type Operand,
  or,
  type Person,
  role,
} from './access/expression.ts'
export { type Demand, demandsOf, type Ladders, type Rules, sufficient, type TableRules, type WriteVerb } from './access/rules.ts'
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
export { eq, gt, gte, lt, lte, ne } from './comparing.ts'
export { type ArgsOf, defineMutators, derivedId, type Mutator, type Mutators, mutator, type Reading, refuse, type Tx, type Writing } from './mutator.ts'
export { compareText, compareValues, type Direction, type OrderBy } from './order.ts'
export { type PageData, type PageQuery, pageHeaders, pageQueries, pageText } from './page.ts'
export {
  type Conditions,
  compile,
  contains,
  type Evaluate,
  equalJson,
  type Group,
  type Operator,
  oneOf,
  operators,
  type Predicate,
  predicateOf,
  startsWith,
  type Test,
  type Where,
} from './predicate.ts'
export { compareRows, fullOrder, type Query, type QueryDefinition, queryOf, textOfQuery } from './query.ts'
export { defineSchema, type Schema, type TableName, type Tables, tableOf } from './schema.ts'
export { type StandardSchema, validate } from './standard.ts'
export {
  type ColumnSet,
  type Columns,
  type ColumnsOf,
  columnOf,
  type Insert,
  type Key,
  type KeyOf,
  type KindsOf,
  type LoadKind,
  type Membership,
  mapped,
  own,
  type PartlyOf,
  type Row,
  type ServerInsert,
  type ServerUpdate,
  shownBy,
  type Table,
  type TableDefinition,
  table,
  type Update,
} from './table.ts'
export { decodeValue, encodeValue, isPlain } from './value.ts'
