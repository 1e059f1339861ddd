// Where a load stopped, as a device keeps it: the place behind the last piece that it has, and the snapshot up to which what it has is right.
import { createHash } from 'node:crypto'
import { type Cursor, cursor, type Json } from '@headwater/protocol'
import type { Schema } from '@headwater/schema'
import type { Held } from '../feed/columns.ts'
import type { Place } from '../scopes/load.ts'

export interface Mark {
  /** The number of the load: its pieces have it, those that came and those to come. */
  readonly load: number
  /** What is loaded; see `digestOf`. */
  readonly digest: string
  readonly cursor: Cursor
  readonly place: Place
}

export const markText = ({ load, digest, cursor, place }: Mark): string => JSON.stringify([load, digest, cursor, place.pass, place.after])

/** A device that says it has come further is not believed. */
const loadMax = 1_000_000_000

/** null: not a mark. It comes from a device, and may be anything; what is wrong in it can only hurt that device. */
export function readMark(text: string): Mark | null {
  try {
    const [load, digest, at, pass, after]: Json[] = JSON.parse(text)
    const place = { pass: Number(pass), after: Array.isArray(after) ? after : null }
    if (!(Number(load) < loadMax) || typeof digest !== 'string' || typeof at !== 'string') return null
    return { load: Number(load), digest, cursor: cursor(at), place }
  } catch {
    return null
  }
}

/** Two loads with the same digest bring the same rows of one snapshot in the same order: their streams are the same, what these show, and the columns of all tables. */
export function digestOf(schema: Schema, held: Held): string {
  const tables = Object.entries(schema.definitions).map(([name, { columns, key, memberships }]) => [name, Object.keys(columns), key, memberships])
  return createHash('sha256')
    .update(JSON.stringify([tables, [...held].map(([stream, set]) => [stream, set.name]).sort()]))
    .digest('base64url')
}
