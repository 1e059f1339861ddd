// Invariant: the records on the disk, read in order, give a state that the device was in. Where a record could not be written,
// none that follows is, until the disk has been written anew. A record may be read twice, never in another order: writing the
// store anew takes in what still waits to be appended.
import { HeadwaterError } from '@headwater/protocol'
import type { Clock, Disk, DiskRecord } from '../ports.ts'

export interface Journal {
  /** Writes what can be loaded again: a frame with this many rows. Resolves also if it could not be written. */
  cache(record: DiskRecord, weight: number): Promise<void>
  /** Writes what exists nowhere else. Rejects if it is not on the disk for good. */
  keep(record: DiskRecord): Promise<void>
  /** Writes everything anew, as it is now. */
  restart(): Promise<void>
  /** Writes everything anew if the log has outgrown it, piece by piece. */
  compact(): void
  /** Resolves when nothing waits to be written. */
  flushed(): Promise<void>
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
  /** The rows as of now, to be read later. */
  readonly rows: () => Iterable<DiskRecord>
  readonly rowsHeld: () => number
}

interface Job {
  readonly records: readonly DiskRecord[]
  /** Appended, put in the place of all that is on the disk when it is `from` records long, or not at all: everything is written anew. */
  readonly type: 'cache' | 'keep' | 'restart' | { readonly from: number; readonly generation: number }
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
  // Counts how often everything was written anew: a snapshot begun before is of a log that is no more.
  let generation = 0

  /** What is called in one turn, or while the disk is at work, goes to the disk together. */
  function put(type: Job['type'], records: readonly DiskRecord[]): Promise<void> {
    return new Promise((resolve, reject) => {
      waiting.push({ type, records, resolve, reject })
      working ??= Promise.resolve().then(work)
    })
  }

  async function work(): Promise<void> {
    while (waiting.length > 0) {
      const exchange = waiting.findIndex(({ type }) => typeof type === 'object')
      const jobs = waiting.splice(0, exchange < 0 ? waiting.length : Math.max(1, exchange))
      const error = await write(jobs).then(() => null, asError)
      for (const { type, resolve, reject } of jobs) {
        if (error && type !== 'cache') reject(error)
        else resolve()
      }
    }
    working = null
  }

  async function write(jobs: readonly Job[]): Promise<void> {
    const exchange = jobs[0]?.type
    if (typeof exchange === 'object') return exchange.generation === generation ? replace(exchange.from, jobs[0]?.records ?? []) : undefined
    const isKept = jobs.some(({ type }) => type !== 'cache')
    if (!broken && jobs.every(({ type }) => type !== 'restart')) {
      const records = jobs.flatMap((job) => (job.type === 'keep' || hasRows ? job.records : []))
      count += records.length
      try {
        return await disk.append(records, { strict: isKept })
      } catch (error) {
        broken = asError(error)
      }
    } else if (!isKept) return
    await writeAnew().then(deps.onTrouble, (error) => {
      broken = asError(error)
      deps.onTrouble(broken)
      throw broken
    })
  }

  /** A disk that failed stays failed until it is opened again. If not everything fits any more, the outbox does. */
  async function writeAnew(): Promise<null> {
    await disk.close().catch(() => {})
    // What another has written meanwhile is not ours to replace.
    if (broken?.code === 'disk-blocked') throw broken
    disk = await deps.open()
    const { length } = await disk.read()
    if (length > count) throw new HeadwaterError('disk-blocked', 'This store was written by another tab or process.', 'Close the other one and start again.')
    count = length
    broken = null
    hasRows = true
    generation++
    await replace(length, [...deps.outbox(), ...deps.rows()]).catch(() => {
      hasRows = false
      return replace(length, deps.outbox())
    })
    return null
  }

  async function replace(from: number, records: readonly DiskRecord[]): Promise<void> {
    await disk.replace(from, records)
    count += records.length - from
  }

  function compact(): void {
    if (isCompacting || broken || weight <= Math.max(weightMin, deps.rowsHeld())) return
    weight = 0
    if (!hasRows) return void put('restart', []).catch(() => {})
    isCompacting = true
    // As of now: what waits to be appended is in it, and will be read once more behind it.
    const type = { from: count, generation }
    const records = [...deps.outbox()]
    const pieces = deps.rows()[Symbol.iterator]()
    const step = () => {
      if (isClosed) return
      const { done, value } = pieces.next()
      if (!done) {
        records.push(value)
        deps.clock.timer(0, step)
        return
      }
      isCompacting = false
      put(type, records).catch(deps.onTrouble)
    }
    deps.clock.timer(pauseMs, step)
  }

  const flushed = async () => {
    while (working) await working
  }

  return {
    cache: (record, rows) => {
      weight += rows
      return put('cache', [record])
    },
    keep: (record) => {
      weight++
      return put('keep', [record])
    },
    restart: () => put('restart', []),
    compact,
    flushed,
    close: async () => {
      isClosed = true
      await flushed()
      await disk.close()
    },
    wipe: () => disk.wipe(),
  }
}

const asError = (error: unknown) => (error instanceof HeadwaterError ? error : new HeadwaterError('disk', `The disk failed: ${String(error)}`))
