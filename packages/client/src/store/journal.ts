// Invariant: the records on the disk, read in order, give a state that the device was in. Where a record could not be written,
// none that follows is, until the disk has been written anew. A record may be read twice, never in another order: writing the
// store anew takes in what still waits to be appended.
import { asError, HeadwaterError } from '@headwater/protocol'
import type { Clock, Disk, DiskRecord } from '../ports.ts'

export interface Journal {
  /** Writes what can be loaded again: a frame with this many rows. Resolves also if it could not be written. */
  cache(record: DiskRecord, weight: number): Promise<void>
  /** Writes what exists nowhere else. Rejects if it is not on the disk for good. */
  keep(record: DiskRecord): Promise<void>
  /** Writes everything anew, as it is now. */
  restart(): Promise<void>
  /** Writes everything anew, a little later, if the log has outgrown it. */
  compact(): void
  close(): Promise<void>
  wipe(): Promise<void>
}

export interface JournalDeps {
  readonly open: () => Promise<Disk>
  readonly clock: Clock
  /** What the disk said: an error, or null when it works again. */
  readonly onTrouble: (error: HeadwaterError | null) => void
  /** The header and the whole outbox, as of now. */
  readonly outbox: () => readonly DiskRecord[]
  /** The rows, as of now. */
  readonly rows: () => Iterable<DiskRecord>
  readonly rowsHeld: () => number
}

interface Job {
  readonly record: DiskRecord
  /** `anew`: not a record, but everything there is, in the place of all that is on the disk. */
  readonly type: 'cache' | 'keep' | 'anew'
  readonly resolve: () => void
  readonly reject: (error: HeadwaterError) => void
}

/** A log shorter than this is never rewritten. */
const weightMin = 2_000
const pauseMs = 200

/** The disk was opened and read by the caller, and holds `count` records that weigh `weight` rows. */
export function createJournal(deps: JournalDeps, opened: Disk, opening: { readonly count: number; readonly weight: number }): Journal {
  let disk = opened
  let { count, weight } = opening
  let broken: HeadwaterError | null = null
  // False while the disk holds the outbox alone, because there was no room for more.
  let hasRows = true
  let waiting: Job[] = []
  let working: Promise<void> | null = null
  let isCompacting = false
  let isClosed = false

  /** What is called in one turn, or while the disk is at work, goes to the disk together. */
  function put(type: Job['type'], record: DiskRecord = ''): Promise<void> {
    return new Promise((resolve, reject) => {
      waiting.push({ type, record, resolve, reject })
      working ??= Promise.resolve().then(work)
    })
  }

  async function work(): Promise<void> {
    while (waiting.length > 0) {
      const jobs = waiting
      waiting = []
      const error = await write(jobs).then(() => null, toError)
      for (const { type, resolve, reject } of jobs) {
        if (error && type === 'keep') reject(error)
        else resolve()
      }
    }
    working = null
  }

  async function write(jobs: readonly Job[]): Promise<void> {
    const has = (type: Job['type']) => jobs.some((job) => job.type === type)
    if (!broken) {
      const records = jobs.flatMap(({ type, record }) => (type === 'keep' || (type === 'cache' && hasRows) ? [record] : []))
      count += records.length
      try {
        if (records.length > 0) await disk.append(records, { strict: has('keep') })
        return has('anew') ? await replace([...deps.outbox(), ...deps.rows()]) : undefined
      } catch (error) {
        broken = toError(error)
      }
    } else if (!has('keep')) return
    try {
      await mend()
      broken = null
      deps.onTrouble(null)
    } catch (error) {
      broken = toError(error)
      deps.onTrouble(broken)
      throw broken
    }
  }

  async function replace(records: readonly DiskRecord[]): Promise<void> {
    await disk.replace(count, records)
    count = records.length
    weight = 0
    hasRows = true
  }

  /** A disk that failed stays failed until it is opened again. If not everything fits any more, the outbox does. */
  async function mend(): Promise<void> {
    await disk.close().catch(() => {})
    // What another has written meanwhile is not ours to replace.
    if (broken?.code === 'disk-blocked' || broken?.code === 'disk-behind') throw broken
    disk = await deps.open()
    const { length } = await disk.read()
    if (length > count) throw new HeadwaterError('disk-blocked', 'This store is open in another tab.', 'Close that tab and reload this one.')
    count = length
    await replace([...deps.outbox(), ...deps.rows()]).catch(async () => {
      await replace(deps.outbox())
      hasRows = false
    })
  }

  function compact(): void {
    if (isCompacting || weight <= Math.max(weightMin, deps.rowsHeld())) return
    isCompacting = true
    deps.clock.timer(pauseMs, () => {
      isCompacting = false
      if (!isClosed) put('anew')
    })
  }

  return {
    cache: (record, rows) => {
      weight += rows
      return put('cache', record)
    },
    keep: (record) => {
      weight++
      return put('keep', record)
    },
    restart: () => put('anew'),
    compact,
    close: async () => {
      isClosed = true
      while (working) await working
      await disk.close()
    },
    wipe: () => disk.wipe(),
  }
}

const toError = (error: unknown) => asError(error, 'disk')
