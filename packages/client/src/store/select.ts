import { compareRows, compile, fullOrder, type Predicate, type QueryDefinition, type TableDefinition } from '@headwater/schema'
import type { Among, View } from './layer.ts'
import { keyOfRow, type Row } from './row.ts'
import type { Compare } from './top.ts'

/** A query made ready to run over rows. */
export interface Question {
  readonly table: string
  readonly limit: number
  readonly matches: (row: Row) => boolean
  readonly compare: Compare
  /** The one key that can match, where the question names it. */
  readonly onlyKey: string | null
  /** The rows that can match, where the question names the value of a column that rows are looked up by. */
  readonly among: Among | null
  readonly definition: QueryDefinition
}

export function questionOf(table: TableDefinition, definition: QueryDefinition): Question {
  const evaluate = compile(table, definition.where)
  return {
    table: definition.table,
    limit: definition.limit ?? Infinity,
    matches: (row) => evaluate(row) === true,
    compare: compareRows(table, fullOrder(table, definition.orderBy)),
    onlyKey: onlyKeyOf(table, definition.where),
    among: amongOf(table, definition.where),
    definition,
  }
}

/** With `asked`, no more of each row may be there than that looks at. */
export function eachCandidate(view: View, { table, onlyKey, among }: Question, run: (row: Row) => void, asked?: QueryDefinition): void {
  if (onlyKey === null) return view.each(table, run, among, asked)
  const row = view.get(table, onlyKey)
  if (row) run(row)
}

function onlyKeyOf(table: TableDefinition, where: Predicate): string | null {
  const [column = ''] = table.key
  const value = table.key.length > 1 ? undefined : valueAsked(where, column)
  return value === undefined ? null : keyOfRow(table, { [column]: value })
}

function amongOf(table: TableDefinition, where: Predicate): Among | null {
  for (const column in table.columns) {
    const value = isLookedUp(table, column) ? valueAsked(where, column) : undefined
    if (value !== undefined) return { column, values: new Set([value]) }
  }
  return null
}

/** Columns by which an app finds rows: references, those of scopes and those declared as indexes. Equal values of them are the same to a Map. */
function isLookedUp({ columns, memberships, indexes, uniques }: TableDefinition, name: string): boolean {
  const { type, form, table, isIndexed, isUnique } = columns[name] ?? {}
  const isNamed = () => memberships.some(({ column }) => column === name) || [...indexes, ...uniques].some(([first]) => first === name)
  return type !== 'json' && !form?.compare && Boolean(table || isIndexed || isUnique || isNamed())
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
