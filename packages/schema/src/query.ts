import { HeadwaterError } from '@headwater/protocol'
import { type Direction, type OrderBy, orderOf } from './order.ts'
import { hasNo, type Predicate, predicateOf, type Where } from './predicate.ts'
import { columnOf, type TableDefinition } from './table.ts'

/** A query as data: rows of one table. */
export interface QueryDefinition {
  readonly table: string
  readonly where: Predicate
  readonly orderBy: readonly OrderBy[]
  /** null: all of them. */
  readonly limit: number | null
  /** What a device makes of the rows instead of handing them out; a matter of the client's. */
  readonly plan?: object
}

/** What a query can be asked further. `Run` is how its rows are got: at once on a device, with await in a mutator. */
export type Query<Row, Run> = Run & {
  readonly definition: QueryDefinition
  /** Several `where` must all hold. */
  where(where: Where<Row>): Query<Row, Run>
  /** Several `orderBy` order one within the other. The key breaks ties, so that the order is always complete. */
  orderBy(column: keyof Row & string, direction?: Direction): Query<Row, Run>
  limit(rows: number): Query<Row, Run>
}

/** All rows of a table, to be refined. `run` gives the methods that get the rows of a definition, and may build a further one. */
export function queryOf<Row, Run>(
  name: string,
  table: TableDefinition,
  run: (definition: QueryDefinition, build: (definition: QueryDefinition) => Query<Row, Run>) => Run,
): Query<Row, Run> {
  const build = (definition: QueryDefinition): Query<Row, Run> => ({
    ...run(definition, build),
    definition,
    where: (where) => build({ ...definition, where: both(definition.where, predicateOf(table, where)) }),
    orderBy: (column, direction = 'asc') => {
      const asked = columnOf(table, column, 'query')
      if (asked.type === 'json') throw hasNo(column, asked, 'order')
      return build({ ...definition, orderBy: [...definition.orderBy, { column, direction }] })
    },
    limit: (rows) => {
      if (!Number.isSafeInteger(rows) || rows < 0) throw new HeadwaterError('query', `A limit of ${rows} is not a count.`)
      return build({ ...definition, limit: rows })
    },
  })
  return build({ table: name, where: { type: 'and', parts: [] }, orderBy: [], limit: null })
}

const both = (a: Predicate, b: Predicate): Predicate => ({ type: 'and', parts: a.type === 'and' ? [...a.parts, b] : [a, b] })

/** The whole order of a query: what it asks, then the key. */
export const fullOrder = (table: TableDefinition, asked: readonly OrderBy[]): readonly OrderBy[] => [
  ...asked,
  ...table.key.filter((column) => asked.every((one) => one.column !== column)).map((column) => ({ column, direction: 'asc' as const })),
]

/** Compares two rows of a table in an order. Never 0 for two different keys when the order is full. */
export function compareRows(
  table: TableDefinition,
  order: readonly OrderBy[],
): (a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>) => number {
  // Made once, and not per comparison: a live query over a large table compares hundreds of thousands of times.
  const compares = order.map(({ column, direction }) => {
    const compare = orderOf(columnOf(table, column, 'query'))
    const sign = direction === 'asc' ? 1 : -1
    return (a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>) => compare(a[column], b[column]) * sign
  })
  return (a, b) => {
    for (const compare of compares) {
      const compared = compare(a, b)
      if (compared !== 0) return compared
    }
    return 0
  }
}

/** Two definitions that mean the same by their form have the same text. */
export function textOfQuery(definition: QueryDefinition): string {
  return JSON.stringify(definition, (_, value: unknown) => {
    // A column has one type, so that a bigint's digits or a float's word cannot be taken for a text.
    if (typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))) return String(value)
    return value instanceof Uint8Array ? value.join() : value
  })
}
