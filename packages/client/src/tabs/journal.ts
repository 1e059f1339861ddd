// The journal of a tab that is not alone with the disk.
//
// Invariant: what others have appended is heard before what is appended behind it is known to be there. What only the tab may write that leads stands behind
// no record by which another began to lead: the disk looks at that in the transaction that writes.
import { HeadwaterError, type Welcome } from '@headwater/protocol'
import type { Disk, DiskRecord } from '../ports.ts'
import type { Handed, Job, Journal } from '../store/journal.ts'
import { formatVersion } from '../store/record.ts'

export interface Shared extends Journal {
  /** Another has written. `done` is called when all of it is heard, behind what was called before. */
  news(done?: () => void): void
  /** Writes everything anew if this tab leads: another could not read it. */
  renew(): void
  /** What anybody may write, and need not wait for. */
  free(record: DiskRecord, done?: () => void): void
  /** A frame of the server, before it is applied. False: this tab leads no more. */
  write(frame: DiskRecord): Promise<boolean>
  /** True while frames are on the disk that are not applied yet. */
  isApplying(): boolean
  /** Works in memory from now on. */
  fail(error: HeadwaterError): void
  /** A connection is made anew: frames of the one before that were not applied will not be. */
  anew(): void
}

export interface SharedDeps {
  readonly leads: () => boolean
  /** True if another began to lead with this record. */
  readonly isLeaders: (record: DiskRecord) => boolean
  /** False: everything is to be read anew. */
  readonly hear: (records: readonly DiskRecord[]) => Promise<boolean>
  /** `isNew`: nothing of this device was ever there. Answers whether anything is there of any device. */
  readonly reread: (records: readonly DiskRecord[], isNew: boolean) => Promise<boolean>
  /** What was shown is not on the disk: another leads. */
  readonly onAhead: () => void
  /** Another leads. */
  readonly onLost: () => void
  readonly onWritten: () => void
  /** What was read is not all there was, or nothing, and another leads. */
  readonly onDamaged: () => void
  /** The disk cannot be used any more. */
  readonly onBroken: (error: HeadwaterError) => void
  /** What a server said last to another tab, where this one does not talk to one. */
  readonly welcome: () => Welcome | null
  /** The header and the outbox, as far as it is on the disk. */
  readonly outbox: () => readonly DiskRecord[]
}

type Kind = Job['type'] | 'frame' | 'free' | 'news'
type Done = (error: HeadwaterError | null, isRefused?: boolean) => void
interface Task {
  readonly record: DiskRecord
  readonly type: Kind
  readonly done: Done
}

/** A log shorter than this is never rewritten. */
const weightMin = 2_000
const leaders: ReadonlySet<Kind> = new Set<Kind>(['cache', 'frame', 'lead', 'anew', 'compact'])

export function createShared(begun: Handed | Promise<Handed>, deps: SharedDeps): Shared {
  let handed: Handed | null = null
  let weight = 0
  let tasks: Task[] = []
  let working: Promise<void> | null = null
  let broken: HeadwaterError | null = null
  let isClosed = false
  // The log is to be begun anew as soon as this tab leads: it is empty or damaged.
  let isToBegin = false
  // There was no room for rows: a log that goes on without them would be read as whole.
  let isBare = false
  // Another tab could not read all of what is on the disk, which is in memory here.
  let isDamaged = false
  const unapplied = new Set<DiskRecord>()

  const put = (type: Kind, record: DiskRecord, done: Done = () => {}) => {
    tasks.push({ type, record, done })
    working ??= Promise.resolve().then(work)
  }

  async function work(): Promise<void> {
    if (!handed) {
      handed = await begun
      weight += handed.weight
      tasks = [...handed.waiting, ...tasks]
      isToBegin ||= tasks.some(({ type }) => type === 'anew')
      isBare = handed.hasRows === false
    }
    const { disk } = handed
    while (tasks.length > 0) {
      const turn = tasks
      tasks = []
      const left = turn.filter(isDue)
      let isFenced = false
      try {
        if (broken) throw broken
        if (isBare) await disk.replace(await handed.deps.everything(deps.outbox, deps.welcome()), true)
        isBare = false
        const records = left.flatMap(({ record }) => record || [])
        const mayFollow = (missed: readonly DiskRecord[]) => {
          isFenced = left.some(({ type }) => leaders.has(type)) && missed.some(deps.isLeaders)
          return !isFenced
        }
        const strict = left.some(({ type }) => type === 'keep')
        const missed = records.length > 0 ? await disk.append(records, { strict, mayFollow }) : await disk.news()
        weight += missed.length
        const isHeard = await deps.hear(missed)
        for (const { type, done } of left.splice(0)) done(null, !isHeard && leaders.has(type))
        // Who cannot go on from where it is reads everything, and with it what it has just written and what has become of that.
        if (!isHeard) await reread(disk)
        if (records.length > 0) deps.onWritten()
        const rewriting = turn.find(({ type }) => type === 'anew') ?? turn.find(({ type }) => type === 'compact')
        if (rewriting && deps.leads()) await rewrite(rewriting)
      } catch (error) {
        await mend(errorOf(error), left, isFenced)
      }
    }
    working = null
  }

  /** Without what is refused, because another leads. */
  function isDue({ type, done }: Task): boolean {
    const isRefused = leaders.has(type) && !deps.leads() && !broken
    // It was shown before it was written: this tab was alone.
    if (isRefused && type === 'cache') deps.onAhead()
    if (isRefused) done(null, true)
    return !isRefused
  }

  /** What was not written is written behind what was not known, as far as it still may be. */
  async function mend(error: HeadwaterError, left: readonly Task[], isFenced: boolean): Promise<void> {
    try {
      if (error.code !== 'disk-behind' || isClosed) throw error
      if (deps.leads()) deps.onLost()
      if (!isFenced && handed) await reread(handed.disk)
      tasks = [...left, ...tasks]
    } catch (thrown) {
      const isNew = !broken
      broken = errorOf(thrown)
      if (isNew && !isClosed) deps.onBroken(broken)
      for (const { done } of left) done(broken)
    }
  }

  async function reread(disk: Disk): Promise<void> {
    isToBegin = !(await deps.reread(await disk.read(), isToBegin))
  }

  async function rewrite({ type, done }: Task): Promise<void> {
    if (!handed || (type === 'anew' && !isToBegin)) return
    let isBefore = false
    const outbox = () => {
      // Rows written anew have what the log has: another time, if frames are on the disk that are not applied.
      isBefore = type === 'compact' && unapplied.size > 0
      return deps.outbox()
    }
    const records = await handed.deps.everything(outbox, deps.welcome()).catch(() => null)
    weight = isBefore ? Infinity : 0
    if (!records || isBefore) return
    try {
      // Who cannot read what takes the place of an older format finds out.
      await handed.disk.replace(records, type === 'anew' || isDamaged || (formatVersion > 1 && handed.weight === Infinity))
      if (isDamaged) deps.onWritten()
      isToBegin = isDamaged = false
    } catch (error) {
      // Others have appended what is to be heard first. Where there is no room the log stays as it is, unless it cannot be gone on with.
      if (errorOf(error).code === 'disk-behind') put(type, '', done)
      else if (type === 'anew') throw error
    }
  }

  function compact(): void {
    if (!deps.leads() || (!isToBegin && weight <= Math.max(weightMin, handed?.deps.rowsHeld() ?? 0))) return
    // Once, until it is done.
    weight = -Infinity
    put(isToBegin ? 'anew' : 'compact', '', (_, isRefused) => {
      if (isRefused) weight = Infinity
    })
  }

  async function settled(): Promise<void> {
    while (working) await working
  }

  return {
    cache: (record, rows) => {
      weight += rows
      if (unapplied.delete(record)) return Promise.resolve()
      return new Promise((resolve) => put(record.startsWith('{"uses":') ? 'free' : 'cache', record, () => resolve()))
    },
    keep: (record, done) => {
      weight++
      put('keep', record, done)
    },
    lead: (record, done) => {
      weight++
      put('lead', record, (_, isRefused) => done(isRefused))
    },
    restart: () => {
      isToBegin = true
      if (deps.leads()) put('anew', '')
      else deps.onDamaged()
    },
    renew: () => {
      isDamaged = true
      weight = Infinity
      compact()
    },
    compact,
    settled,
    close: async () => {
      await settled()
      isClosed = true
      await (await begun).disk.close()
    },
    wipe: async () => (await begun).disk.wipe(),
    handOver: async () => ({ ...(await begun), waiting: [] }),
    news: (done) => put('news', '', done),
    free: (record, done) => put('free', record, done),
    write: (frame) =>
      new Promise((resolve) => {
        unapplied.add(frame)
        put('frame', frame, (_, isRefused) => {
          if (isRefused) unapplied.delete(frame)
          resolve(!isRefused)
        })
      }),
    fail: (error) => {
      broken = error
    },
    isApplying: () => unapplied.size > 0,
    anew: () => unapplied.clear(),
  }
}

const errorOf = (error: unknown) => (error instanceof HeadwaterError ? error : new HeadwaterError('disk', String(error)))
