import type { DeviceId, UserId } from '@headwater/protocol'
import { limits } from '../limits.ts'
import type { TailSession, Transaction } from '../ports.ts'
import { readSummary, type Summary } from './large.ts'
import { blankLogRow, type LogRow, readStep, readWhole } from './log.ts'
import { type Encoders, type Net, netOf } from './net.ts'
import { settle, unsettledKeys, type Withheld } from './settle.ts'
import { type Snapshot, snapshotIn } from './snapshot.ts'
import type { StreamKey } from './stream.ts'

/** Whom a batch concerns that is more than memory should hold, beyond its changes: they read it from the log. The changes are of all other streams. */
export interface Large {
  /** Those that somebody listened to, in which too many rows changed. */
  readonly streams: ReadonlySet<StreamKey>
  /** Devices of which mutations were decided, where they are too many. */
  readonly devices: ReadonlySet<DeviceId>
  /** People whose sessions with the app may have ended; null: they are too many to be named. */
  readonly people: ReadonlySet<UserId> | null
}

/** What was read of the log in one snapshot. */
export interface Reading<Along> {
  readonly snapshot: Snapshot
  /** See `Step`. */
  readonly isDurable: boolean
  /** How many rows it has, and the sum of their hashes. */
  readonly count: number
  readonly sum: bigint
  /** Not all of them if it is large. */
  readonly rows: readonly LogRow[]
  readonly net: Net
  readonly large: Large | null
  readonly along: Along | null
}

/**
 * What else a batch needs from its own snapshot: the grants, when a table that they read has changed. Where time alone may have changed
 * them it is needed without rows as well: then the batch has nothing else, and the position stays where it was.
 */
export interface ReadAlong<Along> {
  isNeeded(rows: readonly LogRow[]): boolean
  read(transaction: Transaction, rows: readonly LogRow[]): Promise<Along>
}

interface BatchDeps<Along> {
  readonly encoders: Encoders
  readonly along: ReadAlong<Along>
  /** What devices of this server listen to, now. */
  readonly listened: () => Iterable<StreamKey>
  readonly onWithheld: (row: Withheld) => void
}

/** Most steps are one statement. Where more is needed from the same snapshot, the step is read again inside a transaction. */
export async function readBatch<Along>(tail: TailSession, since: Snapshot, deps: BatchDeps<Along>): Promise<Reading<Along>> {
  const step = await readStep(tail, since, limits.stepRowsFirst)
  if (step.isWhole && !deps.along.isNeeded(step.rows) && unsettledKeys(step.rows).size === 0) {
    return { ...step, ...sizeOf(step.rows), net: netOf(step.rows, deps.encoders), large: null, along: null }
  }
  return tail.read(async (transaction) => {
    const snapshot = await snapshotIn(transaction)
    const rows = await readWhole(transaction, since, limits.stepBytesMax)
    // Not known: it was for the first reading.
    const common = { snapshot, isDurable: false }
    if (rows === null) return { ...common, ...(await readLarge(transaction, since, deps)) }
    const net = netOf(rows, deps.encoders)
    const changes = await settle(transaction, deps, unsettledKeys(rows), net.changes, limits.stepBytesMax)
    if (changes === null) return { ...common, ...(await readLarge(transaction, since, deps)) }
    const along = deps.along.isNeeded(rows) ? await deps.along.read(transaction, rows) : null
    return { ...common, ...sizeOf(rows), rows, net: { ...net, changes }, large: null, along }
  })
}

const sizeOf = (rows: readonly LogRow[]) => ({ count: rows.length, sum: rows.reduce((total, row) => total + row.hash, 0n) })

async function readLarge<Along>(transaction: Transaction, since: Snapshot, deps: BatchDeps<Along>): Promise<Omit<Reading<Along>, 'snapshot' | 'isDurable'>> {
  const { encoders, along, listened } = deps
  const { count, sum, rows, heavy, devices, people, ...summary } = await readSummary(transaction, encoders, since, listened())
  const unknown = changedSomehow(summary)
  const net = netOf(rows, encoders)
  const barriers = namesOf(summary.emptied, encoders)
  // What is told of rows in their tables was weighed with them.
  const changes = (await settle(transaction, deps, unsettledKeys(rows), net.changes, limits.stepBytesMax)) ?? []
  return {
    count,
    sum,
    rows: [],
    net: { changes: changes.filter(({ table }) => !barriers.has(table)), outcomes: net.outcomes, cleared: [], barriers },
    large: { streams: heavy, devices, people },
    along: along.isNeeded(unknown) ? await along.read(transaction, unknown) : null,
  }
}

/** For those who work out grants: that the tables have changed, and not what. */
const changedSomehow = ({ tables, emptied }: Pick<Summary, 'tables' | 'emptied'>): readonly LogRow[] =>
  [...new Set([...tables, ...emptied])].map((table) => ({ ...blankLogRow, table, op: 'g' }))

const namesOf = (tables: Iterable<string>, encoders: Encoders): ReadonlySet<string> => new Set([...tables].flatMap((table) => encoders.get(table)?.table ?? []))
