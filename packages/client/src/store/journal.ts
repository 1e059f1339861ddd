// Invariant: the records on the disk, read in order, give a state that the device was in. Where a record could not be written,
// none that follows is, until the disk has been written anew.
import { HeadwaterError } from '@headwater/protocol'
import type { Clock, Disk, DiskRecord } from '../ports.ts'

export interface Journal {
  /** Writes what can be loaded again: a frame with this many rows. Skipped while the disk does not work. */
  cache(record: DiskRecord, weight: number): Promise<void>
  /** Writes what exists nowhere else. Rejects if it is not on the disk for good. */
  keep(record: DiskRecord): Promise<void>
  /** Takes the place of everything: the outbox alone, without rows. */
  restart(): Promise<void>
  /** Writes the store anew if the log has outgrown it, piece by piece. */
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
  /** The rows as of now, to be read later. */
  readonly rows: () => Iterable<DiskRecord>
  readonly rowsHeld: () => number
}

/** A log shorter than this is never rewritten. */
const weightMin = 2_000
const pauseMs = 200

/** The disk was opened and read by the caller, and holds `count` records that weigh `weight` rows. */
export function createJournal(deps: JournalDeps, opened: Disk, count: number, weight: number): Journal {
  let disk = opened
  let broken: HeadwaterError | null = null
  let mending: Promise<void> | null = null
  let mendingAgain: Promise<void> | null = null
  // False while the disk holds the outbox alone, because there was no room for more.
  let hasRows = true
  let compacting: (() => void) | null = null
  let isClosed = false

  async function append(record: DiskRecord, strict: boolean): Promise<void> {
    // What the record says is part of the state that is written anew; if that was already under way, it is written once more.
    if (mending) return mendAgain(mending)
    if (broken) return mend()
    count++
    try {
      await disk.append([record], { strict })
    } catch (error) {
      broken = asError(error)
      return mend()
    }
  }

  function mend(): Promise<void> {
    mending ??= writeAnew()
      .then(() => deps.onTrouble(null))
      .catch((error) => {
        broken = asError(error)
        deps.onTrouble(broken)
        throw broken
      })
      .finally(() => {
        mending = null
      })
    return mending
  }

  function mendAgain(running: Promise<void>): Promise<void> {
    mendingAgain ??= running
      .catch(() => {})
      .then(() => {
        mendingAgain = null
        return mend()
      })
    return mendingAgain
  }

  /** A disk that failed stays failed until it is opened again. If not everything fits any more, the outbox does. */
  async function writeAnew(): Promise<void> {
    await disk.close().catch(() => {})
    if (isClosed) throw broken ?? new HeadwaterError('closed', 'The client is closed.')
    // What another has written meanwhile is not ours to replace.
    if (broken?.code === 'disk-blocked') throw broken
    disk = await deps.open()
    const { length } = await disk.read()
    if (length > count) throw new HeadwaterError('disk-blocked', 'This store was written by another tab or process.', 'Close the other one and start again.')
    const replace = (records: readonly DiskRecord[]) => {
      broken = null
      count = records.length
      weight = 0
      return disk.replace(length, records)
    }
    hasRows = true
    await replace([...deps.outbox(), ...deps.rows()]).catch(() => {
      hasRows = false
      return replace(deps.outbox())
    })
  }

  function compact(): void {
    if (compacting || broken || weight <= Math.max(weightMin, deps.rowsHeld())) return
    const [replaced, records] = [count, [...deps.outbox()]]
    const pieces = deps.rows()[Symbol.iterator]()
    weight = 0
    const step = () => {
      compacting = null
      // What was read so far is of a state that may have been written anew meanwhile.
      if (broken || mending || count < replaced) return
      const { done, value } = pieces.next()
      if (done) exchange(replaced, records)
      else {
        records.push(value)
        compacting = deps.clock.timer(0, step)
      }
    }
    compacting = deps.clock.timer(pauseMs, step)
  }

  function exchange(replaced: number, records: readonly DiskRecord[]): void {
    count += records.length - replaced
    disk.replace(replaced, records).catch((error) => {
      count -= records.length - replaced
      deps.onTrouble(asError(error))
    })
  }

  return {
    cache: (record, rows) => {
      weight += rows
      return (broken && !mending) || !hasRows ? Promise.resolve() : append(record, false)
    },
    keep: (record) => {
      weight++
      return append(record, true)
    },
    restart: async () => {
      compacting?.()
      compacting = null
      broken ??= new HeadwaterError('disk', 'The disk is written anew.')
      await mend()
    },
    compact,
    close: async () => {
      compacting?.()
      await mending?.catch(() => {})
      isClosed = true
      await disk.close()
    },
    wipe: () => disk.wipe(),
  }
}

const asError = (error: unknown) =>
  error instanceof HeadwaterError ? error : new HeadwaterError('disk', `The disk failed: ${String(error)}`, 'What was not saved is kept in memory until the app is closed.')
