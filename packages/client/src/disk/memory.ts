// Disks for tests and the simulation, and for a device that has no other: they live as long as the object that makes them.
import { HeadwaterError } from '@headwater/protocol'
import type { Disk, DiskRecord, OpenDisk } from '../ports.ts'

export interface MemoryDisks {
  /** Opening a name again reads what the disk before wrote: that is how a test restarts a device. A name that is open is `disk-blocked`, unless shared. */
  readonly open: OpenDisk
  /** What lies on the medium: what a device would read after a restart. */
  records(name: string): readonly DiskRecord[]
  /** From now on nothing lands until `flush` or `crash`. Without this, a write lands in the microtask after its call. */
  hold(name: string): void
  /** Lands what waits, and later writes at once again. */
  flush(name: string): void
  /** Appends, replacements and wipes that were called and have not landed. */
  waiting(name: string): number
  /**
   * The process dies now: all that have the name open, or the one disk. Of what waits of it, in order, the first `landed` reach the medium and the
   * rest never happened: both are legal for what was not reported done. The dead process's promises never settle, what it still calls has no
   * effect, and the name can be opened.
   */
  crash(name: string, landed?: number, disk?: Disk): void
  /** From now on opening, reading and writing fail with this error. null: the medium works again, for disks opened from then on. */
  breakWith(name: string, error: HeadwaterError | null): void
}

/** Makes disks in memory, by name. `isShared`: as in a browser, where several tabs have one open. */
export function createMemoryDisks({ isShared = false }: { readonly isShared?: boolean } = {}): MemoryDisks {
  const media = new Map<string, Medium>()
  const mediumOf = (name: string) => {
    const medium = media.get(name) ?? { records: [], end: 0, begun: 0, waiting: [], isHeld: false, error: null, holders: new Set<Disk>() }
    media.set(name, medium)
    return medium
  }
  return {
    open: async (name) => {
      const medium = mediumOf(name)
      if (!isShared && medium.holders.size > 0) throw new HeadwaterError('disk-blocked', `The disk ${name} is open already.`, 'Close it first.')
      return openMedium(medium, name, isShared)
    },
    records: (name) => mediumOf(name).records,
    hold: (name) => {
      mediumOf(name).isHeld = true
    },
    flush: (name) => {
      mediumOf(name).isHeld = false
      settle(mediumOf(name))
    },
    waiting: (name) => mediumOf(name).waiting.length,
    crash: (name, landed = 0, disk) => {
      const medium = mediumOf(name)
      const isDead = (one: Disk) => disk === undefined || one === disk
      const dying = medium.waiting.filter(({ owner }) => isDead(owner))
      medium.waiting = medium.waiting.filter(({ owner }) => !isDead(owner))
      for (const { change } of dying.slice(0, landed)) change()
      for (const holder of medium.holders) if (isDead(holder)) medium.holders.delete(holder)
      if (disk === undefined) medium.isHeld = false
    },
    breakWith: (name, error) => {
      mediumOf(name).error = error
    },
  }
}

interface Medium {
  records: readonly DiskRecord[]
  /** How many were ever appended: the place of the next. */
  end: number
  /** Who knows the records up to here knows what they say; before, they are of another log or were exchanged. */
  begun: number
  /** Called, not landed, in order. */
  waiting: readonly Write[]
  isHeld: boolean
  error: HeadwaterError | null
  /** The disks that have it open. */
  readonly holders: Set<Disk>
}

interface Write {
  readonly owner: Disk
  /** Throws what it fails with; then nothing has changed. */
  readonly change: () => void
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

function openMedium(medium: Medium, name: string, isShared: boolean): Disk {
  if (medium.error) throw medium.error
  // Why appends fail: one did, and a log with a hole must never be read as if it were whole; or the disk is closed.
  let failure: HeadwaterError | null = null
  let isClosed = false
  // What is known here: all before this place.
  let next = 0
  const write = (change: () => void, onFailure: (error: HeadwaterError) => void = () => {}) =>
    new Promise<void>((done, reject) => {
      // After a crash nothing of the dead process reaches the medium, and nobody hears of it.
      if (!medium.holders.has(disk)) return
      const failed = (error: unknown) => {
        // Of the medium, which throws HeadwaterErrors alone.
        if (error === medium.error) onFailure(error as HeadwaterError)
        reject(error)
      }
      medium.waiting = [...medium.waiting, { owner: disk, change, done, failed }]
      queueMicrotask(() => settle(medium))
    })
  const look = () => {
    if (next < medium.begun || next > medium.end) throw behind(name)
    return medium.end === next ? [] : medium.records.slice(next - medium.end)
  }
  const assertAlone = () => {
    if (look().length > 0) throw behind(name)
  }
  const know = () => {
    next = medium.end
  }
  const disk: Disk = {
    read: async () => {
      if (medium.error) throw medium.error
      know()
      return medium.records
    },
    news: async () => {
      if (failure ?? medium.error) throw failure ?? medium.error
      const missed = look()
      next = medium.end
      return missed
    },
    append: async (records, { mayFollow = () => true }) => {
      if (failure) throw failure
      let missed: readonly DiskRecord[] = []
      await write(
        () => {
          missed = look()
          if (!mayFollow(missed)) throw behind(name)
          // Who found nothing there knows nothing of what begins now.
          if (medium.records.length === 0 && records.length > 0) medium.begun = ++medium.end
          medium.records = [...medium.records, ...records]
          medium.end += records.length
          next = medium.end
        },
        (error) => {
          failure = error
        },
      )
      return missed
    },
    replace: async (records, isOther) => {
      if (failure) throw failure
      await write(() => {
        assertAlone()
        medium.records = records
        if (isOther) medium.end++
        medium.begun = medium.end
        know()
      })
    },
    wipe: async () => {
      if (isClosed && !isShared && medium.holders.size > 0)
        throw new HeadwaterError('disk-blocked', `The disk ${name} was opened by another.`, 'Close it first.')
      const empty = () => {
        medium.records = []
        medium.begun = ++medium.end
        know()
      }
      if (isClosed) empty()
      else {
        await write(empty)
        failure = null
      }
    },
    close: async () => {
      if (!medium.holders.has(disk)) return
      await write(() => {}).catch(() => {})
      isClosed = true
      failure = new HeadwaterError('disk', `The disk ${name} is closed.`)
      medium.holders.delete(disk)
    },
  }
  know()
  medium.holders.add(disk)
  return disk
}

const behind = (name: string) => new HeadwaterError('disk-behind', `Others have written the disk ${name}.`)

/** Lands what waits, in order. */
function settle(medium: Medium): void {
  if (medium.isHeld) return
  const landing = medium.waiting
  medium.waiting = []
  for (const { change, done, failed } of landing) {
    try {
      if (medium.error) throw medium.error
      change()
      done()
    } catch (error) {
      failed(error)
    }
  }
}
