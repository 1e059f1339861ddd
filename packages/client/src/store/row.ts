// Rows in memory: immutable plain objects in their JavaScript form, all of one table with the same members in the same order. Only
// columns that the person may not see are absent.
import { HeadwaterError, type Json } from '@headwater/protocol'
import { decodeValue, equalJson, type TableDefinition } from '@headwater/schema'

export type Row = Readonly<Record<string, unknown>>
export type Tuple = readonly Json[]
/** Which of the columns that a welcome names a row has, by their place there; null: all of them. */
export type Places = readonly number[] | null

/** What names a row in memory: the text of a key that is one text, otherwise the JSON of the encoded key. */
export const keyOfTuple = (tuple: Tuple): string => (tuple.length === 1 && typeof tuple[0] === 'string' ? tuple[0] : JSON.stringify(tuple))

export function keyOfRow(table: TableDefinition, row: Row): string {
  const only = row[table.key[0] ?? '']
  if (typeof only === 'string' && table.key.length === 1) return only
  // A key's column is a text, a number or a bigint (the schema saw to it), and only a bigint is encoded as something else.
  return keyOfTuple(table.key.map((column) => (typeof row[column] === 'bigint' ? String(row[column]) : (row[column] as Json))))
}

/**
 * Makes rows of what the wire brings. Columns are matched by name: one that this build does not know is ignored, one that the server does not
 * know is null, and one that is not among the places is absent. The answer throws `corrupt` for what is not a row of the table.
 */
export function createDecoder(table: TableDefinition, wire: readonly string[], places: Places = null): (values: Tuple) => Row {
  const sent = places?.map((place) => wire[place]) ?? wire
  const parts = Object.entries(table.columns)
    .filter(([name]) => sent.includes(name) || !wire.includes(name))
    .map(([name, column]) => ({ name, column, at: sent.indexOf(name) }))
  return (values) => {
    if (values.length !== sent.length) throw corrupt()
    const row: Record<string, unknown> = {}
    for (const { name, column, at } of parts) row[name] = decodeValue(column, values[at] ?? null)
    for (const name of table.key) if (row[name] === undefined || typeof row[name] === 'object') throw corrupt()
    return row
  }
}

/** The row of which a view has given a part. Only packed rows have something under this name. */
export const whole = (row: Row): Row => (row[''] as ((part: Row) => Row) | undefined)?.(row) ?? row

export function areEqualRows(a: Row, b: Row): boolean {
  // What is absent on one side is not equal to anything on the other, a null included.
  for (const name in a) if (!areEqual(a[name], b[name])) return false
  for (const name in b) if (!(name in a)) return false
  return true
}

export const areEqual = (a: unknown, b: unknown): boolean => Object.is(a, b) || (typeof a === 'object' && typeof b === 'object' && equalJson(a, b))

const corrupt = () => new HeadwaterError('corrupt', 'Not of its table.')
