// A device of the simulation: a process of its own, or a browser with tabs, which dies, starts again and is looked at.
import { createMemoryTabs } from '@headwater/client/node'
import { type Checkpoint, type Cursor, decodeDown, decodeUp } from '@headwater/protocol'
import { type Moment, rowsOf } from '../harness/generated/device.ts'
import { randomOf } from './chance.ts'
import type { Checker } from './checkers.ts'
import { createDisk } from './disk.ts'
import type { FrameMishap, Line, Network, Way } from './network.ts'
import type { DiskOf } from './plan.ts'
import type { Points } from './points.ts'
import { createTab, type Made, type Opened, type Tab } from './tab.ts'
import type { Owner, Time } from './time.ts'
import type { Act, Workload } from './workloads/workload.ts'

export interface SimulatedDevice {
  readonly name: string
  readonly person: string
  readonly line: Line
  /** Of the so-many-th of the tabs that live; one that is dead, if none does. */
  owner(at?: number): Owner
  owners(): readonly Owner[]
  /** Of the tab that has been there for longest; null: it is not running. */
  client(): Opened | null
  clients(): readonly Opened[]
  readonly made: readonly Made[]
  readonly moments: readonly Moment[]
  /** Of every tab that ever was, where it has several, what it showed. */
  readonly shown: readonly Shown[]
  /** What it may show: checkpoints, and from where it went on; of all of them without rows. */
  readonly states: readonly Moment[]
  readonly frames: readonly string[]
  /** The ids by which it has greeted. */
  readonly ids: ReadonlySet<string>
  /** By id, mutations of which it was told what became, whichever process had made them. */
  readonly told: ReadonlySet<string>
  act(act: Act, tab?: number): void
  use(kind: string, key: string, forMs: number, tab?: number): void
  /** Opens all of its tabs that are not open. */
  start(): void
  /** It dies: of what is on its way to the disk the first part stays. `copied`: its disk is `other` from now on. */
  kill(part: number, disk: DiskOf, other: readonly string[]): void
  /** One tab dies, or goes away. */
  killTab(owner: Owner, how: 'killed' | 'left'): void
  closeTab(at: number): Promise<void>
  /** What its disk holds. */
  copy(): readonly string[]
  /** Closes in order, or signs out. */
  close(isWiped: boolean): Promise<void>
  setOnline(isOnline: boolean): void
  setClock(byMs: number): void
  setFull(isFull: boolean): void
  onFrame(way: Way, frame: string, mishap: FrameMishap | null): void
  /** Nothing is at work: what was sent has been taken in. */
  look(): void
  inUse(): ReadonlySet<string>
  /** How many lie on its disk. */
  records(): number
}

export type Shown = Pick<Tab, 'marker' | 'seen'>

interface DeviceDeps {
  readonly time: Time
  readonly points: Points
  readonly network: () => Network
  readonly workload: Workload
  readonly seed: number
  readonly found: (checker: Checker, text: string) => void
  readonly onTrouble: (error: unknown) => void
}

/** `tabsMax`: how many tabs the person has open, if nothing happens to them; 1: a process that is alone with its disk. */
export function createSimulatedDevice(deps: DeviceDeps, name: string, person: string, delayMs: Line['delayMs'], tabsMax = 1): SimulatedDevice {
  const { time, points, workload, seed, found } = deps
  const { schema } = workload
  const disk = createDisk(time, points, tabsMax > 1)
  const line: Line = { delayMs, isOnline: true, silent: new Set(), bytesPerMs: null, frames: [] }
  const listeners = new Set<() => void>()
  const made: Made[] = []
  const moments: Moment[] = []
  const states: Moment[] = []
  const frames: string[] = []
  const ids = new Set<string>()
  const told = new Set<string>()
  const sent = new Map<string, string>()
  let greetedAs = ''
  const texts = new Map<string, string>()
  const older: (readonly string[])[] = []
  const together = createMemoryTabs()
  const tabs: Tab[] = []
  const shown: Shown[] = []
  const nobodysYet: Owner = { name, isDead: true, isFrozen: false }
  let starts = 0
  let skewMs = 0
  let [granted, held]: [Set<string>, Set<string>] = [new Set(), new Set()]
  let heard: Checkpoint[] = []
  let isMisled = false
  let wasMisled = false
  let isClosing = false

  const network = {
    isOnline: () => line.isOnline,
    onChange: (run: () => void) => {
      listeners.add(run)
      return () => void listeners.delete(run)
    },
  }

  function start(): void {
    if (tabs.length === 0 && !isClosing) older.push(disk.copy())
    while (tabs.length < tabsMax && !isClosing) open()
  }

  function open(): void {
    starts++
    const marker = tabsMax > 1 ? `${name} tab ${starts}` : name
    const marks = made.filter((one) => one.marker === marker && one.mark !== null).length
    const openTabs = tabsMax > 1 ? together.open : undefined
    const given = { ...deps, wires: deps.network(), disk, line, network, texts, openTabs, skewMs: () => skewMs }
    const tab = createTab(given, { name, person, marker, marks }, randomOf(seed, `${name} ${starts}`))
    tabs.push(tab)
    if (tabsMax > 1) shown.push(tab)
  }

  function end(tab: Tab, part: number): void {
    if (tab.owner.isDead) return
    if (tabs.includes(tab)) tabs.splice(tabs.indexOf(tab), 1)
    tab.end(part)
    if (tabsMax === 1) heard = []
  }

  function forget(): void {
    for (const one of made) Object.assign(one, { isForgotten: true, isGone: one.isGone || one.outcome === null })
  }

  /** One of those that somebody can use now. */
  const awake = (at: number) => {
    const able = isClosing ? [] : tabs.filter(({ owner }) => !owner.isFrozen)
    return able[at % able.length]
  }

  function follow(checkpoint: Checkpoint, opened: Opened | null): void {
    if (checkpoint.replace) [granted, held] = [new Set(), new Set()]
    for (const scope of checkpoint.left.granted) granted.delete(scope)
    for (const scope of checkpoint.left.held) held.delete(scope)
    for (const scope of checkpoint.joined.granted) granted.add(scope)
    for (const scope of checkpoint.joined.held) held.add(scope)
    remember(checkpoint.cursor)
    moments.push({ cursor: checkpoint.cursor, granted: new Set(granted), held: new Set(held), rows: opened && shownBy(opened) })
  }

  function shownBy(opened: Opened): Moment['rows'] {
    const rows = rowsOf(schema, opened)
    const isWaiting = opened.status.get().pending > 0
    const wrong = (!isWaiting || workload.isAlways) && workload.wrong?.((table) => rows.get(table) ?? [])
    if (wrong) found('one state per checkpoint', `${name} shows what cannot be: ${wrong}`)
    return isWaiting ? null : rows
  }

  const remember = (cursor: Cursor) => void states.push({ cursor, granted: new Set(granted), held: new Set(held), rows: null })

  function hear(way: Way, frame: string, mishap: FrameMishap | null): void {
    if (way === 'down') {
      frames.push(frame)
      const message = decodeDown(frame)
      // What came before its rows is taken back as soon as they come: the device greets again.
      if (message.type === 'checkpoint' && mishap === 'late' && message.loads.length > 0) isMisled = true
      if (message.type !== 'checkpoint') return
      heard.push(message)
      for (const { number } of message.outcomes) told.add(sent.get(`${greetedAs} ${number}`) ?? '')
      return
    }
    const message = decodeUp(frame)
    if (message.type === 'hello') greetedAs = message.device
    if (message.type === 'push') for (const { number, id } of message.mutations) sent.set(`${greetedAs} ${number}`, id)
    if (message.type !== 'release') return
    for (const scope of message.scopes) held.delete(scope)
    const last = states.at(-1)
    if (last) remember(last.cursor)
  }

  return {
    name,
    person,
    line,
    owner: (at = 0) => tabs[at % tabs.length]?.owner ?? nobodysYet,
    owners: () => tabs.map(({ owner }) => owner),
    client: () => (isClosing ? null : (tabs[0]?.client ?? null)),
    clients: () => (isClosing ? [] : tabs.map(({ client }) => client)),
    made,
    moments,
    shown,
    states,
    frames,
    ids,
    told,
    act: (act, at = 0) => {
      const tab = awake(at)
      if (tab) made.push(tab.act(act))
    },
    use: (kind, key, forMs, at = 0) => awake(at)?.use(kind, key, forMs),
    start,
    copy: disk.copy,
    kill: (part, what, other) => {
      for (const tab of [...tabs]) end(tab, part)
      isClosing = false
      if (what === 'kept') return
      forget()
      texts.clear()
      if (what === 'evicted') disk.evict()
      else void disk.putBack(what === 'older' ? (older.at(-1) ?? []) : other)
    },
    killTab: (owner, how) => {
      const tab = tabs.find((one) => one.owner === owner)
      if (!tab) return
      if (how === 'left') tab.leave()
      end(tab, 0.5)
    },
    closeTab: async (at) => {
      const tab = awake(at)
      if (!tab) return
      tabs.splice(tabs.indexOf(tab), 1)
      await tab.client.close().catch(deps.onTrouble)
      end(tab, 1)
    },
    close: async (isWiped) => {
      const closing = [...tabs]
      if (closing.length === 0 || isClosing) return
      isClosing = true
      if (isWiped) forget()
      const parting = ({ client }: Tab, i: number) => (isWiped && i === 0 ? client.wipe() : client.close()).catch(deps.onTrouble)
      await Promise.all(closing.map((tab, i) => Promise.race([parting(tab, i), tab.died])))
      // It may have died meanwhile, and another be there. A process that has ended has no files open, whatever became of the closing of its disk.
      for (const tab of closing) end(tab, 1)
      isClosing = false
    },
    setOnline: (isOnline) => {
      line.isOnline = isOnline
      for (const run of [...listeners]) run()
    },
    setClock: (byMs) => {
      skewMs += byMs
    },
    setFull: disk.setFull,
    onFrame: (way, frame, mishap) => {
      if (way === 'down' && (mishap === 'twice' || mishap === 'swapped')) isMisled = true
      try {
        const message = way === 'up' ? decodeUp(frame) : null
        if (message?.type === 'hello') {
          ids.add(message.device)
          // What a device says that it holds is where it goes on from.
          ;[granted, held] = [new Set(message.granted), new Set(message.cursor === null ? [] : message.held)]
          isMisled = false
          if (message.cursor !== null) remember(message.cursor)
        }
        hear(way, frame, mishap)
      } catch {
        // It is garbage, which both ends notice for themselves.
      }
      wasMisled ||= isMisled || mishap === 'late'
    },
    look: () => {
      const opened = isClosing ? null : tabs[0]?.client
      for (const checkpoint of heard.splice(0)) if (opened && !isMisled) follow(checkpoint, tabsMax > 1 ? null : opened)
      if (tabsMax > 1 && !wasMisled && !isClosing) for (const tab of tabs) tab.look(states.length)
    },
    inUse: () => new Set(tabs.flatMap(({ uses }) => [...uses.values()])),
    records: () => disk.copy().length,
  }
}
