// Puts the parts of the engine together: what each needs of the others is passed here, and nowhere else.
import { asError, deviceId, HeadwaterError } from '@headwater/protocol'
import type { Mutators, Schema } from '@headwater/schema'
import { diskName, socketUrl } from './address.ts'
import type { Eviction, LiveValue, PendingMutation, RowsOption, SetAside, Status } from './api.ts'
import { createIds } from './id.ts'
import { createOutbox, type Later, type Outbox } from './outbox/outbox.ts'
import { restore } from './outbox/restore.ts'
import type { Disk, DiskRecord, Ports } from './ports.ts'
import { createJournal, type Journal } from './store/journal.ts'
import { createStore, type Store } from './store/store.ts'
import { createSubscribers } from './store/subscribers.ts'
import { createSync, type Sync } from './sync/sync.ts'
import { createValue, type SettableValue } from './value.ts'

export interface Engine {
  readonly store: Store
  readonly outbox: Outbox
  readonly sync: Sync
  readonly status: SettableValue<Status>
  readonly pending: LiveValue<readonly PendingMutation[]>
  readonly setAside: LiveValue<readonly SetAside[]>
  readonly ready: Promise<void>
  readonly newId: () => string
  readonly later: () => Promise<Later>
  onError(run: (error: HeadwaterError) => void): () => void
  /** Resolves when everything that was said to the disk by now is there, or cannot be: `status` says so. */
  settled(): Promise<void>
  close(): Promise<void>
  wipe(): Promise<void>
}

export interface EngineOptions {
  readonly schema: Schema
  readonly mutators: Mutators
  readonly url: string
  readonly user: string
  readonly eviction?: Eviction | undefined
  readonly rows?: RowsOption | undefined
  readonly ports: Ports
  /** The address of the page, which `url` may be relative to. */
  readonly page: string | undefined
}

export function createEngine(options: EngineOptions): Engine {
  const { url, user, ports, page } = options
  const { clock, note } = ports
  const name = diskName(user, url)
  let stopListening = () => {}
  const newId = createIds(ports)
  // Nobody is left to tell of a listener that throws.
  const listeners = createSubscribers<[HeadwaterError]>(() => {})
  const report = (error: unknown) => listeners.run(toError(error))
  let journal: Journal | null = null
  // Why the disk cannot be written, and why nothing can be made at all.
  let trouble: HeadwaterError | null = null
  let obstacle: HeadwaterError | null = null
  let isStarting = true

  const status = createValue<Status>({ online: false, phase: 'starting', loading: null, pending: 0, setAside: 0, problem: null }, report)
  const changes = createSubscribers(report)
  const follow = <T>(get: () => T): LiveValue<T> => ({ get, subscribe: changes.add })
  const shared = { ...options, clock, newId, report, onChange: refresh }
  const wrap = options.rows?.wrap ?? ((one) => one)
  const store: Store = wrap(createStore({ ...shared, stateOf: (table) => sync.holds.stateOf(table) }), () => outbox.pending(), report)
  const outbox = createOutbox({
    ...shared,
    store,
    later,
    assertHeld: (...asked) => sync.holds.assertHeld(...asked),
    keep: (record, done) => (journal ? journal.keep(record, done) : queueMicrotask(() => done(trouble))),
    lead: (record, done) => (journal ? journal.lead(record, done) : queueMicrotask(done)),
    isTalking: () => sync.isTalking(),
    obstacle: () => obstacle,
    onWritten: () => sync.wanted(),
  })
  const sync: Sync = createSync({ ...shared, later, url: socketUrl(url, page), store, outbox, journal: () => journal })

  function rowsHeld(): number {
    let sum = 0
    for (const { rows } of store.tables.values()) sum += rows.size
    for (const { rows } of store.staged()) sum += rows.length
    return sum
  }

  function refresh(): void {
    const problem = obstacle ?? trouble ?? sync.problem()
    const phase = sync.phase()
    status.set({
      online: phase === 'live',
      loading: phase === 'loading' ? { rows: rowsHeld(), total: store.marked()?.total ?? null } : null,
      phase: obstacle ? 'stopped' : isStarting ? 'starting' : phase,
      pending: outbox.pending(),
      setAside: outbox.setAside().length,
      problem: problem && { code: problem.code, message: problem.message, hint: problem.hint },
    })
    changes.run()
  }

  /** What is not on the disk when the page goes away is found by the next one; what is by now, is not. */
  const leave = () => journal && note?.write(name, outbox.unsaved())

  function onTrouble(error: HeadwaterError | null): void {
    trouble = error
    if (error) report(error)
    refresh()
  }

  async function start(): Promise<void> {
    const open = () => ports.openDisk(name)
    let left = ''
    let disk: Disk | null = null
    let records: readonly DiskRecord[] = []
    try {
      const opened = await open()
      records = await opened.read()
      left = note?.read(name) ?? ''
      disk = opened
    } catch (error) {
      // A device without a disk works in memory, and says that it does.
      onTrouble(toError(error))
    }
    // What lies on the disk as well is heard once.
    const restored = restore(left ? [...records, left] : records, store, report, options.rows)
    const device = restored.isWhole && restored.heard.identity().device
    const { eviction } = sync.holds
    const kept = () => [...outbox.records(), ...(eviction?.records() ?? [])]
    const everything = async () => {
      const welcome = () => sync.welcome() ?? restored.welcome
      // A device that has met no server has nothing but its outbox, and fetches nothing for it.
      return welcome() ? (await later()).everything(store, kept, welcome(), clock) : kept()
    }
    if (disk) journal = createJournal({ open, outbox: kept, onTrouble, everything, rowsHeld }, disk, { count: records.length, weight: restored.weight })
    eviction?.restore(records)
    // Queries know the rows before what is pending shows above them.
    store.startAnew()
    outbox.open(restored, deviceId(device || newId()))
    // A device that is new, or whose store was damaged, begins its log.
    if (!device) journal?.restart()
    if (left) journal?.keep(left, leave)
    isStarting = false
    if (note) stopListening = note.onLeave(leave)
    sync.start()
  }

  async function close(): Promise<void> {
    await ready.catch(() => {})
    obstacle = new HeadwaterError('closed', 'This store is closed.')
    sync.stop()
    await outbox.settled()
    await journal?.close().catch(report)
    stopListening()
    refresh()
  }

  const ready = start().catch((error) => {
    obstacle = toError(error)
    outbox.abandon(obstacle)
    refresh()
    throw obstacle
  })
  ready.catch(report)

  return {
    store,
    outbox,
    sync,
    status,
    pending: follow(outbox.waiting),
    setAside: follow(outbox.setAside),
    ready,
    newId,
    later,
    onError: listeners.add,
    settled: async () => journal?.settled(),
    close,
    wipe: async () => {
      await close()
      leave()
      await journal?.wipe()
    },
  }
}

/** What could not be fetched is fetched again when it is needed again. */
const later = () =>
  import('./later.ts').catch((error) => {
    throw asError(error, 'not-fetched')
  })

const toError = (error: unknown) => asError(error, 'internal')
