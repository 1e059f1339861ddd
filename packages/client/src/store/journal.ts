// Invariant: the records on the disk, read in order, give a state that the device was in. Where a record could not be written,
// none that follows is, until the disk has been written anew. A record may be read twice, never in another order: writing the
// store anew takes in what still waits to be appended.
import { asError, type HeadwaterError } from '@headwater/protocol'
import type { Disk, DiskRecord } from '../ports.ts'

export interface Journal {
  /** Writes what can be loaded again: a frame with this many rows. Resolves also if it could not be written. */
  cache(record: DiskRecord, weight: number): Promise<void>
  /** Writes what exists nowhere else. `done` is called when it is on the disk for good, or cannot be; in the order of the calls. */
  keep(record: DiskRecord, done: (error: HeadwaterError | null) => void): void
  /** The same for what only the tab may write that leads, and must not be lost with the process alone. */
  lead(record: DiskRecord, done: () => void): void
  /** Writes everything anew, as it is now. */
  restart(): void
  /** Writes everything anew if the log has outgrown it. */
  compact(): void
  /** Resolves when nothing waits to be written. */
  settled(): Promise<void>
  close(): Promise<void>
  wipe(): Promise<void>
}

export interface JournalDeps {
  readonly open: () => Promise<Disk>
  /** What the disk said: an error, or null when it works again. */
  readonly onTrouble: (error: HeadwaterError | null) => void
  /** The header and the whole outbox, as of now. */
  readonly outbox: () => readonly DiskRecord[]
  /** The same and the rows behind it, as of one moment after the call. Rejects where what gives that cannot be fetched. */
  readonly everything: () => Promise<readonly DiskRecord[]>
  readonly rowsHeld: () => number
}

interface Job {
  readonly record: DiskRecord
  /** `anew`: not a record, but everything there is, in the place of all that is on the disk. */
  readonly type: 'cache' | 'keep' | 'lead' | 'anew'
  readonly done: (error: HeadwaterError | null) => void
}

/** A log shorter than this is never rewritten. */
const weightMin = 2_000

/** The disk was opened and read by the caller, and holds `count` records that weigh `weight` rows. */
export function createJournal(deps: JournalDeps, opened: Disk, opening: { readonly count: number; readonly weight: number }): Journal {
  let disk = opened
  let { count, weight } = opening
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
    while (waiting.length > 0) {
      let jobs = waiting
      waiting = []
      const before = broken
      const isAnew = jobs.some(({ type }) => type === 'anew')
      // What a record says is known before everything is written anew, which therefore says it too.
      if (!broken) await append(jobs).catch(toTrouble)
      if (!broken) {
        for (const { done } of jobs) done(null)
        jobs = []
        if (isAnew) await compactNow().catch(toTrouble)
        if (!broken) continue
      }
      const kept = jobs.filter(({ type }) => type === 'keep')
      for (const { type, done } of jobs) if (type !== 'keep') done(null)
      if (!before || kept.length > 0) await mend().catch(toTrouble)
      if (broken) deps.onTrouble(broken)
      for (const { done } of kept) done(broken)
    }
    working = null
  }

  const toTrouble = (error: unknown) => {
    broken = toError(error)
  }

  async function append(jobs: readonly Job[]): Promise<void> {
    const records = jobs.flatMap(({ type, record }) => (type === 'anew' || (type === 'cache' && !hasRows) ? [] : [record]))
    count += records.length
    if (records.length > 0) await disk.append(records, { strict: jobs.some(({ type }) => type === 'keep') })
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

  /** A disk that failed stays failed until it is opened again. If not everything fits any more, the outbox does. */
  async function mend(): Promise<void> {
    await disk.close().catch(() => {})
    if (broken?.code.startsWith('disk-b')) throw broken
    disk = await deps.open()
    const { length } = await disk.read()
    // What another has written meanwhile is not ours to replace.
    if (length > count) throw broken
    count = length
    await replace(await deps.everything().catch(deps.outbox)).catch(async () => {
      await replace(deps.outbox())
      hasRows = false
    })
    broken = null
    deps.onTrouble(null)
  }

  const anew = () => put('anew', '', () => {})

  function compact(): void {
    if (weight <= Math.max(weightMin, deps.rowsHeld())) return
    // Once, until it is done.
    weight = -Infinity
    anew()
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
      put('lead', record, () => done())
    },
    restart: anew,
    compact,
    settled,
    close: async () => {
      weight = -Infinity
      await settled()
      await disk.close()
    },
    wipe: () => disk.wipe(),
  }
}

const toError = (error: unknown) => asError(error, 'disk')
