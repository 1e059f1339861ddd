// A device of the simulation: the real client on ports of its own, which dies, starts again and is looked at.
import { type Client, createClient, type Outcome, type PendingMutation } from '@headwater/client'
import { type Checkpoint, decodeDown, decodeUp, type MutationId } from '@headwater/protocol'
import type { Mutators, Schema } from '@headwater/schema'
import { type Moment, rowsOf } from '../harness/generated/device.ts'
import { bytesOf, randomOf } from './chance.ts'
import type { Checker } from './checkers.ts'
import { createDisk } from './disk.ts'
import type { FrameMishap, Line, Network, Way } from './network.ts'
import type { DiskOf } from './plan.ts'
import type { Points } from './points.ts'
import type { Owner, Time } from './time.ts'
import type { Act, Workload } from './workloads/workload.ts'

/** A mutation as the app saw it. */
export interface Made {
  readonly id: MutationId
  readonly device: string
  /** The so-many-th of its device; null: a built-in, which leaves no mark. */
  readonly mark: number | null
  readonly name: string
  readonly atMs: number
  state: 'made' | 'saved' | 'unsaved'
  outcome: Outcome | null
  /** The disk that it was saved on was taken away before it was confirmed. */
  isGone: boolean
  /** The disk that remembered it was taken away, before or after. */
  isForgotten: boolean
}

export type Opened = Client<Schema, Mutators>

export interface SimulatedDevice {
  readonly name: string
  readonly person: string
  readonly line: Line
  owner(): Owner
  /** null: it is not running. */
  client(): Opened | null
  readonly made: readonly Made[]
  readonly moments: readonly Moment[]
  readonly frames: readonly string[]
  /** The ids by which it has greeted. */
  readonly ids: ReadonlySet<string>
  /** By id, mutations of which it was told what became, whichever process had made them. */
  readonly told: ReadonlySet<string>
  act(act: Act): void
  use(kind: string, key: string, forMs: number): void
  start(): void
  /** It dies: of what is on its way to the disk the first part stays. `copied`: its disk is `other` from now on. */
  kill(part: number, disk: DiskOf, other: readonly string[]): void
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

interface DeviceDeps {
  readonly time: Time
  readonly points: Points
  readonly network: () => Network
  readonly workload: Workload
  readonly seed: number
  readonly found: (checker: Checker, text: string) => void
  readonly onTrouble: (error: unknown) => void
}

export function createSimulatedDevice(deps: DeviceDeps, name: string, person: string, delayMs: Line['delayMs']): SimulatedDevice {
  const { time, points, workload, seed, found } = deps
  const { schema, mutators, access } = workload
  const disk = createDisk(time, points)
  const line: Line = { delayMs, isOnline: true, silent: new Set(), bytesPerMs: null, frames: [] }
  const listeners = new Set<() => void>()
  const made: Made[] = []
  const moments: Moment[] = []
  const frames: string[] = []
  const ids = new Set<string>()
  const told = new Set<string>()
  const sent = new Map<string, string>()
  let greetedAs = ''
  const uses = new Map<object, string>()
  const older: (readonly string[])[] = []
  let owner: Owner = { name, isDead: true, isFrozen: false }
  let client: Opened | null = null
  let starts = 0
  let marks = 0
  let skewMs = 0
  let note = ''
  let [granted, held]: [Set<string>, Set<string>] = [new Set(), new Set()]
  let heard: Checkpoint[] = []
  let isMisled = false
  let isClosing = false

  function start(): void {
    if (client || isClosing) return
    starts++
    const mine: Owner = { name, isDead: false, isFrozen: false }
    owner = mine
    const random = randomOf(seed, `${name} ${starts}`)
    const port = (point: string) => points.pass(mine, point)
    older.push(disk.copy())
    const opened: Opened = createClient({
      schema,
      mutators,
      access,
      user: person,
      url: 'http://simulation',
      ports: {
        clock: { now: () => time.now() + skewMs, timer: (afterMs, run) => time.timer(mine, afterMs, run) },
        chance: { bytes: (length) => bytesOf(random, length), fraction: () => random.int(1_000_000) / 1_000_000 },
        openSocket: deps.network().socketsOf(mine, person, line, random),
        network: {
          isOnline: () => line.isOnline,
          onChange: (run) => {
            listeners.add(run)
            return () => void listeners.delete(run)
          },
        },
        openDisk: disk.opener(mine, random),
        tabs: undefined,
        note: {
          read: (start) => (port('note.read') || !note ? [] : [[start, note]]),
          write: (_, text) => {
            if (!port('note.write')) note = text
          },
          onLeave: () => () => {},
        },
      },
    })
    opened.onError(deps.onTrouble)
    client = opened
    for (const table of Object.keys(schema.definitions)) watch(opened, table)
  }

  /** A live query says what the same question answers anew. */
  function watch(opened: Opened, table: string): void {
    const [key = 'id'] = schema.definitions[table]?.key ?? []
    const asked = [opened.query[table], opened.query[table]?.orderBy(key, 'desc').limit(3)]
    for (const query of asked) {
      const live = query?.live()
      const look = () => {
        const [told, anew] = [JSON.stringify(live?.result().rows), JSON.stringify(query?.all())]
        if (told !== anew) found('live query equals recomputation', `${name}, ${table}: ${told} and not ${anew}`)
      }
      live?.subscribe(look)
    }
  }

  function end(): void {
    owner.isDead = true
    client = null
    isClosing = false
    listeners.clear()
    uses.clear()
    heard = []
    points.disarm(owner)
  }

  function forget(): void {
    for (const one of made) Object.assign(one, { isForgotten: true, isGone: one.isGone || one.outcome === null })
  }

  function act({ name: called, args }: Act): void {
    const opened = client
    if (!opened || owner.isFrozen) return
    const [table = '', verb] = called.split('.')
    const mark = verb ? null : ++marks
    const before = opened.query.marks?.where({ id: name }).first()
    // The schema is not known to the compiler here; the workload draws what it declares.
    const members = opened.mutate as unknown as Record<string, Record<string, (given: unknown) => PendingMutation> & ((given: unknown) => PendingMutation)>
    const pending = verb ? members[table]?.[verb]?.(args) : members[called]?.({ ...args, mark: { device: name, made: mark } })
    if (!pending) throw new Error(`There is no ${called}.`)
    const one: Made = { id: pending.id, device: name, mark, name: called, atMs: time.now(), state: 'made', outcome: null, isGone: false, isForgotten: false }
    made.push(one)
    pending.saved.then(
      () => {
        one.state = 'saved'
      },
      () => {
        one.state = 'unsaved'
      },
    )
    void pending.confirmed.then((outcome) => {
      one.outcome = outcome
    })
    // A mutator runs within microtasks; nothing else happens before.
    const look = () => {
      const shown = opened.query.marks?.where({ id: name }).first()
      if (before && mark !== null && !workload.mayWait && client === opened && one.outcome === null && shown?.last !== mark)
        found('read your writes', `${name} does not show its ${mark}th, ${called}, but ${shown?.last}`)
    }
    if (opened.status.get().phase !== 'starting') setImmediate(look)
  }

  function follow(checkpoint: Checkpoint, opened: Opened): void {
    if (checkpoint.replace) [granted, held] = [new Set(), new Set()]
    for (const scope of checkpoint.left.granted) granted.delete(scope)
    for (const scope of checkpoint.left.held) held.delete(scope)
    for (const scope of checkpoint.joined.granted) granted.add(scope)
    for (const scope of checkpoint.joined.held) held.add(scope)
    const shown = rowsOf(schema, opened)
    const isWaiting = opened.status.get().pending > 0
    const wrong = (!isWaiting || workload.isAlways) && workload.wrong?.((table) => shown.get(table) ?? [])
    if (wrong) found('one state per checkpoint', `${name} shows what cannot be: ${wrong}`)
    const rows = isWaiting ? null : shown
    moments.push({ cursor: checkpoint.cursor, granted: new Set(granted), held: new Set(held), rows })
  }

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
    if (message.type === 'release') for (const scope of message.scopes) held.delete(scope)
  }

  return {
    name,
    person,
    line,
    owner: () => owner,
    client: () => client,
    made,
    moments,
    frames,
    ids,
    told,
    act,
    use: (kind, key, forMs) => {
      const handle = client?.scope(kind, key)
      if (!handle) return
      handle.ready.catch(() => {})
      uses.set(handle, `${kind}:${key}`)
      time.timer(owner, forMs, () => {
        uses.delete(handle)
        handle.release()
      })
    },
    start,
    copy: disk.copy,
    kill: (part, what, other) => {
      end()
      disk.crash(part)
      if (what === 'kept') return
      forget()
      note = ''
      if (what === 'evicted') disk.evict()
      else void disk.putBack(what === 'older' ? (older.at(-1) ?? []) : other)
    },
    close: async (isWiped) => {
      const closing = client
      const mine = owner
      if (!closing) return
      client = null
      isClosing = true
      if (isWiped) forget()
      await (isWiped ? closing.wipe() : closing.close()).catch(deps.onTrouble)
      // It may have died meanwhile, and another be there.
      if (mine.isDead) return
      end()
      // A process that has ended has no files open, whatever became of the closing of its disk.
      disk.crash(1)
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
        }
        hear(way, frame, mishap)
      } catch {
        // It is garbage, which both ends notice for themselves.
      }
    },
    look: () => {
      const opened = client
      for (const checkpoint of heard.splice(0)) if (opened && !isMisled) follow(checkpoint, opened)
    },
    inUse: () => new Set(uses.values()),
    records: () => disk.copy().length,
  }
}
