import { type Cursor, cursor, type DatabaseId, databaseId, HeadwaterError, type HistoryId, historyId } from '@headwater/protocol'
import type { Transaction } from '../ports.ts'
import { readFingerprint, textOf } from './fingerprints.ts'
import { includes, type Snapshot, snapshotOf } from './snapshot.ts'

/** Which database, and which unbroken past of it. */
export interface Identity {
  readonly database: DatabaseId
  readonly history: HistoryId
}

/** A place in the log that can be checked: the snapshot, and the fingerprint of the log between an earlier one and it. */
export interface Position {
  readonly snapshot: Snapshot
  readonly since: Snapshot
  readonly count: bigint
  readonly sum: bigint
}

export const cursorOf = ({ database, history }: Identity, { snapshot, since, count, sum }: Position): Cursor =>
  cursor([database, history, snapshot.text, since.text, count, sum].join(' '))

/** Throws `unreadable`: a cursor comes from a device, and may be anything. */
export function readCursor(text: Cursor): { readonly identity: Identity; readonly position: Position } {
  const [database, history, snapshot, since, count, sum, ...more] = text.split(' ')
  if (!database || !history || !snapshot || !since || !/^\d{1,20}$/.test(count ?? '') || !/^-?\d{1,40}$/.test(sum ?? '') || more.length > 0) {
    throw new HeadwaterError('unreadable', 'A cursor has not the form of one.')
  }
  return {
    identity: { database: databaseId(database), history: historyId(history) },
    position: { snapshot: snapshotOf(snapshot), since: snapshotOf(since), count: BigInt(count ?? 0), sum: BigInt(sum ?? 0) },
  }
}

/** What the resume check found. Anything but `ok` means: load again, keep the outbox. */
export type Resume = 'ok' | 'unreadable' | 'history' | 'ahead' | 'pruned' | 'fingerprint'

/**
 * Whether a cursor continues the past of this database, judged in the transaction's snapshot `now`.
 * The database may have been restored, forked, rewound or crashed back since the device saw it. `hasFingerprint` may remember what it has read.
 */
export async function checkCursor(
  transaction: Transaction,
  text: Cursor,
  mine: Identity,
  now: Snapshot,
  hasFingerprint = readsFingerprint,
): Promise<{ readonly resume: Resume; readonly position: Position | null }> {
  const read = tryCursor(text)
  if (read === null) return { resume: 'unreadable', position: null }
  const { identity, position } = read
  const answer = async (): Promise<Resume> => {
    if (identity.database !== mine.database || identity.history !== mine.history) return 'history'
    if (!includes(now, position.snapshot)) return 'ahead'
    if (position.since.xmin < (await floorOf(transaction))) return 'pruned'
    return (await hasFingerprint(transaction, position)) ? 'ok' : 'fingerprint'
  }
  return { resume: await answer(), position }
}

async function floorOf(transaction: Transaction): Promise<bigint> {
  const rows = await transaction.query('select floor::text as floor from headwater.identity')
  return BigInt(String(rows[0]?.floor))
}

const readsFingerprint = async (transaction: Transaction, position: Position) => (await readFingerprint(transaction, position)) === textOf(position)

/** null: it is none. */
export function tryCursor(text: string): ReturnType<typeof readCursor> | null {
  try {
    return readCursor(cursor(text))
  } catch (error) {
    if (error instanceof HeadwaterError && error.code === 'unreadable') return null
    throw error
  }
}
