// Whom changed rows concern, by what the grants read. Pure: the database is asked only about these.
import type { Json } from '@headwater/protocol'
import type { LogRow } from '../feed/log.ts'
import { limits } from '../limits.ts'
import type { Relation, TableRead } from './relation.ts'

/** Of one kind. Keys and people are as SQL's text has them. */
export interface Affected {
  isEverybody: boolean
  /** All that these people hold of the kind. */
  readonly users: Set<string>
  /** Everybody's share in these. */
  readonly keys: Set<string>
  /** These people's share in these keys. */
  readonly pairUsers: Set<string>
  readonly pairKeys: Set<string>
}

/** By kind, only the kinds concerned. */
export function affectedBy(rows: readonly LogRow[], relations: readonly Relation[]): ReadonlyMap<string, Affected> {
  const affected = new Map<string, Affected>()
  const readers = readersOf(relations)
  for (const row of rows) {
    const readBy = row.table === null || row.op === 'm' ? [] : (readers.get(row.table) ?? [])
    const open = readBy.filter(({ kind }) => affected.get(kind)?.isEverybody !== true)
    if (open.length === 0) continue
    const images = imagesOf(row)
    for (const { kind, read } of open) {
      if (!isTouched(row, images, read)) continue
      const one = affected.get(kind) ?? { isEverybody: false, users: new Set(), keys: new Set(), pairUsers: new Set(), pairKeys: new Set() }
      affected.set(kind, one)
      add(one, images, read)
    }
  }
  return affected
}

/** By SQL name of a table, the kinds that read it. */
function readersOf(relations: readonly Relation[]): ReadonlyMap<string, readonly { readonly kind: string; readonly read: TableRead }[]> {
  const readers = new Map<string, { kind: string; read: TableRead }[]>()
  for (const { kind, reads } of relations) for (const read of reads) readers.set(read.table, [...(readers.get(read.table) ?? []), { kind, read }])
  return readers
}

/** A row before and after, by SQL names, as far as the log has it. */
interface Images {
  readonly before: Readonly<Record<string, Json>> | null
  readonly after: Readonly<Record<string, Json>> | null
}

function imagesOf({ op, old, new: now }: LogRow): Images {
  const before = old === null ? null : JSON.parse(old)
  const after = now === null ? null : JSON.parse(now)
  // Of an update the log has what was different before.
  return op === 'u' ? { before: { ...after, ...before }, after } : { before, after }
}

function isTouched(row: LogRow, { before, after }: Images, { columns }: TableRead): boolean {
  // A table that only grants read logs a row only if a column that they read has changed.
  if (row.op !== 'u' || before === null || after === null) return true
  const changed = new Set(Object.keys(JSON.parse(row.old ?? '{}')))
  return columns.some((column) => changed.has(column))
}

function add(one: Affected, { before, after }: Images, { user, key }: TableRead): void {
  const images = [before, after].filter((image) => image !== null)
  const columns = [...user, ...key]
  const isUnknown = images.length === 0 || columns.length === 0 || images.some((image) => columns.some((column) => !Object.hasOwn(image, column)))
  const isPair = user.length > 0 && key.length > 0
  for (const image of isUnknown ? [] : images) {
    for (const column of user) collect(isPair ? one.pairUsers : one.users, image[column])
    for (const column of key) collect(isPair ? one.pairKeys : one.keys, image[column])
  }
  one.isEverybody = isUnknown || one.users.size + one.keys.size + one.pairUsers.size + one.pairKeys.size > limits.affectedMax
}

function collect(values: Set<string>, value: Json | undefined): void {
  if (value !== null && value !== undefined) values.add(String(value))
}
