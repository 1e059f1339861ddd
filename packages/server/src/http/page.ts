// GET /headwater/query/:table: what is asked, from the parameters of a URL. Operators, values and order are those of queries everywhere.
import type { Json } from '@headwater/protocol'
import {
  type ColumnDefinition,
  columnOf,
  contains,
  decodeValue,
  eq,
  fullOrder,
  gt,
  gte,
  lt,
  lte,
  ne,
  type OrderBy,
  oneOf,
  type Predicate,
  predicateOf,
  type QueryDefinition,
  queryOf,
  startsWith,
  type TableDefinition,
} from '@headwater/schema'
import { limits } from '../limits.ts'
import { partlyShown } from '../sql/shown.ts'
import { problem } from './problem.ts'

export interface Page {
  readonly query: QueryDefinition
  readonly limit: number
  /** Names the place behind a row, an array of encoded values in the order of the columns. */
  readonly placeBehind: (row: readonly Json[]) => string
}

/** Throws for what is not known: a parameter that is misspelt must not select everything. */
export function pageOf(name: string, table: TableDefinition, parameters: URLSearchParams): Page {
  const given = new Map<string, string>()
  for (const [parameter, value] of parameters) {
    if (given.has(parameter)) throw asked(`A parameter is there twice.`)
    if (!words.includes(parameter) && !Object.hasOwn(table.columns, parameter)) throw asked('There is no parameter of a name that was given.')
    given.set(parameter, value)
  }
  const where = given.get('where')
  const parts = [...(where === undefined ? [] : whereOf(table, parse(where, 'where'))), ...pairsOf(table, given)]
  const order = orderOf(given.get('orderBy'))
  const limit = limitOf(given.get('limit'))
  // A place holds values of the order's columns: it must tell nothing that the row does not.
  const hidden = order.find(({ column }) => partlyShown(table).includes(column))
  if (hidden) throw asked(`${hidden.column} is not seen of every row: there is no order by it.`)
  // queryOf checks the columns of the order as it does everywhere.
  const { definition } = order.reduce(
    (query, { column, direction }) => query.orderBy(column, direction),
    queryOf<Record<string, unknown>, object>(name, table, () => ({})),
  )
  const full = fullOrder(table, definition.orderBy)
  const after = given.get('after')
  if (after !== undefined) parts.push(behind(table, full, after))
  const names = Object.keys(table.columns)
  return {
    query: { ...definition, where: { type: 'and', parts }, limit: limit + 1 },
    limit,
    placeBehind: (row) =>
      encodePlace(
        full,
        full.map(({ column }) => row[names.indexOf(column)] ?? null),
      ),
  }
}

const words = ['where', 'orderBy', 'limit', 'after']

/**
 * `where={"status":"active","visits":{"gte":5,"lt":10},"slug":null}`. An object is always tests, also for a json column. Beside columns there may be
 * `"or": [...]` and `"and": [...]` of such objects, and `"not": {...}`; a column of that name comes first.
 */
function whereOf(table: TableDefinition, where: Json, depth = 0): Predicate[] {
  if (!isObject(where)) throw asked('where is not a JSON object.')
  if (depth > groupDepthMax) throw asked(`where has groups in more than ${groupDepthMax} groups.`)
  const within = (one: Json): Predicate => ({ type: 'and', parts: whereOf(table, one, depth + 1) })
  return Object.entries(where).flatMap(([name, value]): Predicate[] => {
    if (!Object.hasOwn(table.columns, name)) {
      if (name === 'not') return [{ type: 'not', part: within(value) }]
      if ((name === 'or' || name === 'and') && Array.isArray(value)) return [{ type: name, parts: value.map(within) }]
    }
    const column = columnOf(table, name, 'query')
    const tests = isObject(value) ? Object.entries(value) : [['eq', value] as const]
    return tests.map(([operator, operand]) => predicateOf(table, { [name]: testOf(column, operator, operand) }))
  })
}

const groupDepthMax = 8

const tests: Readonly<Record<string, (operand: unknown) => unknown>> = { eq, ne, lt, lte, gt, gte }

function testOf(column: ColumnDefinition, operator: string, operand: Json): unknown {
  if (operator === 'in' && Array.isArray(operand)) return oneOf(operand.map((one: Json) => decodeValue(column, one)))
  if (operator === 'contains' || operator === 'startsWith') return (operator === 'contains' ? contains : startsWith)(String(operand))
  const test = Object.hasOwn(tests, operator) ? tests[operator] : undefined
  if (test === undefined) throw asked(`There is no such operator, or its operand is not one.`)
  return test(decodeValue(column, operand))
}

/** `status=active`: the text is the value, or for numbers and truth its JSON. */
function pairsOf(table: TableDefinition, given: ReadonlyMap<string, string>): Predicate[] {
  return [...given].flatMap(([name, text]) => {
    if (words.includes(name)) return []
    const column = columnOf(table, name, 'query')
    if (column.type === 'json' || column.type === 'array') throw asked(`${name} is ${column.type}: ask by where.`)
    const isText = !['integer', 'boolean'].includes(column.type) && !(column.type === 'float' && /^-?\d/.test(text) && text !== '-0')
    return [predicateOf(table, { [name]: eq(decodeValue(column, isText ? text : parse(text, name))) })]
  })
}

/** `orderBy=updatedAt.desc,title`. */
const orderOf = (text: string | undefined): readonly OrderBy[] =>
  (text ?? '').split(',').flatMap((part) => {
    if (part === '' && (text ?? '') === '') return []
    const [column = '', direction = 'asc', ...rest] = part.split('.')
    if (rest.length > 0 || (direction !== 'asc' && direction !== 'desc')) throw asked('orderBy is not of the form column, column.desc.')
    return [{ column, direction }]
  })

function limitOf(text: string | undefined): number {
  if (text === undefined) return limits.queryRowsDefault
  const limit = Number(text)
  if (!/^\d{1,4}$/.test(text) || limit < 1 || limit > limits.queryRowsMax) throw asked(`limit is not from 1 to ${limits.queryRowsMax}.`)
  return limit
}

const encodePlace = (order: readonly OrderBy[], values: readonly Json[]) => Buffer.from(JSON.stringify([textOf(order), values])).toString('base64url')
const textOf = (order: readonly OrderBy[]) => order.map(({ column, direction }) => `${column}.${direction}`).join()

/** The rows behind a place in a full order, nulls last ascending and first descending. */
function behind(table: TableDefinition, order: readonly OrderBy[], place: string): Predicate {
  const decoded = parse(Buffer.from(place, 'base64url').toString(), 'after')
  const [text, values] = Array.isArray(decoded) ? decoded : []
  if (text !== textOf(order) || !Array.isArray(values) || values.length !== order.length)
    throw asked('after is not a place in this order.', 'Take it from the answer before, and leave the order as it was.')
  const where = ({ column }: OrderBy, test: (value: unknown) => unknown, i: number) =>
    predicateOf(table, { [column]: test(decodeValue(columnOf(table, column, 'query'), values[i])) })
  const isNull = ({ column }: OrderBy, negated: boolean): Predicate => ({ type: 'isNull', column, negated })
  const same = (one: OrderBy, i: number) => (values[i] === null ? isNull(one, false) : where(one, eq, i))
  const beyond = (one: OrderBy, i: number): Predicate => {
    if (values[i] === null) return one.direction === 'asc' ? none : isNull(one, true)
    return one.direction === 'asc' ? { type: 'or', parts: [where(one, gt, i), isNull(one, false)] } : where(one, lt, i)
  }
  return { type: 'or', parts: order.map((one, i) => ({ type: 'and', parts: [...order.slice(0, i).map(same), beyond(one, i)] })) }
}

const none: Predicate = { type: 'or', parts: [] }

function parse(text: string, name: string): Json {
  try {
    return JSON.parse(text)
  } catch {
    throw asked(`${name} is not JSON.`)
  }
}

const isObject = (value: Json): value is { readonly [key: string]: Json } => typeof value === 'object' && value !== null && !Array.isArray(value)
const asked = (message: string, hint = 'docs/http.md has the parameters: where, orderBy, limit, after, and column=value.') =>
  problem(400, 'query', message, hint)
