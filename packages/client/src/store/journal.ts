// Invariant: the records on the disk, read in order, give a state that the device was in. Where a record could not be written,
// none that follows is, until the disk has been written anew. A record may be read twice, never in another order: writing the
// store anew takes in what still waits to be appended.
import { asError, type HeadwaterError, type Welcome } from '@headwater/protocol'
import type { Disk, DiskRecord } from '../ports.ts'
import type { mend } from './mend.ts'

export interface Journal {
  /** Writes what can be loaded again: a frame with this many rows. Resolves also if it could not be written. */
  cache(record: DiskRecord, weight: number): Promise<void>
  /** Writes what exists nowhere else. `done` is called when it is on the disk for good, or cannot be; in the order of the calls. */
  keep(record: DiskRecord, done: (error: HeadwaterError | null) => void): void
  /** The same for what only the tab may write that leads, and must not be lost with the process alone. */
  lead(record: DiskRecord, done: (isRefused?: boolean) => void): void
  /** Writes everything anew, as it is now. */
  restart(): void
  /** Writes everything anew if the log has outgrown it. */
  compact(): void
  /** Resolves when nothing waits to be written. */
  settled(): Promise<void>
  close(): Promise<void>
  wipe(): Promise<void>
  /** Writes nothing more. Resolves when nothing is under way any more: with the disk, and what is not on it. */
  handOver(): Promise<Handed>
}

/** What a journal goes on with. */
export interface Handed {
  readonly disk: Disk
  readonly waiting: readonly Job[]
  /** How many rows the log weighs. */
  readonly weight: number
  /** False: the disk holds the outbox alone, because there was no room for more. */
  readonly hasRows?: boolean
  readonly deps: JournalDeps
}

/** A disk that was opened and read. */
export interface Begun extends Handed {
  /** How many records are on it. */
  readonly count: number
}

export interface JournalDeps {
  /** Another wrote. Not null: somebody takes the disk over who can hear what. */
  readonly share: () => Promise<object | null>
  readonly open: () => Promise<Disk>
  readonly later: () => Promise<{ readonly mend: typeof mend }>
  /** What the disk said: an error, or null when it works again. */
  readonly onTrouble: (error: HeadwaterError | null) => void
  /** The header and the whole outbox, as of now. */
  readonly outbox: () => readonly DiskRecord[]
  /** The same and the rows behind it, as of one moment after the call. Rejects where what gives that cannot be fetched. */
  readonly everything: (outbox?: () => readonly DiskRecord[], welcome?: Welcome | null) => Promise<readonly DiskRecord[]>
  readonly rowsHeld: () => number
}

export interface Job {
  /** '': not a record, but everything there is, in the place of all that is on the disk. */
  readonly record: DiskRecord
  /** `anew`: what is on the disk is not what it replaces; `compact`: it says the same. */
  readonly type: 'cache' | 'keep' | 'lead' | 'anew' | 'compact'
  readonly done: (error: HeadwaterError | null, isRefused?: boolean) => void
}

/** A log shorter than this is never rewritten. */
const weightMin = 2_000

export function createJournal({ deps, ...begun }: Begun): Journal {
  let { disk, count, weight } = begun
  let broken: HeadwaterError | null = null
  // False while the disk holds the outbox alone, because there was no room for more.
  let hasRows = true
  let waiting: Job[] = []
  let working: Promise<void> | null = null

  /** What is called in one turn, or while the disk is at work, goes to the disk together. */
  function put(type: Job['type'], record: DiskRecord, done: Job['done']): void {
    waiting.push({ type, record, done })
    working ??= Promise.resolve().then(work)
  }

  async function work(): Promise<void> {
    while (waiting.length) {
      let jobs = waiting
      waiting = []
      const before = broken
      // What a record says is known before everything is written anew, which therefore says it too.
      if (!broken) await append(jobs).catch(toTrouble)
      if (!broken) {
        for (const { done } of jobs) done(null)
        jobs = jobs.filter(({ record }) => !record)
        if (jobs.length) await compactNow().catch(toTrouble)
        if (!broken) continue
      }
      if (broken.code === 'disk-behind' && (await deps.share())) {
        waiting = [...jobs, ...waiting]
        break
      }
      const kept = jobs.filter(({ type }) => type === 'keep')
      for (const { type, done } of jobs) if (type !== 'keep') done(null)
      if (!before || kept.length > 0) await mendNow().catch(toTrouble)
      if (broken) deps.onTrouble(broken)
      for (const { done } of kept) done(broken)
    }
    working = null
  }

  const toTrouble = (error: unknown) => {
    broken = asError(error, 'disk')
  }

  async function append(jobs: readonly Job[]): Promise<void> {
    const records = jobs.flatMap(({ type, record }) => (record && (hasRows || type !== 'cache') ? [record] : []))
    count += records.length
    if (records.length) await disk.append(records, { strict: jobs.some(({ type }) => type === 'keep'), mayFollow: (missed) => !missed.length })
  }

  async function replace(records: readonly DiskRecord[]): Promise<void> {
    await disk.replace(records)
    count = records.length
    hasRows = true
  }

  async function compactNow(): Promise<void> {
    const records = await deps.everything().catch(() => null)
    weight = 0
    if (records) await replace(records)
  }

  /** A disk that failed stays failed until it is opened again. */
  async function mendNow(): Promise<void> {
    const mended = await (await deps.later()).mend(disk, broken, count, deps)
    ;({ disk, count, hasRows } = mended)
    broken = null
    deps.onTrouble(null)
  }

  function compact(): void {
    if (weight <= Math.max(weightMin, deps.rowsHeld())) return
    // Once, until it is done.
    weight = -Infinity
    put('compact', '', () => {})
  }

  async function settled(): Promise<void> {
    while (working) await working
  }

  return {
    cache: (record, rows) => {
      weight += rows
      return new Promise((resolve) => put('cache', record, () => resolve()))
    },
    keep: (record, done) => {
      weight++
      put('keep', record, done)
    },
    lead: (record, done) => {
      weight++
      put('lead', record, (_, isRefused) => done(isRefused))
    },
    restart: () => put('anew', '', () => {}),
    compact,
    settled,
    close: async () => {
      weight = -Infinity
      await settled()
      await disk.close()
    },
    wipe: () => disk.wipe(),
    handOver: async () => {
      await settled()
      return { disk, waiting, weight, deps, hasRows }
    },
  }
}
