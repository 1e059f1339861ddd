import type { TableDefinition } from '@headwater/schema'
import type { DiskRecord } from '../ports.ts'
import { createEncoder } from './encode.ts'
import type { Page } from './packed.ts'
import type { Row, Tuple } from './row.ts'

/** Who asks for one row has all of its page made: pages of long rows have fewer. */
const rowsMax = 128
const charactersMax = 65_536

export const pageRecord = ({ texts, ...head }: Page): DiskRecord => [JSON.stringify({ page: head }), ...texts].join('\n')

/** Encoded values of a row, of the columns named. Rows with the same columns share the array. */
export interface Encoded {
  readonly names: readonly string[]
  readonly tuple: Tuple
}

/** Those of `columns` that each row has: one that is absent is not named. */
export function* encoded(definition: TableDefinition, columns: readonly string[], rows: Iterable<Row>): Iterable<Encoded> {
  const kinds = new Map<string, { readonly names: readonly string[]; readonly encode: (row: Row) => Tuple }>()
  for (const row of rows) {
    const own = columns.filter((column) => column in row)
    const kind = kinds.get(own.join()) ?? { names: own, encode: createEncoder(definition, own) }
    kinds.set(own.join(), kind)
    yield { names: kind.names, tuple: kind.encode(row) }
  }
}

/** In no order. */
export function* pagesOf(table: string, wire: readonly string[], rows: Iterable<Encoded>): Iterable<Page> {
  const gathered = new Map<readonly string[], { readonly tuples: Tuple[]; characters: number }>()
  for (const { names, tuple } of rows) {
    const page = gathered.get(names) ?? { tuples: [], characters: 0 }
    gathered.set(names, page)
    page.tuples.push(tuple)
    for (const value of tuple) if (typeof value === 'string') page.characters += value.length
    if (page.tuples.length < rowsMax && page.characters < charactersMax) continue
    gathered.delete(names)
    yield pageOf(table, wire, names, page.tuples)
  }
  for (const [names, { tuples }] of gathered) yield pageOf(table, wire, names, tuples)
}

const pageOf = (table: string, wire: readonly string[], columns: readonly string[], tuples: readonly Tuple[]): Page => ({
  table,
  size: tuples.length,
  columns,
  wire,
  texts: columns.map((_, at) => JSON.stringify(tuples.map((tuple) => tuple[at]))),
})
