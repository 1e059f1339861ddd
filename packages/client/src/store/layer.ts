// Layers lie above rows and hide them: the overlay above the confirmed rows, a draft above the overlay.
import type { QueryDefinition } from '@headwater/schema'
import type { Row } from './row.ts'

/** Rows whose column has one of the values. */
export interface Among {
  readonly column: string
  readonly values: ReadonlySet<unknown>
}

/** What can be read: by key, or all rows of a table in no order, or those among them. */
export interface View {
  get(table: string, key: string): Row | undefined
  /** With a query, no more of a row may be there than it looks at: `whole` has the row. */
  each(table: string, run: (row: Row, key: string) => void, among?: Among | null, asked?: QueryDefinition): void
}

/** Per table and key the row above, or null where the row below is deleted. */
export type Layer = Map<string, Map<string, Row | null>>

/** What is seen from above the layer, whichever it is at the time. `reads`: takes the names of rows that were looked for below, and of tables where it was more than one. */
export function over(below: View, layer: () => Layer, reads?: string[]): View {
  return {
    get: (table, key) => {
      const above = layer().get(table)?.get(key)
      if (above !== undefined) return above ?? undefined
      reads?.push(rowName(table, key))
      return below.get(table, key)
    },
    each: (table, run, among, asked) => {
      reads?.push(table)
      const rows = layer().get(table)
      below.each(table, rows?.size ? (row, key) => !rows.has(key) && run(row, key) : run, among, asked)
      rows?.forEach((row, key) => row && (!among || among.values.has(row[among.column])) && run(row, key))
    },
  }
}

export function setIn(layer: Layer, table: string, key: string, row: Row | null): void {
  within(layer, table).set(key, row)
}

/** The map in there, which is made if there is none. */
export function within<K, L, V>(maps: Map<K, Map<L, V>>, key: K): Map<L, V> {
  const map = maps.get(key) ?? new Map<L, V>()
  maps.set(key, map)
  return map
}

/** Answers the first, which has the rows of the other now. */
export function merge(into: Layer, layer: Layer): Layer {
  for (const [table, rows] of layer) for (const [key, row] of rows) setIn(into, table, key, row)
  return into
}

const rowName = (table: string, key: string): string => `${table} ${key}`

/** A name for each row that the layer has something to say of. */
export const rowNames = (layer: Layer): readonly string[] => [...layer].flatMap(([table, rows]) => [...rows.keys()].map((key) => rowName(table, key)))
