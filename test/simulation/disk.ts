// A device's disk: the memory disk, of which every write takes its time, and of which a death keeps a legal part.
import type { Disk, OpenDisk } from '@headwater/client'
import { createMemoryDisks, type MemoryDisks } from '@headwater/client/node'
import { HeadwaterError } from '@headwater/protocol'
import type { Random } from '../harness/generated/random.ts'
import { delayOf } from './chance.ts'
import type { Points } from './points.ts'
import type { Owner, Time } from './time.ts'

export interface SimulatedDisk {
  /** As the process opens it that is alive now. */
  opener(owner: Owner, random: Random): OpenDisk
  /** A process dies: of what it wrote and was not told of, the first part stays. */
  crash(part: number, owner: Owner): void
  /** What there is no room for. */
  setFull(what: Lacking): void
  /** By which it was opened; '' as long as it was not. */
  name(): string
  /** The system has taken everything away. */
  evict(): void
  /** What it holds, to be put back later: as a copied profile or a restored machine has it. */
  copy(): readonly string[]
  putBack(records: readonly string[]): Promise<void>
}

/** Anything at all, or to write everything anew while what is there stays until that is done. */
export type Lacking = 'nothing' | 'all' | 'anew'

/** By name, what lies in one machine's storage: who asks for another's name gets what is there. */
export type Media = Map<string, MemoryDisks>

/** `isShared`: several processes have it at once, as tabs do. */
export function createDisk(time: Time, points: Points, isShared: boolean, media: Media): SimulatedDisk {
  const opened = new Map<Owner, Disk>()
  let lacking: Lacking = 'nothing'
  // There is one name: a person and an address are the same for as long as there is a device of theirs on the machine.
  let name = ''
  const anew = () => {
    const made = createMemoryDisks({ isShared })
    media.set(name, made)
    return made
  }
  const medium = () => media.get(name) ?? anew()

  const full = () => new HeadwaterError('disk-full', 'The disk is full.', 'Make room.')

  function opener(owner: Owner, random: Random): OpenDisk {
    const slow = async (point: string): Promise<boolean> => {
      if (points.pass(owner, point)) return new Promise<never>(() => {})
      await time.pause(owner, delayOf(random, 0.1, 8))
      return true
    }

    /** What was called lands some time later, and everything before it. */
    function landing<T>(point: string, call: () => Promise<T>): Promise<T> {
      if (points.pass(owner, point)) return new Promise<never>(() => {})
      const mine = medium()
      mine.hold(name)
      const answer = call()
      time.timer(owner, delayOf(random, 0.2, 30), () => {
        if (points.pass(owner, `${point}.landing`)) return
        // Where there is no room, what is there can be read all the same.
        mine.breakWith(name, lacking === 'all' || (lacking === 'anew' && point === 'disk.replace') ? full() : null)
        mine.flush(name)
        mine.breakWith(name, null)
      })
      return heard(answer).finally(() => void points.pass(owner, `${point}.landed`))
    }

    /** Answers come in the order in which they were found, to a tab that is frozen when it wakes, and to a dead one never. */
    async function heard<T>(answer: Promise<T>): Promise<T> {
      if (!isShared) return answer
      const settled = await Promise.allSettled([answer])
      await time.pause(owner, 0)
      if (settled[0].status === 'rejected') throw settled[0].reason
      return settled[0].value
    }

    const wrapped = (disk: Disk): Disk => ({
      read: async () => {
        await slow('disk.read')
        return heard(disk.read())
      },
      news: async () => {
        await slow('disk.news')
        return heard(disk.news())
      },
      append: (records, options) => landing('disk.append', () => disk.append(records, options)),
      replace: (...asked) => landing('disk.replace', () => disk.replace(...asked)),
      wipe: () => landing('disk.wipe', () => disk.wipe()),
      close: () => landing('disk.close', () => disk.close()),
    })
    return async (asked) => {
      name = asked
      await slow('disk.open')
      const disk = await medium().open(asked)
      opened.set(owner, disk)
      return wrapped(disk)
    }
  }

  return {
    opener,
    crash: (part, owner) => {
      // Of tabs, all that any of them has on its way lands, or nothing of this one's: each is legal.
      if (isShared && part >= 0.5) medium().flush(name)
      const mine = opened.get(owner)
      opened.delete(owner)
      // A tab that had not opened it has nothing on its way, and the others have it open still.
      if (!isShared) medium().crash(name, Math.round(part * medium().waiting(name)))
      else if (mine) medium().crash(name, 0, mine)
    },
    name: () => name,
    setFull: (what) => {
      lacking = what
    },
    evict: () => void anew(),
    copy: () => medium().records(name),
    putBack: async (records) => {
      const disk = await anew().open(name)
      if (records.length > 0) await disk.append(records, { strict: true })
      await disk.close()
    },
  }
}
