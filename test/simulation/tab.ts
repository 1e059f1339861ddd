// One process of a device, the real client on ports of its own: a tab of its browser, or all there is.
import { type Client, createClient, type Network, type OpenSocket, type Outcome, type PendingMutation } from '@headwater/client'
import type { MemoryTab } from '@headwater/client/node'
import type { MutationId } from '@headwater/protocol'
import type { Mutators, Schema } from '@headwater/schema'
import type { Note } from '../../packages/client/src/ports.ts'
import { rowsOf } from '../harness/generated/device.ts'
import type { Row } from '../harness/generated/past.ts'
import type { Random } from '../harness/generated/random.ts'
import { bytesOf } from './chance.ts'
import type { Checker } from './checkers.ts'
import type { SimulatedDisk } from './disk.ts'
import type { Line, Network as Wires } from './network.ts'
import type { Points } from './points.ts'
import type { Owner, Time } from './time.ts'
import type { Act, Workload } from './workloads/workload.ts'

/** A mutation as the app saw it. */
export interface Made {
  readonly id: MutationId
  readonly device: string
  /** Whose marks it counts: those of one device are in order, and of several tabs, each tab's. */
  readonly marker: string
  /** The so-many-th of its marker; null: a built-in, which leaves no mark. */
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

/** What it showed at some moment while it waited for nothing. */
export interface Seen {
  /** How many states its device had been told of by then. */
  readonly states: number
  readonly rows: ReadonlyMap<string, readonly Row[]>
}

export interface Tab {
  readonly owner: Owner
  readonly client: Opened
  readonly marker: string
  readonly seen: readonly Seen[]
  act(act: Act): Made
  use(kind: string, key: string, forMs: number): void
  readonly uses: ReadonlyMap<object, string>
  /** Remembers what it shows, if that is something else than it was. */
  look(states: number): void
  /** The page goes away: it has this moment for what it has not written. */
  leave(): void
  /** Resolves when it is dead. */
  readonly died: Promise<void>
  /** It is dead: of what it has on its way to the disk the first part stays. */
  end(part: number): void
}

export interface TabDeps {
  readonly time: Time
  readonly points: Points
  readonly workload: Workload
  readonly found: (checker: Checker, text: string) => void
  readonly onTrouble: (error: unknown) => void
  readonly wires: Wires
  readonly disk: SimulatedDisk
  readonly line: Line
  readonly network: Network
  /** What tabs have in common besides the disk. */
  readonly texts: Map<string, string>
  /** undefined: it is alone. */
  readonly openTabs: ((onTask: (run: () => void) => void) => MemoryTab) | undefined
  readonly skewMs: () => number
  /** Rows, as a live query tells them. */
  readonly onShown: (rows: string) => void
}

export interface TabNames {
  readonly name: string
  readonly person: string
  readonly marker: string
  /** How many marks it has left before. */
  readonly marks: number
}

export function createTab(deps: TabDeps, { name, person, marker, marks: before }: TabNames, random: Random): Tab {
  const { time, points, workload, found, texts } = deps
  const { schema, mutators, access } = workload
  const owner: Owner = { name, isDead: false, isFrozen: false }
  const leaving = new Set<() => void>()
  const uses = new Map<object, string>()
  const seen: Seen[] = []
  const tabs = deps.openTabs?.((run) => void time.timer(owner, 0, run))
  let marks = before
  let die = () => {}
  const died = new Promise<void>((resolve) => {
    die = resolve
  })
  let isChanged = true
  let isReady = false
  const note: Note = {
    read: (start) => (points.pass(owner, 'note.read') ? [] : [...texts].filter(([of]) => of.startsWith(start))),
    write: (of, text) => {
      if (points.pass(owner, 'note.write')) return
      if (text) texts.set(of, text)
      else texts.delete(of)
    },
    onLeave: (run) => {
      leaving.add(run)
      return () => void leaving.delete(run)
    },
  }
  const client: Opened = createClient({
    schema,
    mutators,
    access,
    user: person,
    url: 'http://simulation',
    ports: {
      clock: { now: () => time.now() + deps.skewMs(), timer: (afterMs, run) => time.timer(owner, afterMs, run) },
      chance: { bytes: (length) => bytesOf(random, length), fraction: () => random.int(1_000_000) / 1_000_000 },
      openSocket: grasping(deps.wires.socketsOf(owner, person, deps.line, random)),
      network: { isOnline: deps.network.isOnline, onChange: (run) => deps.network.onChange(() => owner.isDead || run()) },
      openDisk: deps.disk.opener(owner, random),
      tabs,
      note,
    },
  })
  client.onError(deps.onTrouble)
  client.ready.then(
    () => {
      isReady = true
    },
    () => {},
  )
  for (const table of Object.keys(schema.definitions)) watch(table)

  /** What is let go of may be used again before anybody has heard of it. */
  function grasping(open: OpenSocket): OpenSocket {
    return (url, events) => {
      const socket = open(url, events)
      const send = (frame: string) => {
        socket.send(frame)
        const forMs = frame.startsWith('{"type":"release"') ? deps.line.grasps.shift() : undefined
        const [scope = ''] = forMs === undefined ? [] : JSON.parse(frame).scopes
        const at = String(scope).indexOf(':')
        if (forMs !== undefined) queueMicrotask(() => use(String(scope).slice(0, at), String(scope).slice(at + 1), forMs))
      }
      return { ...socket, send }
    }
  }

  /** A live query says what the same question answers anew. */
  function watch(table: string): void {
    const [key = 'id'] = schema.definitions[table]?.key ?? []
    for (const query of [client.query[table], client.query[table]?.orderBy(key, 'desc').limit(3)]) {
      const live = query?.live()
      live?.subscribe(() => {
        isChanged = true
        const [told, anew] = [JSON.stringify(live.result().rows), JSON.stringify(query?.all())]
        deps.onShown(told)
        if (told !== anew) found('live query equals recomputation', `${name}, ${table}: ${told} and not ${anew}`)
      })
    }
  }

  function act(asked: Act): Made {
    const { name: called } = asked
    const args = workload.atHand?.(asked, (of) => client.query[of]?.all() ?? []) ?? asked.args
    const [table = '', verb] = called.split('.')
    const mark = verb ? null : ++marks
    const shownBefore = client.query.marks?.where({ id: marker }).first()
    // The schema is not known to the compiler here; the workload draws what it declares.
    const members = client.mutate as unknown as Record<string, Record<string, (given: unknown) => PendingMutation> & ((given: unknown) => PendingMutation)>
    const pending = verb ? members[table]?.[verb]?.(args) : members[called]?.({ ...args, mark: { device: marker, made: mark } })
    if (!pending) throw new Error(`There is no ${called}.`)
    const one: Made = {
      ...{ id: pending.id, device: name, marker, mark, name: called, atMs: time.now() },
      ...{ state: 'made', outcome: null, isGone: false, isForgotten: false },
    }
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
      const shown = client.query.marks?.where({ id: marker }).first()
      if (shownBefore && mark !== null && !workload.mayWait && !owner.isDead && one.outcome === null && shown?.last !== mark)
        found('read your writes', `${marker} does not show its ${mark}th, ${called}, but ${shown?.last}`)
    }
    if (client.status.get().phase !== 'starting') setImmediate(look)
    return one
  }

  function use(kind: string, key: string, forMs: number): void {
    const handle = client.scope(kind, key)
    handle.ready.catch(() => {})
    uses.set(handle, `${kind}:${key}`)
    time.timer(owner, forMs, () => {
      uses.delete(handle)
      handle.release()
    })
  }

  return {
    owner,
    client,
    marker,
    seen,
    act,
    uses,
    use,
    look: (states) => {
      const isWaiting = client.status.get().pending > 0
      if (!isReady || !isChanged || (isWaiting && !workload.isAlways) || client.status.get().phase === 'stopped') return
      isChanged = isWaiting
      const rows = rowsOf(schema, client)
      const wrong = workload.wrong?.((table) => rows.get(table) ?? [])
      if (wrong) found('one state per checkpoint', `${marker} shows what cannot be: ${wrong}`)
      if (!isWaiting) seen.push({ states, rows })
    },
    leave: () => {
      for (const run of [...leaving]) run()
    },
    died,
    end: (part) => {
      die()
      owner.isDead = true
      uses.clear()
      points.disarm(owner)
      tabs?.kill()
      deps.disk.crash(part, owner)
    },
  }
}
