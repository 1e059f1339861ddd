// Several tabs of one device. The log on the disk is what they have in common; what they say to each other is only that there is news in it, who leads, and what
// scopes are in use. Fetched by a tab that finds another, and by the one it finds.
//
// Invariant: what one tab shows is what the log says and what is made on top of it, so that tabs that have heard the same records show the same.
import { HeadwaterError, type ScopeKey } from '@headwater/protocol'
import type { DiskRecord } from '../ports.ts'
import type { Handed, Journal } from '../store/journal.ts'
import { formatVersion, outboxRecord, parseRecord } from '../store/record.ts'
import type { Sync } from '../sync/sync.ts'
import { createAsking } from './asking.ts'
import { createHearing } from './hear.ts'
import { createShared } from './journal.ts'
import { createLeading } from './leading.ts'
import { createParting, forgotten } from './parting.ts'
import { createStanding, type Hold } from './standing.ts'
import { createTaking, isLeaders } from './taking.ts'
import { type Leads, type Message, messageOf } from './words.ts'

export interface Group {
  /** Resolves when the store may be read: another tab leads and has it, or nobody does. Rejects if it cannot be known. */
  readonly ready: Promise<void>
  /** From then on what is written is shared. */
  join(handed: Handed | Promise<Handed>): Journal
  /** The store is read, and may be kept in step. */
  start(): void
  /** What comes from the server is on the disk before it is shown: no tab is ahead of the others, or of itself after a start. */
  gate(frame: string, run: () => void): void
  /** How the tab stands that leads; null if it is this one. */
  told(): Pick<Sync, 'phase' | 'problem'> | null
  /** The lock was stolen. */
  lost(): void
  /** The store is about to be removed: nobody is to use it any more. */
  end(): void
  /** Says and hears nothing more. */
  leave(): void
}

export function createGroup(given: Omit<Hold, 'tabs'>): Group {
  const { tabs, note } = given.ports
  if (!tabs) throw new HeadwaterError('bug', 'There are no tabs.')
  const hold: Hold = { ...given, tabs }
  const { name, outbox, sync, report } = hold
  const standing = createStanding(hold)
  // What this device has been called: a tab that sleeps meanwhile knows its log by that.
  const ids = new Set<string>()
  let releaseTab = () => {}
  let tell: (error?: HeadwaterError) => void = () => {}
  const ready = new Promise<void>((resolve, reject) => {
    tell = (error) => (error ? reject(error) : resolve())
  })
  ready.catch(() => {})

  const channel = tabs.open(name, hear)
  const say = (message: Message) => channel.postMessage(JSON.stringify(message))
  const hearing = createHearing({ ...hold, onMade })
  const leading = createLeading({ ...hold, standing, say, onGone })
  const asking = createAsking({ ...hold, ...hold.ports, standing, scopesUsed, say, replace: () => taking.replace() })
  const taking = createTaking({ ...hold, standing, asking, hearing, say, tell, onLeads: () => leading.say(true), onStep: leading.stop })
  const parting = createParting({ ...hold, standing, tell, leave, silence: channel.close.bind(channel) })
  const unsubscribe = hold.subscribe(onChange)

  // This tab's own lock: who dies lets go of it.
  void tabs
    .lock(standing.tab, {}, () => {})
    .then((release) => {
      releaseTab = () => release?.()
      if (standing.isGone) return releaseTab()
      asking.begin()
      if (!standing.leads) taking.follow()
    })
  if (!standing.leads) sync.stop()

  function hear(text: string): void {
    const message = messageOf(text)
    if (!message || standing.isGone) return
    if (message.type === 'closed') void parting.forget()
    if (message.type === 'news') standing.journal?.news()
    if (message.type === 'alive') asking.answered()
    if (message.type === 'damaged') standing.journal?.renew()
    if (message.type === 'leads') onLeads(message)
    if (message.type !== 'here') return
    if (message.format > formatVersion) taking.yieldTo()
    else if (standing.leads) leading.hear(message)
  }

  function onLeads(message: Leads): void {
    const { leads, journal, isOpen, told: before } = standing
    // Somebody has taken this one's place, which the log says as well.
    if (leads) return journal?.news()
    asking.answered()
    standing.told = message
    tell()
    if (!isOpen) return
    const { problem, denied, phase, tab } = message
    if (problem?.code.startsWith('disk')) return void parting.secede(new HeadwaterError('disk-blocked', problem.message, problem.hint))
    if (before?.denied.join() !== denied.join()) {
      sync.holds.greeted([])
      sync.holds.deny(denied)
    }
    const isNew = before?.tab !== tab
    if (isNew || (standing.isAhead && phase === 'live')) journal?.news()
    // It asks for what it does not know yet.
    if (isNew && scopesUsed().length > 0) asking.ask()
    hold.onChange()
  }

  function scopesUsed(): readonly ScopeKey[] {
    return standing.isOpen ? sync.holds.wanted() : []
  }

  function onChange(): void {
    // Behind a fork a log that is written anew would not know them any more.
    ids.add(outbox.identity().device)
    if (standing.isGone || !standing.isOpen) return
    if (standing.leads) leading.say(false)
    else asking.askAnew()
  }

  function onMade(): void {
    if (standing.leads) return sync.wanted()
    // What has a number is on its way, or will be.
    for (const entry of outbox.sendable(0)) entry.sent()
  }

  async function hearAll(records: readonly DiskRecord[]): Promise<boolean> {
    if (records.some(isLeaders)) taking.overruled()
    const { isOutdated, isAhead, isBehind, leads, told } = standing
    if (isOutdated) return true
    // What is shown is newer than the log: until who leads is level, it stays.
    if (isAhead && !leads && told?.phase !== 'live') return true
    if (isAhead || isBehind) return false
    try {
      await hearing.hear(records)
      return true
    } catch (error) {
      report(error)
      return false
    }
  }

  async function reread(records: readonly DiskRecord[], isNew: boolean): Promise<boolean> {
    standing.isAhead = standing.isBehind = false
    try {
      return await hearing.reread(records, isNew)
    } catch (error) {
      if (!(error instanceof HeadwaterError) || error.code !== 'store-version') throw error
      // Rows stay as they are; what is made is still written.
      standing.isOutdated = true
      hold.onChange()
      return true
    }
  }

  /** What it left may come a moment behind it: localStorage of another process does. */
  function onGone(): void {
    takeNotes()
    hold.clock.timer(notesMs, takeNotes)
  }

  /** What a tab that is gone has not got to the disk. */
  function takeNotes(): void {
    if (standing.isGone) return
    for (const [from, record] of note?.read(name) ?? []) standing.journal?.keep(record, (error) => error || clear(from, record))
  }

  function clear(from: string, record: DiskRecord): void {
    note?.write(from, '')
    const entry = parseRecord(record)
    if (entry?.type === 'outbox') outbox.hear(entry.outbox)
    void outbox.follow(() => null).then(onMade)
  }

  function join(handed: Handed | Promise<Handed>): Journal {
    const journal = createShared(handed, {
      leads: () => standing.leads,
      isLeaders,
      hear: hearAll,
      reread,
      onAhead: () => {
        standing.isAhead = true
      },
      onLost: taking.overruled,
      onWritten: () => {
        say({ type: 'news' })
        asking.ask()
      },
      onDamaged: () => say({ type: 'damaged' }),
      onBroken: parting.onBroken,
      welcome: () => (sync.isTalking() ? null : hearing.welcome()),
      outbox: () => [...outbox.records().slice(0, 1), outboxRecord(outbox.whole()), idsRecord([...ids]), ...(sync.holds.eviction?.records() ?? [])],
    })
    standing.journal = journal
    // The person has signed out while the store was read.
    if (standing.isGone) journal.fail(forgotten())
    // The store was read before, and its tab was alone: whoever has just come waits for an answer.
    standing.isOpen ||= handed instanceof Promise
    leading.answer()
    const close = async () => {
      leave()
      await journal.close().finally(() => channel.close())
    }
    return { ...journal, close }
  }

  function leave(): void {
    standing.isGone = true
    if (standing.leads) sync.stop()
    standing.leads = false
    for (const stop of [asking.stop, unsubscribe, releaseTab, () => standing.free?.()]) stop()
    // What is still to be written is said to be there.
    if (!standing.journal) channel.close()
    leading.stop()
    tell()
  }

  return {
    ready,
    join,
    start: () => {
      standing.isOpen = true
      if (standing.leads) {
        sync.start()
        leading.answer()
      } else if (standing.free) taking.takeOver()
      else asking.ask()
    },
    gate: leading.gate,
    told: () => {
      const { leads, isGone, isOutdated, told } = standing
      const trouble = parting.trouble()
      if (isOutdated) return { phase: () => 'stopped', problem: () => outdated }
      if (trouble) return { phase: sync.phase, problem: () => trouble }
      return leads || isGone ? null : { phase: () => told?.phase ?? 'connecting', problem: () => told?.problem ?? null }
    },
    lost: taking.lost,
    end: () => {
      say({ type: 'closed' })
      // Who has it and is frozen finds out when it wakes.
      void tabs.lock(name, { steal: true }, () => {}).then((release) => release?.())
    },
    leave,
  }
}

/** By then another process has what was written to localStorage. */
const notesMs = 1_000

/** Read by nobody but who looks for an id: to all others it says that no scope was used. */
const idsRecord = (ids: readonly string[]) => `{"uses":{},"ids":${JSON.stringify(ids)}}`

const outdated = { code: 'reload', message: 'A newer version of this app is open.', hint: 'Reload the page.' } as const
