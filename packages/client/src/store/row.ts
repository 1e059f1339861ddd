// Rows in memory: immutable plain objects in their JavaScript form, all of one table with the same members in the same order.
import { HeadwaterError, type Json } from '@headwater/protocol'
import { decodeValue, encodeValue, equalJson, isPlain, type TableDefinition } from '@headwater/schema'

export type Row = Readonly<Record<string, unknown>>
export type Tuple = readonly Json[]

/** What names a row in memory: the text of a key that is one text, otherwise the JSON of the encoded key. */
export const keyOfTuple = (tuple: Tuple): string => (tuple.length === 1 && typeof tuple[0] === 'string' ? tuple[0] : JSON.stringify(tuple))

export function keyOfRow(table: TableDefinition, row: Row): string {
  const only = row[table.key[0] ?? '']
  if (typeof only === 'string' && table.key.length === 1) return only
  // A key's column is a text, a number or a bigint (the schema saw to it), and only a bigint is encoded as something else.
  return keyOfTuple(table.key.map((column) => (typeof row[column] === 'bigint' ? String(row[column]) : (row[column] as Json))))
}

/**
 * Makes rows of what the wire brings. Columns are matched by name: one that this build does not know is ignored, one that does
 * not come is null. The answer throws `corrupt` for what is not a row of the table.
 */
export function createDecoder(table: TableDefinition, wire: readonly string[]): (values: Tuple) => Row {
  const parts = Object.entries(table.columns).map(([name, column]) => ({ name, column, at: wire.indexOf(name), isPlain: isPlain(column) }))
  return (values) => {
    if (values.length !== wire.length) throw corrupt()
    const row: Record<string, unknown> = {}
    for (const { name, column, at, isPlain } of parts) {
      const encoded = at < 0 ? null : (values[at] ?? null)
      row[name] = isPlain || encoded === null ? encoded : decodeValue(column, encoded)
    }
    for (const name of table.key) if (row[name] === null || typeof row[name] === 'object') throw corrupt()
    return row
  }
}

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

export function areEqualRows(a: Row, b: Row): boolean {
  for (const name in a) if (!areEqual(a[name], b[name])) return false
  return true
}

export const areEqual = (a: unknown, b: unknown): boolean => Object.is(a, b) || (typeof a === 'object' && typeof b === 'object' && equalJson(a, b))

const corrupt = () => new HeadwaterError('corrupt', 'A row that is not of its table was left out.')
