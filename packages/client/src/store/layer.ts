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
  rowsIn(layer, table).set(key, row)
}

export function rowsIn(layer: Layer, table: string): Map<string, Row | null> {
  let rows = layer.get(table)
  if (rows === undefined) {
    rows = new Map()
    layer.set(table, rows)
  }
  return rows
}

export function merge(into: Layer, layer: Layer): void {
  for (const [table, rows] of layer) {
    const to = rowsIn(into, table)
    for (const [key, row] of rows) to.set(key, row)
  }
}

const rowName = (table: string, key: string): string => `${table} ${key}`

/** A name for each row that the layer has something to say of. */
export const rowNames = (layer: Layer): readonly string[] => [...layer].flatMap(([table, rows]) => [...rows.keys()].map((key) => rowName(table, key)))

export const copyOf = (layer: Layer): Layer => new Map([...layer].map(([table, rows]) => [table, new Map(rows)]))
