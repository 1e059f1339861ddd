import { development } from '@headwater/protocol/development'
import { compareRows, compile, fullOrder, type Predicate, type QueryDefinition, type TableDefinition } from '@headwater/schema'
import { counters } from './counters.ts'
import type { View } from './layer.ts'
import { keyOfRow, type Row } from './row.ts'
import { type Compare, createTop } from './top.ts'

/** A query made ready to run over rows. */
export interface Question {
  readonly table: string
  readonly limit: number
  readonly matches: (row: Row) => boolean
  readonly compare: Compare
  /** What the order is called: questions of one table with the same order can share an index. */
  readonly order: string
  /** The one key that can match, where the question names it. */
  readonly onlyKey: string | null
}

export function questionOf(table: TableDefinition, definition: QueryDefinition): Question {
  const order = fullOrder(table, definition.orderBy)
  const evaluate = compile(table, definition.where)
  return {
    table: definition.table,
    limit: definition.limit ?? Infinity,
    matches: (row) => evaluate(row) === true,
    compare: compareRows(table, order),
    order: order.map(({ column, direction }) => `${column} ${direction}`).join(),
    onlyKey: onlyKeyOf(table, definition.where),
  }
}

/** The answer as of now. */
export function select(view: View, question: Question): readonly Row[] {
  const top = createTop(question.limit, question.compare)
  eachCandidate(view, question, (row) => {
    development(() => counters.setUp++)
    if (question.matches(row)) top.add(row)
  })
  return top.rows()
}

export function eachCandidate(view: View, { table, onlyKey }: Question, run: (row: Row) => void): void {
  if (onlyKey === null) return view.each(table, run)
  const row = view.get(table, onlyKey)
  if (row) run(row)
}

/** Two definitions that mean the same by their form have the same text. */
export function textOf(definition: QueryDefinition): string {
  return JSON.stringify(definition, (_, value: unknown) => {
    // A column has one type, so that a bigint's digits or a float's word cannot be taken for a text.
    if (typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))) return String(value)
    return value instanceof Uint8Array ? value.join() : value
  })
}

function onlyKeyOf(table: TableDefinition, where: Predicate): string | null {
  const [column = ''] = table.key
  const value = table.key.length > 1 ? undefined : valueAsked(where, column)
  return value === undefined ? null : keyOfRow(table, { [column]: value })
}

/** The value that the column must have, where the predicate names it; undefined where it does not. */
export function valueAsked(where: Predicate, column: string): unknown {
  if (where.type === 'compare' && where.column === column && where.operator === 'eq') return where.operand
  if (where.type !== 'and') return undefined
  for (const part of where.parts) {
    const value = valueAsked(part, column)
    if (value !== undefined) return value
  }
  return undefined
}
