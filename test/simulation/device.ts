// A device of the simulation: a process of its own, or a browser with tabs, which dies, starts again and is looked at.
import type { Network as Connectivity } from '@headwater/client'
import { createMemoryTabs, type MemoryTabs } from '@headwater/client/node'
import { type Moment, rowsOf } from '../harness/generated/device.ts'
import { randomOf } from './chance.ts'
import type { Checker } from './checkers.ts'
import { createDisk, type Lacking, type Media } from './disk.ts'
import type { Line, Network } from './network.ts'
import type { DiskOf } from './plan.ts'
import type { Points } from './points.ts'
import { createTab, type Made, type Opened, type Tab } from './tab.ts'
import type { Owner, Time } from './time.ts'
import { createTraffic, type Traffic } from './traffic.ts'
import type { Act, Workload } from './workloads/workload.ts'

export interface SimulatedDevice extends Omit<Traffic, 'settle' | 'forget' | 'wasMisled'> {
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
  /** Of every tab that ever was, where it has several, what it showed. */
  readonly shown: readonly Shown[]
  /** What somebody else's device is on as well. */
  readonly machine: Machine
  /** Where there is somebody else: all that was shown, and all that was typed in. */
  readonly screens: readonly string[]
  readonly typed: readonly string[]
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
  setFull(what: Lacking): void
  /** Nothing is at work: what was sent has been taken in. */
  look(): void
  inUse(): ReadonlySet<string>
  /** How many lie on its disk. */
  records(): number
}

export type Shown = Pick<Tab, 'marker' | 'seen'>

/** What all who use one browser have in common: its storage, and the channel between its tabs. */
export interface Machine {
  readonly media: Media
  readonly texts: Map<string, string>
  readonly together: MemoryTabs
  /** Several people use it. */
  readonly isShared: boolean
}

export const createMachine = (isShared: boolean): Machine => ({ media: new Map(), texts: new Map(), together: createMemoryTabs(), isShared })

interface DeviceDeps {
  readonly time: Time
  readonly points: Points
  readonly network: () => Network
  readonly workload: Workload
  readonly seed: number
  readonly found: (checker: Checker, text: string) => void
  readonly onTrouble: (error: unknown) => void
}

interface Whose {
  readonly name: string
  readonly person: string
  /** How many tabs the person has open, if nothing happens to them; 1: a process that is alone with its disk. */
  readonly tabsMax: number
  readonly machine: Machine
}

export function createSimulatedDevice(deps: DeviceDeps, { name, person, tabsMax, machine }: Whose, delayMs: Line['delayMs']): SimulatedDevice {
  const { time, points, workload, seed, found } = deps
  const { texts, together, isShared } = machine
  const disk = createDisk(time, points, tabsMax > 1, machine.media)
  const line: Line = { delayMs, isOnline: true, silent: new Set(), bytesPerMs: null, frames: [], grasps: [] }
  const listeners = new Set<() => void>()
  const made: Made[] = []
  const traffic = createTraffic()
  const screens: string[] = []
  const typed: string[] = []
  const older: (readonly string[])[] = []
  const tabs: Tab[] = []
  // They close, and may die of it.
  const leaving = new Set<Tab>()
  const shown: Shown[] = []
  const nobodysYet: Owner = { name, isDead: true, isFrozen: false }
  let starts = 0
  let skewMs = 0
  let isClosing = false

  const network = networkOf(line, listeners)

  function start(): void {
    if (tabs.length === 0 && !isClosing) older.push(disk.copy())
    while (tabs.length < tabsMax && !isClosing) open()
  }

  function open(): void {
    starts++
    const marker = tabsMax > 1 ? `${name} tab ${starts}` : name
    const marks = made.filter((one) => one.marker === marker && one.mark !== null).length
    const openTabs = tabsMax > 1 ? together.open : undefined
    const onShown = isShared ? (rows: string) => void screens.push(rows) : () => {}
    const given = { ...deps, wires: deps.network(), disk, line, network, texts, openTabs, onShown, skewMs: () => skewMs }
    const tab = createTab(given, { name, person, marker, marks }, randomOf(seed, `${name} ${starts}`))
    tabs.push(tab)
    if (tabsMax > 1) shown.push(tab)
  }

  function end(tab: Tab, part: number): void {
    if (tab.owner.isDead) return
    if (tabs.includes(tab)) tabs.splice(tabs.indexOf(tab), 1)
    tab.end(part)
    if (tabsMax === 1) traffic.forget()
  }

  function forget(): void {
    for (const one of made) Object.assign(one, { isForgotten: true, isGone: one.isGone || one.outcome === null })
  }

  /** One of those that somebody can use now. */
  const awake = (at: number) => {
    const able = isClosing ? [] : tabs.filter(({ owner }) => !owner.isFrozen)
    return able[at % able.length]
  }

  function shownBy(opened: Opened): Moment['rows'] {
    const rows = rowsOf(workload.schema, opened)
    const isWaiting = opened.status.get().pending > 0
    const wrong = (!isWaiting || workload.isAlways) && workload.wrong?.((table) => rows.get(table) ?? [])
    if (wrong) found('one state per checkpoint', `${name} shows what cannot be: ${wrong}`)
    return isWaiting ? null : rows
  }

  function kill(part: number, what: DiskOf, other: readonly string[]): void {
    for (const tab of [...tabs, ...leaving]) end(tab, part)
    isClosing = false
    if (what === 'kept') return
    forget()
    for (const of of [...texts.keys()]) if (of.startsWith(disk.name())) texts.delete(of)
    if (what === 'evicted') disk.evict()
    else void disk.putBack(what === 'older' ? (older.at(-1) ?? []) : other)
  }

  async function close(isWiped: boolean): Promise<void> {
    const closing = [...tabs]
    if (closing.length === 0 || isClosing) return
    isClosing = true
    if (isWiped) forget()
    const parting = ({ client }: Tab, i: number) => (isWiped && i === 0 ? client.wipe() : client.close()).then(() => true, deps.onTrouble)
    const parted = await Promise.all(closing.map((tab, i) => Promise.race([parting(tab, i), tab.died])))
    const left = [...disk.copy(), ...[...texts.keys()].filter((of) => of.startsWith(disk.name()))]
    if (isWiped && parted.every((isDone) => isDone) && left.length > 0) found('nothing of another person', `${name} has signed out, and left ${left.join()}`)
    // It may have died meanwhile, and another be there. A process that has ended has no files open, whatever became of the closing of its disk.
    for (const tab of closing) end(tab, 1)
    isClosing = false
  }

  return {
    name,
    person,
    line,
    owner: (at = 0) => tabs[at % tabs.length]?.owner ?? nobodysYet,
    owners: () => tabs.map(({ owner }) => owner),
    client: () => (isClosing ? null : (tabs[0]?.client ?? null)),
    clients: () => (isClosing ? [] : tabs.map(({ client }) => client)),
    ...traffic,
    made,
    shown,
    machine,
    screens,
    typed,
    act: (act, at = 0) => {
      const tab = awake(at)
      if (!tab) return
      made.push(tab.act(act))
      typed.push(JSON.stringify(act.args))
    },
    use: (kind, key, forMs, at = 0) => awake(at)?.use(kind, key, forMs),
    start,
    copy: disk.copy,
    kill,
    killTab: (owner, how) => {
      const tab = [...tabs, ...leaving].find((one) => one.owner === owner)
      if (!tab) return
      if (how === 'left') tab.leave()
      end(tab, 0.5)
    },
    closeTab: async (at) => {
      const tab = awake(at)
      if (!tab) return
      tabs.splice(tabs.indexOf(tab), 1)
      leaving.add(tab)
      await Promise.race([tab.client.close().catch(deps.onTrouble), tab.died])
      leaving.delete(tab)
      end(tab, 1)
    },
    close,
    setOnline: (isOnline) => {
      line.isOnline = isOnline
      for (const run of [...listeners]) run()
    },
    setClock: (byMs) => {
      skewMs += byMs
    },
    setFull: disk.setFull,
    look: () => {
      const opened = isClosing ? null : tabs[0]?.client
      traffic.settle(opened ? () => (tabsMax > 1 ? null : shownBy(opened)) : null)
      if (tabsMax > 1 && !traffic.wasMisled() && !isClosing) for (const tab of tabs) tab.look(traffic.states.length)
    },
    inUse: () => new Set(tabs.flatMap(({ uses }) => [...uses.values()])),
    records: () => disk.copy().length,
  }
}

function networkOf(line: Line, listeners: Set<() => void>): Connectivity {
  return {
    isOnline: () => line.isOnline,
    onChange: (run) => {
      listeners.add(run)
      return () => void listeners.delete(run)
    },
  }
}
