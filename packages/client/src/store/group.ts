// Aggregates of rows, one result per group: `q.items.where({ ... }).aggregate({ n: count(), total: sum('budget') }, 'status')`.
// Invariant: an aggregate is what it would be of the same rows from nothing, whatever the order in which they came and went.
import { HeadwaterError } from '@headwater/protocol'
import { development } from '@headwater/protocol/development'
import { columnOf, compareRows, compareText, compareValues, type QueryDefinition, type TableDefinition } from '@headwater/schema'
import type { Aggregate, AggregateKind } from '../api.ts'
import type { Batch } from './change.ts'
import { counters } from './counters.ts'
import type { Filling } from './filling.ts'
import type { Plan, Sources } from './plan.ts'
import { areEqual, type Row } from './row.ts'
import { eachCandidate, questionOf } from './select.ts'
import { sumFloats, sumNumerics } from './sum.ts'
import { positionOf } from './top.ts'
import type { Window } from './window.ts'

const make = <Kind extends AggregateKind, Column extends string>(kind: Kind, column: Column | null): Aggregate<Kind, Column> & Plan => ({ kind, column, open })

/** How many rows there are; with a column, how many that have a value in it. */
export const count = <const C extends string = never>(column?: C) => make('count', column ?? null)
/** The sum of a column, exact, in the form of the column: of integers and floats a number, of bigints a bigint, of numerics a text. null: there is no value. */
export const sum = <const C extends string>(column: C) => make('sum', column)
/** The least value, in the order of queries. null: there is none. */
export const min = <const C extends string>(column: C) => make('min', column)
export const max = <const C extends string>(column: C) => make('max', column)
/** The mean of a column of integers or floats. null: there is no value. */
export const avg = <const C extends string>(column: C) => make('avg', column)

export interface Aggregated {
  readonly parts: Readonly<Record<string, Aggregate>>
  readonly by: readonly string[]
}

interface Group {
  readonly key: unknown
  /** The columns that all its rows share. */
  readonly shared: Row
  /** Its rows; null where counting them is enough. */
  readonly rows: Set<Row> | null
  count: number
  readonly cells: readonly Cell[]
  /** What is handed out. */
  out: Row | null
}

/** One aggregate of one group. */
interface Cell {
  readonly name: string
  change(value: unknown, sign: 1 | -1): void
  value(rows: Iterable<Row>): unknown
}

function open(definition: QueryDefinition, { view, tableOf }: Sources): Window {
  const table = tableOf(definition.table)
  const question = questionOf(table, { ...definition, orderBy: [] })
  // `aggregate` made it, of what is in this file.
  const { parts, by } = definition.plan as unknown as Aggregated
  const compare = groupOrder(table, definition, by)
  const makers = Object.entries(parts).map(([name, part]) => cellOf(table, name, part))
  const needsRows = makers.some(({ isExact }) => !isExact)
  let groups = new Map<unknown, Group>()
  // What was handed out before it started anew, and is again where a group comes to the same.
  let former: ReadonlyMap<unknown, Row | null> = new Map()
  let ordered: Group[] = []

  const placeOf = (group: Group) => positionOf(ordered, (one) => compare(one.shared, group.shared) < 0)

  function groupOf(row: Row, among: Map<unknown, Group>): Group {
    const key = by.length === 1 ? row[by[0] ?? ''] : JSON.stringify(by.map((column) => wordOf(row[column])))
    const known = among.get(key)
    if (known) return known
    const shared = Object.fromEntries(by.flatMap((column) => (column in row ? [[column, row[column]]] : [])))
    const group = { key, shared, rows: needsRows ? new Set<Row>() : null, count: 0, cells: makers.map(({ make }) => make()), out: former.get(key) ?? null }
    among.set(key, group)
    return group
  }

  function change(row: Row | null, sign: 1 | -1, among = groups): Group | null {
    if (row === null || !question.matches(row)) return null
    const group = groupOf(row, among)
    group.count += sign
    group.rows?.[sign > 0 ? 'add' : 'delete'](row)
    for (let i = 0; i < makers.length; i++) {
      const column = makers[i]?.column
      const value = column === null || column === undefined ? true : row[column]
      if (value !== null && value !== undefined) group.cells[i]?.change(value, sign)
    }
    return group
  }

  /** What it hands out, again. */
  function hand(group: Group): boolean {
    const before = group.out
    const after: Record<string, unknown> = { ...group.shared }
    for (const { name, value } of group.cells) after[name] = value(group.rows ?? [])
    if (before && group.cells.every(({ name }) => areEqual(before[name], after[name]))) return false
    group.out = after
    return true
  }

  function filling(): Filling {
    const next = new Map<unknown, Group>()
    // Without columns to group by there is one group, of no rows as well.
    if (by.length === 0) groupOf({}, next)
    return {
      // Rows that are kept are kept whole: a part of one is another object.
      asked: needsRows ? undefined : definition,
      add: (row) => {
        development(() => counters.setUp++)
        change(row, 1, next)
      },
      gather: () => {},
      end: (above) => {
        former = new Map([...groups.values()].map(({ key, out }) => [key, out]))
        groups = next
        ordered = [...next.values()].sort((a, b) => compare(a.shared, b.shared))
        for (const group of ordered) group.out = former.get(group.key) ?? null
        apply(above)
        for (const group of ordered) hand(group)
      },
    }
  }

  function fill(): void {
    const { asked, add, end } = filling()
    eachCandidate(view, question, add, asked)
    end(new Map())
  }

  /** A group of no rows goes, unless it is the only one there ever is. */
  function settle(group: Group): boolean {
    const at = placeOf(group)
    const isKnown = ordered[at] === group
    if (group.count === 0 && by.length > 0) {
      groups.delete(group.key)
      if (isKnown) ordered.splice(at, 1)
      return isKnown
    }
    if (!isKnown) ordered.splice(at, 0, group)
    return hand(group) || !isKnown
  }

  function apply(batch: Batch): boolean {
    const touched = new Set<Group | null>()
    for (const { before, after } of batch.get(question.table) ?? []) {
      development(() => counters.visited++)
      touched.add(change(before, -1)).add(change(after, 1))
    }
    return [...touched].map((group) => group !== null && settle(group)).includes(true)
  }

  return {
    follows: [question],
    fill,
    filling,
    apply,
    shown: () => ordered.slice(0, question.limit).flatMap(({ out }) => (out ? [out] : [])),
  }
}

/** In the order that was asked, of columns that all rows of a group share, then in that of these columns. */
function groupOrder(table: TableDefinition, { orderBy }: QueryDefinition, by: readonly string[]) {
  const unknown = orderBy.find(({ column }) => !by.includes(column))
  if (unknown) throw failure(`Groups have no order by ${unknown.column}, which their rows do not share.`)
  for (const name of by) {
    const column = columnOf(table, name, 'query')
    if (column.type === 'json' || column.form?.compare) throw failure(`${name} is ${column.type}, which rows are not grouped by.`)
  }
  const compare = compareRows(table, [...orderBy, ...by.map((column) => ({ column, direction: 'asc' as const }))])
  // Null and what is not held are two groups, and have one place in an order.
  return (a: Row, b: Row) => compare(a, b) || compareText(Object.keys(a).join(), Object.keys(b).join())
}

/** What a value is called in the name of a group. What is not held is not null. */
const wordOf = (value: unknown) => (value === undefined ? [] : typeof value === 'bigint' ? String(value) : value)

const failure = (message: string) => new HeadwaterError('query', message)

/** `isExact`: it is kept up by adding and taking away alone. The others look at the rows of their group again when one of them has changed. */
function cellOf(table: TableDefinition, name: string, { kind, column }: Aggregate): { column: string | null; isExact: boolean; make: () => Cell } {
  const definition = column === null ? null : columnOf(table, column, 'query')
  const values = (rows: Iterable<Row>) => [...rows].flatMap((row) => (column === null || (row[column] ?? null) === null ? [] : [row[column]]))
  const anew = (value: (values: readonly unknown[]) => unknown) => ({
    column,
    isExact: false,
    make: () => ({ name, change: () => {}, value: (rows: Iterable<Row>) => value(values(rows)) }),
  })
  if (kind === 'count')
    return {
      column,
      isExact: true,
      make: () =>
        createTotal(
          name,
          0,
          () => 1,
          (_, n) => n,
        ),
    }
  if (definition === null || definition.type === 'json') throw failure(`There is no ${kind} of that.`)
  if (kind === 'min' || kind === 'max') {
    const sign = kind === 'min' ? 1 : -1
    // Equal numerics may be written differently.
    return {
      column,
      isExact: false,
      make: () => createBest(name, values, (a, b) => compareValues(definition, a, b) * sign || compareText(String(a), String(b))),
    }
  }
  switch (definition.type) {
    case 'integer':
      return { column, isExact: true, make: () => createTotal(name, 0, Number, (total, n) => (n === 0 ? null : kind === 'avg' ? Number(total) / n : total)) }
    case 'float':
      return anew((all) => (all.length === 0 ? null : sumFloats(all.map(Number)) / (kind === 'avg' ? all.length : 1)))
    case 'bigint':
      if (kind === 'sum')
        return {
          column,
          isExact: true,
          make: () =>
            createTotal(
              name,
              0n,
              (value) => BigInt(String(value)),
              (total, n) => (n === 0 ? null : total),
            ),
        }
      break
    case 'numeric':
      if (kind === 'sum') return anew((all) => (all.length === 0 ? null : sumNumerics(all.map(String))))
  }
  throw failure(`${column} is ${definition.type}, which has no ${kind}.`)
}

/** The first value in an order. When it goes, the others are looked at. */
function createBest(name: string, valuesOf: (rows: Iterable<Row>) => readonly unknown[], compare: (a: unknown, b: unknown) => number): Cell {
  let best: unknown = null
  let isKnown = true
  const take = (value: unknown) => {
    if (best === null || compare(value, best) < 0) best = value
  }
  return {
    name,
    change: (value, sign) => {
      if (sign > 0) take(value)
      else isKnown &&= compare(value, best) !== 0
    },
    value: (rows) => {
      if (!isKnown) {
        best = null
        for (const value of valuesOf(rows)) take(value)
        isKnown = true
      }
      return best
    },
  }
}

function createTotal<T extends number | bigint>(name: string, zero: T, numberOf: (value: unknown) => T, result: (total: T, n: number) => unknown): Cell {
  let total = zero
  let n = 0
  return {
    name,
    change: (value, sign) => {
      n += sign
      // Both are numbers, or both bigints.
      total = (sign > 0 ? (total as number) + (numberOf(value) as number) : (total as number) - (numberOf(value) as number)) as T
    },
    value: () => result(total, n),
  }
}
