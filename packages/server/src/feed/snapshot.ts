import { assert, HeadwaterError } from '@headwater/protocol'
import type { Transaction } from '../ports.ts'

/** A pg_snapshot: every transaction below `xmin` is visible, none from `xmax` on, and in between all but those in `running`. */
export interface Snapshot {
  readonly text: string
  readonly xmin: bigint
  readonly xmax: bigint
  readonly running: ReadonlySet<bigint>
}

const pattern = /^(\d{1,20}):(\d{1,20}):((?:\d{1,20},)*\d{1,20})?$/

/** Throws `unreadable` for what is not a snapshot: the text may come from a device. */
export function snapshotOf(text: string): Snapshot {
  const parts = pattern.exec(text)
  if (!parts) throw new HeadwaterError('unreadable', 'A cursor holds no snapshot.')
  const [xmin, xmax] = [BigInt(parts[1] ?? 0), BigInt(parts[2] ?? 0)]
  const running = new Set((parts[3] ?? '').split(',').filter(Boolean).map(BigInt))
  if (xmin > xmax) throw new HeadwaterError('unreadable', 'A cursor holds an impossible snapshot.')
  return { text, xmin, xmax, running }
}

/** Whether what transaction `xid` committed is seen in the snapshot. */
export const isVisible = (xid: bigint, { xmin, xmax, running }: Snapshot): boolean => xid < xmin || (xid < xmax && !running.has(xid))

/**
 * Whether `later` sees everything that `earlier` sees. Snapshots of one primary are ordered: each was the whole truth at one
 * moment, so of two of them one always includes the other.
 */
export function includes(later: Snapshot, earlier: Snapshot): boolean {
  if (later.xmax < earlier.xmax) return false
  for (const xid of later.running) if (isVisible(xid, earlier)) return false
  return true
}

/** The snapshot in which exactly the transactions below `xid` are visible. */
export const snapshotBelow = (xid: bigint): Snapshot => snapshotOf(`${xid}:${xid}:`)

/** The later one of two. */
export function latest(a: Snapshot, b: Snapshot): Snapshot {
  const answer = includes(a, b) ? a : b
  assert(includes(answer, a) && includes(answer, b), 'snapshots of one primary are ordered')
  return answer
}

/** That of the transaction. Rejects with `standby` on a database that does not show transactions in progress. */
export async function snapshotIn(transaction: Transaction): Promise<Snapshot> {
  const rows = await transaction.query('select pg_current_snapshot()::text as snapshot, pg_is_in_recovery() as standby')
  if (rows[0]?.standby !== false) throw new HeadwaterError('standby', 'This PostgreSQL is a standby in recovery.', 'Give Headwater the URL of the primary.')
  return snapshotOf(String(rows[0].snapshot))
}
