import { type ColumnDefinition, encodeValue, type Schema, type TableDefinition } from '@headwater/schema'
import { columnName, columnOf, literal, quoted, snakeCase, tableName } from './name.ts'
import { constant, storedType } from './value.ts'

/** CREATE TABLE, without foreign keys: tables may refer to each other. */
export function createTable(name: string, table: TableDefinition): string {
  const columns = Object.entries(table.columns).map(([column, definition]) => `  ${columnSql(name, column, definition)}`)
  const key = `  constraint ${constraintName(name, ['key'])} primary key (${table.key.map(columnName).join(', ')})`
  return `create table ${tableName(name)} (\n${[...columns, key].join(',\n')}\n);`
}

export const addColumn = (name: string, column: string, definition: ColumnDefinition) =>
  `alter table ${tableName(name)} add column ${columnSql(name, column, definition)};`

/** Foreign keys, unique constraints and indexes, each with the name by which its absence is noticed. */
export function constraintsOf(schema: Schema, name: string): readonly { readonly name: string; readonly sql: string }[] {
  const table = schema.definitions[name]
  if (table === undefined) return []
  const columns = Object.entries(table.columns)
  return [
    ...columns.filter(([, { table: target }]) => target !== undefined).map(([column, definition]) => foreignKey(schema, name, column, definition)),
    ...uniquesOf(table).map((unique) => uniqueConstraint(name, unique)),
    ...indexesOf(table).map((index) => plainIndex(name, index)),
  ]
}

function columnSql(table: string, name: string, column: ColumnDefinition): string {
  const checks = checksOf(column, columnName(name)).map(
    (check, i) => ` constraint ${constraintName(table, [snakeCase(name), i === 0 ? 'check' : `check${i}`])} check (${check})`,
  )
  const fallback = column.defaultValue === undefined ? '' : ` default ${defaultOf(name, column)}`
  return `${columnName(name)} ${storedType(column)}${column.isNullable ? '' : ' not null'}${fallback}${checks.join('')}`
}

/** A DEFAULT takes no subselect, so arrays are cast from their text. */
function defaultOf(name: string, column: ColumnDefinition): string {
  const encoded = encodeValue(column, column.defaultValue, name)
  if (column.type !== 'array') return constant(column, encoded)
  if (Array.isArray(encoded) && encoded.length === 0) return `'{}'`
  throw new Error(`${name}: an array's default can only be empty`)
}

function checksOf(column: ColumnDefinition, name: string): readonly string[] {
  if (column.type === 'enumeration') return [`${name} in (${(column.values ?? []).map(literal).join(', ')})`]
  if (column.type === 'text' && column.lengthMax !== undefined) return [`char_length(${name}) <= ${column.lengthMax}`]
  // What psql could write into an array and JavaScript could not hold: nulls, and more dimensions than one.
  if (column.type === 'array') return [`array_position(${name}, null) is null`, `coalesce(array_ndims(${name}), 1) = 1`]
  return []
}

const uniquesOf = (table: TableDefinition) => [
  ...Object.keys(table.columns)
    .filter((column) => columnOf(table, column).isUnique)
    .map((column) => [column]),
  ...table.uniques,
]

/** Declared ones, one by which each scope's rows are read in the order of their keys, and one for every other column by which rows are looked up. */
function indexesOf(table: TableDefinition): readonly (readonly string[])[] {
  const covered: (readonly string[])[] = [table.key, ...uniquesOf(table), ...table.indexes]
  const isCovered = (columns: readonly string[]) => covered.some((index) => columns.every((column, i) => index[i] === column))
  const lookedUp = Object.keys(table.columns).filter((column) => columnOf(table, column).isIndexed || columnOf(table, column).table !== undefined)
  const further = [...table.memberships.map((membership) => loadOrder(table, membership.column)), ...lookedUp.map((column) => [column])]
  return [
    ...table.indexes,
    ...further.filter((columns) => {
      if (isCovered(columns)) return false
      covered.push(columns)
      return true
    }),
  ]
}

/** The order in which the rows of scopes are loaded: by the column that says the scope, and by the key. */
export const loadOrder = (table: TableDefinition, column: string): readonly string[] => [column, ...table.key.filter((name) => name !== column)]

function foreignKey(schema: Schema, name: string, column: string, definition: ColumnDefinition) {
  const target = definition.table ?? ''
  const key = schema.definitions[target]?.key[0] ?? ''
  const constraint = constraintName(name, [snakeCase(column), 'reference'])
  const onDelete = { cascade: 'cascade', restrict: 'restrict', setNull: 'set null' }[definition.onDelete ?? 'restrict']
  const sql = `alter table ${tableName(name)} add constraint ${constraint} foreign key (${columnName(column)}) references ${tableName(target)} (${columnName(key)}) on delete ${onDelete};`
  return { name: unquoted(constraint), sql }
}

function uniqueConstraint(name: string, columns: readonly string[]) {
  const constraint = constraintName(name, [...columns.map(snakeCase), 'unique'])
  return { name: unquoted(constraint), sql: `alter table ${tableName(name)} add constraint ${constraint} unique (${columns.map(columnName).join(', ')});` }
}

function plainIndex(name: string, columns: readonly string[]) {
  const index = constraintName(name, [...columns.map(snakeCase), 'index'])
  return { name: unquoted(index), sql: `create index ${index} on ${tableName(name)} (${columns.map(columnName).join(', ')});` }
}

/** PostgreSQL cuts names at 63 bytes; a cut name could meet another, so the end that tells them apart is kept. */
function constraintName(table: string, parts: readonly string[]): string {
  const whole = [snakeCase(table), ...parts].join('_')
  if (whole.length <= 63) return quoted(whole)
  let hash = 7
  for (const unit of whole) hash = (hash * 31 + unit.charCodeAt(0)) >>> 0
  return quoted(`${whole.slice(0, 54)}_${hash.toString(36)}`)
}

const unquoted = (name: string) => name.slice(1, -1).replaceAll('""', '"')
