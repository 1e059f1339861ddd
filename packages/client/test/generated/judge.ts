// Queries from a seed, and what their live results are to be: right, and the same objects where nothing changed.
import { expect } from 'vitest'
import type { LiveQuery } from '../../src/api.ts'
import { avg, count, max, min, sum } from '../../src/store/group.ts'
import { many, one } from '../../src/store/related.ts'
import type { Row } from '../../src/store/row.ts'
import { type Asked, type AskedAggregate, type AskedRelated, answer, type Seen } from './answer.ts'
import { count as countOf, pick, queryOf, type Random, type Table } from './ask.ts'

const tables: readonly Table[] = ['lists', 'things']

/** The answer is right, its array and its rows are those of before where they are equal, and subscribers heard exactly of what changed. */
export function judge(seen: Seen, asked: Asked, live: LiveQuery<Row>, before: readonly Row[], told: number | null): void {
  const { rows } = live.result()
  expect(rows).toEqual(answer(seen, asked))
  const nameOf = (row: Row) => JSON.stringify(asked.by ? asked.by.map((column) => [typeof row[column], String(row[column])]) : row.id)
  const known = new Map(before.map((row) => [nameOf(row), row]))
  for (const row of rows) {
    const was = known.get(nameOf(row))
    if (!was) continue
    if (isSame(was, row)) expect(row).toBe(was)
    for (const { name } of asked.related ?? []) if (isSame(was[name], row[name])) expect(row[name]).toBe(was[name])
  }
  if (told === null) return
  const isUnchanged = rows.length === before.length && rows.every((row, at) => row === before[at])
  expect(rows === before).toBe(isUnchanged)
  expect(told).toBe(isUnchanged ? 0 : 1)
}

function isSame(a: unknown, b: unknown): boolean {
  try {
    expect(a).toEqual(b)
    return true
  } catch {
    return false
  }
}

const aggregatesOf: readonly (readonly [kind: keyof typeof makers, columns: readonly string[]])[] = [
  ['count', ['words', 'listId', 'extra']],
  ['sum', ['whole', 'large', 'exact', 'ratio']],
  ['avg', ['whole', 'ratio']],
  ['min', ['words', 'whole', 'exact', 'time', 'state', 'tags']],
  ['max', ['words', 'large', 'ratio', 'day', 'isOpen', 'data']],
]
const makers = { count, sum, min, max, avg }

export function askedOf(random: Random): Asked {
  const what = random()
  const definition = queryOf(random, what < 0.6 ? pick(random, tables) : what < 0.8 ? 'lists' : 'things')
  if (what < 0.3) return { definition }
  if (what < 0.6) return relatedAsked(random, definition)
  const aggregates = Array.from({ length: 1 + countOf(random, 2) }, (_, at): AskedAggregate => {
    const [kind, columns] = pick(random, aggregatesOf)
    return { name: `a${at}`, kind, column: random() < 0.3 && kind === 'count' ? null : pick(random, columns) }
  })
  const by = [...new Set(Array.from({ length: countOf(random, 2) }, () => pick(random, ['kind', 'listId', 'isOpen', 'large', 'state', 'day'])))]
  const orderBy = by.filter(() => random() < 0.3).map((column) => ({ column, direction: 'desc' as const }))
  return { definition: { ...queryOf(random, 'things'), orderBy }, aggregates, by }
}

function relatedAsked(random: Random, definition: Asked['definition']): Asked {
  const children: AskedRelated = { name: 'children', isMany: true, column: 'listId', query: queryOf(random, 'things') }
  const list: AskedRelated = { name: 'list', isMany: false, column: 'listId', query: { ...queryOf(random, 'lists'), limit: null } }
  return { definition, related: definition.table === 'lists' ? [children] : [list] }
}

export function planOf({ related, aggregates, by = [] }: Asked) {
  if (!related && !aggregates) return {}
  const asked = (query: AskedRelated['query']) => ({ definition: query, all: (): readonly Row[] => [] })
  const parts: Readonly<Record<string, object>> = Object.fromEntries([
    ...(related ?? []).map(({ name, isMany, column, query }) => [name, isMany ? many(asked(query), column) : one(asked(query), column)] as const),
    ...(aggregates ?? []).map(({ name, kind, column }) => [name, makers[kind as keyof typeof makers](column as string)] as const),
  ])
  return { plan: { ...Object.values(parts)[0], parts, by } }
}
