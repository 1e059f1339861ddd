import type { Json } from '@headwater/protocol'
import { encodeValue, isPlain, type TableDefinition } from '@headwater/schema'
import type { Row, Tuple } from './row.ts'

/** Makes the encoded form of rows that were decoded before, for the disk. Values are not checked again. */
export function createEncoder(table: TableDefinition, names: readonly string[]): (row: Row) => Tuple {
  const parts = names.map((name) => ({ name, column: table.columns[name] }))
  return (row) =>
    parts.map(({ name, column }) => {
      const value = row[name] ?? null
      // A plain value is its own encoding.
      return value === null || column === undefined || isPlain(column) ? (value as Json) : encodeValue(column, value, name)
    })
}
