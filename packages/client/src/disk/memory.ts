// Disks for tests and the simulation, and for a device that has no other: they live as long as the object that makes them.
import { assert, HeadwaterError } from '@headwater/protocol'
import type { Disk, DiskRecord, OpenDisk } from '../ports.ts'

export interface MemoryDisks {
  /** Opening a name again reads what the disk before wrote: that is how a test restarts a device. A name that is open is `disk-blocked`. */
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
   * The process dies now. Of what waits, in order, the first `landed` reach the medium and the rest never happened: both are legal for
   * what was not reported done. The dead process's promises never settle, what it still calls has no effect, and the name can be opened.
   */
  crash(name: string, landed?: number): void
  /** From now on opening, reading and writing fail with this error. null: the medium works again, for disks opened from then on. */
  breakWith(name: string, error: HeadwaterError | null): void
}

/** Makes disks in memory, by name. */
export function createMemoryDisks(): MemoryDisks {
  const media = new Map<string, Medium>()
  const mediumOf = (name: string) => {
    const medium = media.get(name) ?? { records: [], waiting: [], isHeld: false, error: null, holder: null }
    media.set(name, medium)
    return medium
  }
  return {
    open: async (name) => openMedium(mediumOf(name), name),
    records: (name) => mediumOf(name).records,
    hold: (name) => {
      mediumOf(name).isHeld = true
    },
    flush: (name) => {
      mediumOf(name).isHeld = false
      settle(mediumOf(name))
    },
    waiting: (name) => mediumOf(name).waiting.length,
    crash: (name, landed = 0) => {
      const medium = mediumOf(name)
      for (const write of medium.waiting.slice(0, landed)) medium.records = write.change(medium.records)
      Object.assign(medium, { waiting: [], isHeld: false, holder: null })
    },
    breakWith: (name, error) => {
      mediumOf(name).error = error
    },
  }
}

interface Medium {
  records: readonly DiskRecord[]
  /** Called, not landed, in order. */
  waiting: readonly Write[]
  isHeld: boolean
  error: HeadwaterError | null
  /** The disk that has it open. */
  holder: Disk | null
}

interface Write {
  readonly change: (records: readonly DiskRecord[]) => readonly DiskRecord[]
  readonly done: () => void
  readonly failed: (error: HeadwaterError) => void
}

function openMedium(medium: Medium, name: string): Disk {
  if (medium.error) throw medium.error
  if (medium.holder) throw new HeadwaterError('disk-blocked', `The disk ${name} is open already.`, 'Close it first.')
  // Why appends fail: one did, and a log with a hole must never be read as if it were whole; or the disk is closed.
  let failure: HeadwaterError | null = null
  let isClosed = false
  const write = (change: Write['change'], onFailure: (error: HeadwaterError) => void = () => {}) =>
    new Promise<void>((done, reject) => {
      // After a crash nothing of the dead process reaches the medium, and nobody hears of it.
      if (medium.holder !== disk) return
      const failed = (error: HeadwaterError) => {
        onFailure(error)
        reject(error)
      }
      medium.waiting = [...medium.waiting, { change, done, failed }]
      queueMicrotask(() => settle(medium))
    })
  const disk: Disk = {
    read: async () => {
      if (medium.error) throw medium.error
      return medium.records
    },
    append: async (records) => {
      if (failure) throw failure
      await write(
        (before) => [...before, ...records],
        (error) => {
          failure = error
        },
      )
    },
    replace: async (count, records) => {
      if (failure) throw failure
      await write((before) => {
        assert(count <= before.length, 'a replacement takes the place of what is there')
        return [...records, ...before.slice(count)]
      })
    },
    wipe: async () => {
      if (isClosed && medium.holder) throw new HeadwaterError('disk-blocked', `The disk ${name} was opened by another.`, 'Close it first.')
      if (isClosed) medium.records = []
      else {
        await write(() => [])
        failure = null
      }
    },
    close: async () => {
      if (medium.holder !== disk) return
      await write((before) => before).catch(() => {})
      isClosed = true
      failure = new HeadwaterError('disk', `The disk ${name} is closed.`)
      medium.holder = null
    },
  }
  medium.holder = disk
  return disk
}

/** Lands what waits, in order. */
function settle(medium: Medium): void {
  if (medium.isHeld) return
  const landing = medium.waiting
  medium.waiting = []
  for (const write of landing) {
    if (medium.error) write.failed(medium.error)
    else {
      medium.records = write.change(medium.records)
      write.done()
    }
  }
}
