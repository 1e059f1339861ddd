// Invariant: what is looked up is what a pass over all confirmed rows would find.
import { type Among, type View, within } from './layer.ts'
import type { Row } from './row.ts'

/** Which confirmed rows have a value in a column: one map per column, built when first needed and kept up from then on. */
export interface Lookups {
  keysOf(table: string, { column, values }: Among): Iterable<string>
  /** To be told before the rows change. */
  follow(table: string, rows: ReadonlyMap<string, Row | null>): void
}

/** Most columns that are looked up have either few rows per value or one: one is kept as it is. */
type Keys = string | Set<string>

export function createLookups(view: Pick<View, 'get' | 'each'>): Lookups {
  const byTable = new Map<string, Map<string, Map<unknown, Keys>>>()

  function of(table: string, column: string): Map<unknown, Keys> {
    const columns = within(byTable, table)
    const known = columns.get(column)
    if (known) return known
    const keys = new Map<unknown, Keys>()
    view.each(table, (row, key) => add(keys, row[column], key))
    // Of no rows it is not kept: a load may put rows there by another way.
    if (keys.size > 0) columns.set(column, keys)
    return keys
  }

  return {
    *keysOf(table, { column, values }) {
      const keys = of(table, column)
      for (const value of values) {
        const found = keys.get(value) ?? []
        yield* typeof found === 'string' ? [found] : found
      }
    },
    follow: (table, rows) => {
      for (const [column, keys] of byTable.get(table) ?? [])
        for (const [key, after] of rows) {
          const before = view.get(table, key)
          if (before?.[column] === after?.[column]) continue
          if (before) remove(keys, before[column], key)
          if (after) add(keys, after[column], key)
        }
    },
  }
}

function add(keys: Map<unknown, Keys>, value: unknown, key: string): void {
  const found = keys.get(value)
  if (found instanceof Set) found.add(key)
  else keys.set(value, found === undefined ? key : new Set([found, key]))
}

function remove(keys: Map<unknown, Keys>, value: unknown, key: string): void {
  const found = keys.get(value)
  if (found === key || (found instanceof Set && found.delete(key) && found.size === 0)) keys.delete(value)
}
