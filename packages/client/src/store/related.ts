// Rows with related ones: each with the rows that refer to it, or with the row that it refers to. One level, and never a query per row: the related
// rows of all that are new are gathered together.
// Invariant: a row with related ones is the same object while it and they are the same; so is a list of related rows.
import { HeadwaterError } from '@headwater/protocol'
import { development } from '@headwater/protocol/development'
import { own, type QueryDefinition, type TableDefinition } from '@headwater/schema'
import type { Related } from '../api.ts'
import type { Change } from './change.ts'
import { counters } from './counters.ts'
import { fillingOf } from './filling.ts'
import type { Plan, Sources } from './plan.ts'
import { keyOfRow, type Row } from './row.ts'
import { questionOf } from './select.ts'
import { positionOf } from './top.ts'
import type { Window } from './window.ts'

interface Asked<R> {
  readonly definition: QueryDefinition
  all(): readonly R[]
}

/**
 * The rows of a query whose `column` refers to a row: `q.projects.with({ messages: many(q.messages.orderBy('sequence').limit(3), 'projectId') })`. The query's
 * conditions, order and limit are those of each list. Throws `query` where the table of the row has a key of several columns.
 */
export const many = <R>(query: Asked<R>, column: keyof R & string): Related<readonly R[]> & Plan => ({ query: query.definition, column, isMany: true, open })

/** The row that `column` of a row refers to, if it is here and the query's conditions hold; else null: `q.messages.with({ project: one(q.projects, 'projectId') })`. */
export const one = <R, const C extends string>(query: Asked<R>, column: C): Related<R | null, C> & Plan => ({
  query: query.definition,
  column,
  isMany: false,
  open,
})

function open(definition: QueryDefinition, sources: Sources): Window {
  const table = sources.tableOf(definition.table)
  const rows = sources.open(definition)
  // `with` made it, of what is in this file.
  const asked = (definition.plan as unknown as { readonly parts: Readonly<Record<string, Related<unknown>>> }).parts
  const parts = Object.entries(asked).map(([name, related]) => {
    if (own(table.columns, name)) throw new HeadwaterError('query', `${name} is a column of ${definition.table}.`, 'Call the related rows something else.')
    return { name, ...createPart(table, related, sources) }
  })
  const made = new WeakMap<Row, Row>()

  function withRelated(row: Row): Row {
    const before = made.get(row)
    if (before && parts.every(({ name, of }) => before[name] === of(row))) return before
    const after: Record<string, unknown> = { ...row }
    for (const { name, of } of parts) after[name] = of(row)
    made.set(row, after)
    return after
  }

  /** Related rows of rows that are new, and no more of those that have gone. */
  function gather(isAnew: boolean): void {
    const shown = rows.shown()
    for (const part of parts) part.gather(shown, isAnew)
  }

  return {
    ...rows,
    follows: [...rows.follows, ...parts.map(({ table }) => ({ table, among: null }))],
    fill: () => {
      rows.fill()
      gather(true)
    },
    filling: () => {
      const own = fillingOf(rows)
      return {
        ...own,
        end: (above) => {
          own.end(above)
          gather(true)
        },
      }
    },
    apply: (batch) => {
      // Lists first: those that are gathered afterwards are as the batch left them.
      const isRelated = parts.map(({ table, apply }) => apply(batch.get(table) ?? [])).includes(true)
      const isShown = rows.apply(batch)
      if (isShown) gather(false)
      return isShown || isRelated
    },
    shown: () => rows.shown().map(withRelated),
  }
}

interface List {
  readonly rows: Row[]
  /** What is handed out. */
  out: unknown
}

/** Lists of related rows by the value that they are related by. */
function createPart(parent: TableDefinition, { query, column, isMany }: Related<unknown>, { tableOf, view }: Sources) {
  const definition = tableOf(query.table)
  const [parentColumn, childColumn] = isMany ? [keyOf(parent), column] : [column, keyOf(definition)]
  if (query.plan) throw new HeadwaterError('query', 'Related rows have no related rows of their own.')
  const { table, matches, compare, limit } = questionOf(definition, query)
  let lists = new Map<unknown, List>()

  const placeOf = (rows: readonly Row[], row: Row) => positionOf(rows, (one) => compare(one, row) < 0)

  function hand(list: List): boolean {
    const before = list.out
    if (!isMany) list.out = list.rows[0] ?? null
    else {
      const rows = list.rows.slice(0, limit)
      const isSame = Array.isArray(before) && before.length === rows.length && rows.every((row, at) => row === before[at])
      if (!isSame) list.out = rows
    }
    return list.out !== before
  }

  function eachOf(values: ReadonlySet<unknown>, run: (row: Row) => void): void {
    if (isMany) return view.each(table, run, { column: childColumn, values })
    for (const value of values) {
      const row = view.get(table, keyOfRow(definition, { [childColumn]: value }))
      if (row) run(row)
    }
  }

  const listOf = (row: Row | null): List | undefined => {
    development(() => counters.visited++)
    return row ? lists.get(row[childColumn]) : undefined
  }

  return {
    table,
    of: (row: Row): unknown => lists.get(row[parentColumn])?.out ?? (isMany ? none : null),
    gather: (parents: readonly Row[], isAnew: boolean) => {
      const kept = new Map<unknown, List>()
      const fresh = new Map<unknown, List>()
      for (const row of parents) {
        const value = row[parentColumn] ?? null
        const list = lists.get(value)
        if (value === null) continue
        if (list && !isAnew) kept.set(value, list)
        else fresh.set(value, { rows: [], out: list?.out })
      }
      eachOf(new Set(fresh.keys()), (row) => {
        development(() => counters.setUp++)
        if (matches(row)) fresh.get(row[childColumn])?.rows.push(row)
      })
      for (const [value, list] of fresh) {
        list.rows.sort(compare)
        hand(list)
        kept.set(value, list)
      }
      lists = kept
    },
    /** True if a list is another. */
    apply: (changes: readonly Change[]): boolean => {
      const touched = new Set<List>()
      for (const { before, after } of changes) {
        const [left, joined] = [listOf(before), listOf(after)]
        if (before && left && matches(before)) {
          left.rows.splice(placeOf(left.rows, before), 1)
          touched.add(left)
        }
        if (after && joined && matches(after)) {
          joined.rows.splice(placeOf(joined.rows, after), 0, after)
          touched.add(joined)
        }
      }
      return [...touched].map(hand).includes(true)
    },
  }
}

/** The list of a row without a key that this person sees. */
const none: readonly Row[] = []

function keyOf({ key: [only = '', ...others] }: TableDefinition): string {
  if (others.length > 0) throw new HeadwaterError('query', 'Related rows refer to a key of one column.')
  return only
}
