// The answer to a query, worked out from nothing and by the plainest means: nothing of what the engine uses to answer is used here.
import type { ColumnDefinition, Predicate, QueryDefinition } from '@headwater/schema'
import type { Row } from '../../src/store/row.ts'
import { columnsOf, type Table } from './ask.ts'

/** Visible rows by table. */
export type Seen = Readonly<Record<Table, readonly Row[]>>

export interface AskedRelated {
  readonly name: string
  readonly isMany: boolean
  readonly column: string
  readonly query: QueryDefinition
}
export interface AskedAggregate {
  readonly name: string
  readonly kind: string
  readonly column: string | null
}
export interface Asked {
  readonly definition: QueryDefinition
  readonly related?: readonly AskedRelated[]
  readonly aggregates?: readonly AskedAggregate[]
  readonly by?: readonly string[]
}

export function answer(seen: Seen, { definition, related = [], aggregates, by = [] }: Asked): readonly Row[] {
  if (aggregates) return groups(matching(seen, { ...definition, orderBy: [], limit: null }), definition, aggregates, by)
  return matching(seen, definition).map((row) => ({ ...row, ...Object.fromEntries(related.map((one) => [one.name, relatedOf(seen, row, one)])) }))
}

const tableOf = (definition: QueryDefinition) => definition.table as Table
const typeOf = (name: Table, column: string) => columnsOf(name).find(([one]) => one === column)?.[1] ?? { type: 'text' as const }

function matching(seen: Seen, definition: QueryDefinition): readonly Row[] {
  const name = tableOf(definition)
  const rows = seen[name].filter((row) => holds(name, row, definition.where) === true)
  const order = [...definition.orderBy, { column: 'id', direction: 'asc' as const }]
  const sorted = rows.toSorted((a, b) => {
    for (const { column, direction } of order) {
      const compared = withNulls(typeOf(name, column), a[column], b[column]) * (direction === 'asc' ? 1 : -1)
      if (compared !== 0) return compared
    }
    return 0
  })
  return sorted.slice(0, definition.limit ?? sorted.length)
}

function relatedOf(seen: Seen, row: Row, { isMany, column, query }: AskedRelated): unknown {
  const value = isMany ? row.id : row[column]
  const rows = matching(seen, { ...query, limit: null }).filter((one) => value !== null && value !== undefined && one[isMany ? column : 'id'] === value)
  return isMany ? rows.slice(0, query.limit ?? rows.length) : query.limit === 0 ? null : (rows[0] ?? null)
}

/** True, false, or null for unknown. */
function holds(name: Table, row: Row, where: Predicate): boolean | null {
  switch (where.type) {
    case 'and':
    case 'or': {
      const parts = where.parts.map((part) => holds(name, row, part))
      const deciding = where.type === 'or'
      return parts.includes(deciding) ? deciding : parts.includes(null) ? null : !deciding
    }
    case 'not': {
      const value = holds(name, row, where.part)
      return value === null ? null : !value
    }
    case 'isNull':
      return row[where.column] === undefined ? null : (row[where.column] === null) !== where.negated
    case 'compare': {
      const value = row[where.column]
      return value === null || value === undefined ? null : compares(typeOf(name, where.column), where.operator, value, where.operand)
    }
  }
}

function compares(column: ColumnDefinition, operator: string, value: unknown, operand: unknown): boolean {
  if (operator === 'in') return (operand as readonly unknown[]).some((one) => compares(column, 'eq', value, one))
  if (operator === 'contains') return String(value).split(String(operand)).length > 1 || operand === ''
  if (operator === 'startsWith') return String(value).slice(0, String(operand).length) === operand
  if (column.type === 'json') return canonical(value) === canonical(operand)
  const order = between(column, value, operand)
  return { eq: order === 0, ne: order !== 0, lt: order < 0, lte: order <= 0, gt: order > 0, gte: order >= 0 }[operator] ?? false
}

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) =>
    typeof one === 'object' && one !== null && !Array.isArray(one) ? Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1))) : one,
  )

/** Nulls, and what is not held, last. */
function withNulls(column: ColumnDefinition, a: unknown, b: unknown): number {
  const missing = (value: unknown) => Number(value === null || value === undefined)
  return missing(a) + missing(b) > 0 ? missing(a) - missing(b) : between(column, a, b)
}

function between({ type, element }: ColumnDefinition, a: unknown, b: unknown): number {
  switch (type) {
    case 'numeric':
      return lists(numericKey(String(a)), numericKey(String(b)), (x, y) => Number(x > y) - Number(x < y))
    case 'float':
      return Number(Number.isNaN(a)) - Number(Number.isNaN(b)) || scalars(Number(a), Number(b))
    case 'integer':
    case 'boolean':
      return scalars(Number(a), Number(b))
    case 'bigint':
      return scalars(a as bigint, b as bigint)
    case 'bytes':
      return lists([...(a as Uint8Array)], [...(b as Uint8Array)], scalars)
    case 'array':
      return lists(a as readonly unknown[], b as readonly unknown[], (x, y) => between(element ?? { type: 'text' }, x, y))
    default:
      return lists(points(String(a)), points(String(b)), scalars)
  }
}

const points = (text: string) => Array.from(text, (one) => one.codePointAt(0) ?? 0)
const scalars = <T extends number | bigint>(a: T, b: T) => (a < b ? -1 : a > b ? 1 : 0)

function lists<T>(a: readonly T[], b: readonly T[], compare: (x: T, y: T) => number): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const compared = compare(a[i] as T, b[i] as T)
    if (compared !== 0) return compared
  }
  return a.length - b.length
}

/** NaN above infinity above what has digits, in hundredths of a million. */
function numericKey(text: string): readonly bigint[] {
  const word = ['-Infinity', '', 'Infinity', 'NaN'].indexOf(/\d/.test(text) ? '' : text)
  return [BigInt(word), word === 1 ? hundredths(text) : 0n]
}
function hundredths(text: string): bigint {
  const [whole = '', decimals = ''] = text.split('.')
  return BigInt(whole + decimals.padEnd(8, '0'))
}

function groups(rows: readonly Row[], definition: QueryDefinition, aggregates: readonly AskedAggregate[], by: readonly string[]): readonly Row[] {
  const name = tableOf(definition)
  const found = new Map<string, Row[]>()
  if (by.length === 0) found.set('[]', [])
  for (const row of rows) {
    const key = JSON.stringify(by.map((column) => (row[column] === undefined ? 'absent' : [typeof row[column], String(row[column])])))
    found.set(key, [...(found.get(key) ?? []), row])
  }
  const results = [...found.values()].map((members) => ({
    ...Object.fromEntries(by.flatMap((column) => (column in (members[0] ?? {}) ? [[column, members[0]?.[column]]] : []))),
    ...Object.fromEntries(aggregates.map((one) => [one.name, aggregate(name, members, one)])),
  }))
  const order = [...definition.orderBy, ...by.map((column) => ({ column, direction: 'asc' as const }))]
  const sorted = results.toSorted((a: Row, b: Row) => {
    for (const { column, direction } of order) {
      const compared = withNulls(typeOf(name, column), a[column], b[column]) * (direction === 'asc' ? 1 : -1)
      if (compared !== 0) return compared
    }
    return Object.keys(a)
      .filter((key) => by.includes(key))
      .join() <
      Object.keys(b)
        .filter((key) => by.includes(key))
        .join()
      ? -1
      : 1
  })
  return sorted.slice(0, definition.limit ?? sorted.length)
}

function aggregate(name: Table, rows: readonly Row[], { kind, column }: AskedAggregate): unknown {
  if (column === null) return rows.length
  const values = rows.map((row) => row[column]).filter((value) => value !== null && value !== undefined)
  if (kind === 'count') return values.length
  if (values.length === 0) return null
  const definition = typeOf(name, column)
  const sorted = values.toSorted((a, b) => between(definition, a, b) * (kind === 'max' ? -1 : 1) || (String(a) < String(b) ? -1 : 1))
  if (kind === 'min' || kind === 'max') return sorted[0]
  if (definition.type === 'bigint') return values.reduce<bigint>((sum, value) => sum + (value as bigint), 0n)
  if (definition.type === 'numeric') return sumOfNumerics(values.map(String))
  // The generated floats add up exactly, or to what no float holds.
  const sum = sorted.map(Number).reduce((all, value) => all + value, 0)
  return kind === 'avg' ? sum / values.length : sum
}

function sumOfNumerics(values: readonly string[]): string {
  const words = values.filter((value) => !/\d/.test(value))
  if (words.includes('NaN') || new Set(words).size > 1) return 'NaN'
  if (words[0]) return words[0]
  const decimals = Math.max(...values.map((value) => value.split('.')[1]?.length ?? 0))
  const total = values.map(hundredths).reduce((sum, value) => sum + value, 0n)
  const digits = String(total < 0n ? -total : total).padStart(9, '0')
  const fraction = digits.slice(-8).slice(0, decimals)
  return `${total < 0n ? '-' : ''}${digits.slice(0, -8)}${decimals > 0 ? `.${fraction}` : ''}`
}
