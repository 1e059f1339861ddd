import type { Transaction } from '../ports.ts'
import type { Position } from './cursor.ts'
import { fingerprintStatement, xidBack } from './log.ts'
import { type Snapshot, snapshotBelow } from './snapshot.ts'

/** A fingerprint covers at least this many rows of the log, where there are as many. */
const fingerprintRowsMin = 64

interface Passed {
  readonly from: Snapshot
  readonly count: number
  readonly sum: bigint
}

/** Where a feed is, with what it needs to fingerprint the log behind it without asking the database. */
export interface Track {
  readonly snapshot: Snapshot
  /** Steps behind the position, oldest first. */
  readonly passed: readonly Passed[]
}

/** Starts at a snapshot, with the fingerprint of the last rows behind it. `transaction` is at that snapshot. */
export async function trackFrom(transaction: Transaction, snapshot: Snapshot): Promise<Track> {
  const from = snapshotBelow(await xidBack(transaction, fingerprintRowsMin))
  const { text, parameters } = fingerprintStatement(from, snapshot)
  const rows = await transaction.query(text, parameters)
  return { snapshot, passed: [{ from, count: Number(rows[0]?.count), sum: BigInt(String(rows[0]?.sum)) }] }
}

/** The track after a step that brought rows. Steps that the fingerprint no longer needs are forgotten. */
export function advance(track: Track, snapshot: Snapshot, step: Omit<Passed, 'from'>): Track {
  const passed = [...track.passed, { from: track.snapshot, count: step.count, sum: step.sum }]
  let covered = passed.reduce((total, step) => total + step.count, 0)
  while (passed.length > 1 && covered - (passed[0]?.count ?? 0) >= fingerprintRowsMin) covered -= passed.shift()?.count ?? 0
  return { snapshot, passed }
}

export function positionOf({ snapshot, passed }: Track): Position {
  const count = passed.reduce((total, step) => total + step.count, 0)
  const sum = passed.reduce((total, step) => total + step.sum, 0n)
  return { snapshot, since: passed[0]?.from ?? snapshot, count: BigInt(count), sum }
}
