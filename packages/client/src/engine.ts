// Puts the parts of the engine together: what each needs of the others is passed here, and nowhere else.
import { asError, deviceId, HeadwaterError } from '@headwater/protocol'
import type { Mutators, Schema } from '@headwater/schema'
import { diskName, socketUrl } from './address.ts'
import type { Eviction, LiveValue, PendingMutation, RowsOption, SetAside, Status, Upgrade } from './api.ts'
import { createIds } from './id.ts'
import { createHeard } from './outbox/heard.ts'
import { createOutbox, type Later, type Outbox } from './outbox/outbox.ts'
import { restore } from './outbox/restore.ts'
import type { Channel, Disk, DiskRecord, Note, Ports } from './ports.ts'
import { createJournal, type Journal, type JournalDeps } from './store/journal.ts'
import { formatVersion } from './store/record.ts'
import { createStore, type Store } from './store/store.ts'
import { createSubscribers } from './store/subscribers.ts'
import { createSync, type Sync, type SyncDeps } from './sync/sync.ts'
import type { Group } from './tabs/tabs.ts'
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
  readonly upgrade?: Upgrade | undefined
  readonly ports: Ports
  /** The address of the page, which `url` may be relative to. */
  readonly page: string | undefined
}

export function createEngine(options: EngineOptions): Engine {
  const { url, user, ports, page } = options
  const { clock, note, tabs } = ports
  const name = diskName(user, url)
  let stopListening = () => {}
  const newId = createIds(ports)
  const tab = name + newId()
  // Other tabs, once there is one, and the lock that one of them all has.
  let group: Group | null = null
  let free: (() => void) | null = null
  let channel: Channel | null = null
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
  const shared = { ...options, clock, newId, later, report, onChange: refresh }
  const wrap = options.rows?.wrap ?? ((one) => one)
  const store: Store = wrap(createStore({ ...shared, stateOf: (table) => sync.holds.stateOf(table) }), () => outbox.pending(), report)
  const heard = createHeard()
  const outbox = createOutbox({
    ...shared,
    store,
    heard,
    assertHeld: (...asked) => sync.holds.assertHeld(...asked),
    keep: (record, done) => (journal ? journal.keep(record, done) : queueMicrotask(() => done(trouble))),
    lead: (record, done) => (journal ? journal.lead(record, done) : queueMicrotask(done)),
    isTalking: () => sync.isTalking(),
    obstacle: () => obstacle,
    onWritten: () => sync.wanted(),
  })
  const gate: SyncDeps['gate'] = (frame, run) => (group ? group.gate(frame, run) : run())
  const sync: Sync = createSync({ ...shared, url: socketUrl(url, page), store, outbox, journal: () => journal, gate })

  function rowsHeld(): number {
    let sum = 0
    for (const { rows } of store.tables.values()) sum += rows.size
    for (const { rows } of store.staged()) sum += rows.length
    return sum
  }

  function refresh(): void {
    const leads = group?.told() ?? sync
    const problem = obstacle ?? trouble ?? leads.problem()
    const phase = leads.phase()
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
  const leave = () => journal && note?.write(tab, outbox.unsaved())

  const clear = ([of]: readonly [string, string]) => note?.write(of, '')

  function onTrouble(error: HeadwaterError | null): void {
    trouble = error
    if (error) report(error)
    refresh()
  }

  /** Another tab is there, or was. What they have to do with each other is fetched: null where that cannot be. */
  const share = (): Promise<Group | null> =>
    import('./tabs/tabs.ts').then(
      (tabs) => {
        if (!group && channel) {
          channel.close()
          group = tabs.createGroup({ ...shared, store, name, sync, outbox, status, free, close, subscribe: changes.add })
          if (journal) journal = group.join(journal.handOver())
        }
        return group
      },
      () => null,
    )

  function onLost(): void {
    free = null
    void share().then(() => group?.lost())
  }

  function part(): void {
    channel?.close()
    free?.()
    group?.leave()
  }

  async function start(): Promise<void> {
    const open = () => ports.openDisk(name)
    let left: ReturnType<Note['read']> = []
    let disk: Disk | null = null
    let records: readonly DiskRecord[] = []
    try {
      if (tabs) {
        free = await tabs.lock(name, { ifAvailable: true }, onLost)
        channel = tabs.open(name, share)
        // Another tab has it: this one follows.
        if (!free && !(await share())) throw new HeadwaterError('disk-blocked', 'Another tab has it.', 'Reload the page.')
        await group?.ready
      }
      const opened = await open()
      records = await opened.read()
      left = note?.read(name) ?? []
      disk = opened
    } catch (error) {
      // A device without a disk works in memory, and says that it does.
      onTrouble(toError(error))
      part()
    }
    // What lies on the disk as well is heard once.
    const restored = restore([...records, ...left.map(([, record]) => record)], store, heard, report, options.rows)
    const device = restored.isWhole && heard.identity().device
    const { eviction } = sync.holds
    const kept = () => [...outbox.records(), ...(eviction?.records() ?? [])]
    const everything: JournalDeps['everything'] = async (outbox = kept, heard = null) => {
      const welcome = () => heard ?? sync.welcome() ?? restored.welcome
      // A device that has met no server has nothing but its outbox, and fetches nothing for it.
      return welcome() ? (await later()).everything(store, outbox, welcome(), clock) : outbox()
    }
    const deps = { open, later, share, onTrouble, outbox: kept, everything, rowsHeld }
    if (disk) journal = (group?.join ?? createJournal)({ disk, deps, weight: restored.weight, count: records.length, waiting: [] })
    eviction?.restore(records)
    // Queries know the rows before what is pending shows above them.
    store.startAnew()
    outbox.open(deviceId(device || newId()))
    // A device that is new, or whose store was damaged, begins its log.
    if (!device) journal?.restart()
    if (formatVersion > 1 && restored.weight === Infinity) journal?.compact()
    for (const one of left) journal?.keep(one[1], (error) => error || clear(one))
    // Nothing is sent before.
    if (options.upgrade && outbox.pending()) await later().then(({ upgraded }) => upgraded({ ...shared, outbox }), report)
    isStarting = false
    if (note) stopListening = note.onLeave(leave)
    const leads = group ?? sync
    leads.start()
  }

  async function close(): Promise<void> {
    await ready.catch(() => {})
    obstacle = new HeadwaterError('closed', 'This store is closed.')
    sync.stop()
    await outbox.settled()
    await journal?.close().catch(report)
    stopListening()
    part()
    refresh()
  }

  async function wipe(): Promise<void> {
    group?.end()
    await close()
    note?.read(name).forEach(clear)
    await journal?.wipe()
  }

  const ready = start().catch((error) => {
    obstacle = toError(error)
    part()
    outbox.abandon(obstacle)
    refresh()
    throw obstacle
  })
  ready.catch(report)

  const lists = { pending: follow(outbox.waiting), setAside: follow(outbox.setAside) }
  return { store, outbox, sync, status, ...lists, ready, newId, later, onError: listeners.add, settled: async () => journal?.settled(), close, wipe }
}

/** What could not be fetched is fetched again when it is needed again. */
const later = () =>
  import('./later.ts').catch((error) => {
    throw asError(error, 'not-fetched')
  })

const toError = (error: unknown) => asError(error, 'internal')
