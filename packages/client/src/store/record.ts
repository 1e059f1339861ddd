// What lies on the disk is the conversation: the frames that the server sent (welcome, load, checkpoint), as they came, and
// between them records of the outbox. Reading a store is hearing the conversation again.
//
// Invariant: rows, cursor, and what became of mutations change in one record, because they come in one frame. Loads become
// visible with the checkpoint that names them; a welcome drops those that no checkpoint named.
import {
  check,
  count,
  type Down,
  decodeDown,
  HeadwaterError,
  type Infer,
  json,
  type MutationId,
  mutationFields,
  nullable,
  type Outcome,
  object,
  type Shape,
  text,
} from '@headwater/protocol'
import * as limits from '@headwater/protocol/limits'
import type { SetAside } from '../api.ts'
import type { DiskRecord } from '../ports.ts'

/**
 * The format of these records. A store of a newer one is not opened: an older app must not touch what it cannot read. One of an older format is written anew by
 * the tab that leads, before anything is written that only the newer one has. It is a number to the compiler, so that what is for a later one may stand here.
 */
export const formatVersion: number = 1

export const headerRecord: DiskRecord = `{"headwater":${formatVersion}}`

const anyText = text(Infinity)

const identity = object({
  device: text(limits.idLengthMax),
  /** The database that the device was welcomed by; null before the first time. */
  database: nullable(text(limits.idLengthMax)),
  nonce: nullable(text(limits.idLengthMax)),
  /** Every mutation up to this number is settled. */
  confirmed: count,
})
/** Whose outbox it is. */
export type Identity = Infer<typeof identity>

const id = text<MutationId>(limits.idLengthMax)
/** As it travels, and the refused mutation that it builds on, as far as is known. */
const made = object({ ...mutationFields, after: nullable(id) })
/** Its number is 0 until it has one, which may be sent. */
export type Made = { -readonly [K in keyof Infer<typeof made>]: Infer<typeof made>[K] }

const setAside = object({ id, name: anyText, args: json, code: anyText, reason: anyText, at: anyText, after: nullable(id) })

/** What happened to the outbox. With an identity, the record says all there is, and takes the place of what was before. */
export interface OutboxRecord {
  readonly identity?: Identity | undefined
  /** Put at the end; of one that is there, what it builds on. */
  readonly made?: readonly Made[]
  /** So many of those that have no number get the next ones: from then on they may be sent. */
  readonly numbered?: number | undefined
  /** Of those made, they are set aside. */
  readonly setAside?: readonly SetAside[]
  /** Confirmed, and remembered for a database that loses them. */
  readonly past?: Made[]
  /** Given up, or tried again. */
  readonly discarded?: readonly MutationId[]
  /** The tab that leads from now on: the only one that may give numbers, and write what comes from the server. */
  readonly leader?: string
  /** Whose outbox it is from now on: those that have a number get another, behind those made, which have one. */
  readonly forked?: Identity | undefined
}

/** null: the header, of a format that can be read, or what only an eviction reads. */
export type Entry = null | { readonly type: 'outbox'; readonly outbox: OutboxRecord; readonly isWhole: boolean } | Down

/** Which scopes were used when: written and read by `leastRecentlyUsed`. */
export const usesMark = '{"uses":'

const outboxMark = '{"outbox":'

export const outboxRecord = (outbox: OutboxRecord): DiskRecord => `${outboxMark}${JSON.stringify(outbox)}}`

/** A mutation as it is kept for the person after it was refused. */
export const setAsideOf = ({ number: _, ...made }: Made, { code, reason }: Pick<Outcome, 'code' | 'reason'>): SetAside => ({
  ...made,
  code: code ?? 'refused',
  reason: reason ?? '',
})

/** Throws `malformed` for what cannot be read, and `store-version` for what a newer app wrote. An outbox record gives whatever of it is whole. */
export function parseRecord(record: DiskRecord): Entry {
  if (record.startsWith('{"headwater":')) return parseHeader(record)
  if (record.startsWith(usesMark)) return null
  if (!record.startsWith(outboxMark)) return decodeDown(record)
  const { outbox } = JSON.parse(record)
  let isWhole = true
  const keep = <T>(items: unknown, shape: Shape<T>): T[] =>
    Object.values(Object(items)).flatMap((item) => {
      try {
        return [check(shape, item)]
      } catch {
        isWhole = false
        return []
      }
    })
  const one = <T>(item: unknown, shape: Shape<T>) => keep(item && [item], shape)[0]
  const parsed = {
    identity: one(outbox.identity, identity),
    forked: one(outbox.forked, identity),
    numbered: one(outbox.numbered, count),
    made: keep(outbox.made, made),
    past: keep(outbox.past, made),
    setAside: keep(outbox.setAside, setAside),
    discarded: keep(outbox.discarded, id),
  }
  return { type: 'outbox', outbox: parsed, isWhole }
}

function parseHeader(record: DiskRecord): Entry {
  const { headwater } = JSON.parse(record)
  if (headwater <= formatVersion) return null
  throw new HeadwaterError('store-version', `Store format ${headwater}.`, 'Reload the page.')
}

/** How many rows a frame brings or takes, and itself. */
export function weightOf(frame: Down): number {
  if (frame.type === 'load') return frame.rows.length
  let weight = 1
  const tables = frame.type === 'checkpoint' ? frame.tables.values() : []
  for (const { gone, put, parts } of tables) for (const { length } of [gone, put, ...(parts ?? []).map((part) => part.put)]) weight += length
  return weight
}
