// Invariant: mutations are numbered 1, 2, 3 ... in the order they were made, a number is on the disk before it is sent, and
// a mutation leaves the outbox only with the checkpoint that holds its outcome.
import {
  type Checkpoint,
  type DeviceId,
  HeadwaterError,
  type Json,
  type Load,
  type MutationId,
  mutationId,
  type Outcome,
  type Welcome,
} from '@headwater/protocol'
import { type Mutators, own, type Schema, validate } from '@headwater/schema'
import { rehearsed } from '#rehearse'
import type { PendingMutation, SetAside } from '../api.ts'
import type { Clock, DiskRecord } from '../ports.ts'
import type { View } from '../store/layer.ts'
import { headerRecord, type Identity, type Made, outboxRecord, setAsideOf } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { isBuiltIn, isFlat } from './builtin.ts'
import { isLost, markDependants } from './dependants.ts'
import { createDraft, type Draft, type DraftDeps } from './draft.ts'
import { createEntry, type Entry, isVoid, refusalOf, voidName } from './entry.ts'
import { createLine } from './line.ts'
import { createPast, pastOf } from './past.ts'
import type { Restored } from './restore.ts'
import { assertStorable, textOf } from './size.ts'
import { createTx } from './tx.ts'

export interface Outbox {
  /** Makes a mutation of what `argsOf` answers; what it throws refuses the mutation. */
  make(name: string, argsOf: () => unknown, retried?: SetAside): PendingMutation
  /** Goes on with what lay on the disk, as `device`: another than before where numbers cannot be relied on. */
  open(restored: Restored, device: DeviceId): void
  /** Applies a checkpoint. Rejects with `malformed` if it cannot be; then nothing has changed. */
  receive(checkpoint: Checkpoint, loads: readonly Load[], persist: () => Promise<void>): Promise<void>
  /** Drops rows, scopes and cursor; what is pending stays, on top of nothing. */
  drop(): void
  identity(): Identity
  welcomed(welcome: Welcome): void
  /**
   * Another device from now on: everything that is not confirmed is numbered anew, behind what `welcome` says that the database has lost and wants
   * again. Resolves when that is on the disk.
   */
  fork(device: DeviceId, isForgotten: boolean, welcome?: Welcome): Promise<void>
  /** Mutations behind `after`, in order, that may be sent. */
  sendable(after: number): readonly Entry[]
  /** The highest number given. */
  last(): number
  /** Mutations that are not confirmed; voids are none. */
  pending(): number
  /** The same, to be shown. The same list while nothing changed. */
  waiting(): readonly PendingMutation[]
  setAside(): readonly SetAside[]
  /** Gives up a mutation that is pending or set aside. Resolves when that is on the disk; without effect for one that is neither. */
  discard(id: MutationId): Promise<void>
  /** The whole outbox, for a disk that is written anew. */
  records(): readonly DiskRecord[]
  /** Refuses what was made before the disk was read: it cannot be. */
  abandon(error: HeadwaterError): void
  /** Resolves when everything that was made stands in line. */
  settled(): Promise<void>
}

export interface OutboxDeps {
  readonly schema: Schema
  readonly mutators: Mutators
  readonly user: string
  readonly store: Store
  readonly clock: Clock
  readonly newId: () => string
  readonly report: (error: unknown) => void
  /** Puts a record on the disk for good. */
  readonly keep: (record: DiskRecord) => Promise<void>
  /** Why nothing can be made at all, or null. */
  readonly obstacle: () => HeadwaterError | null
  readonly assertHeld: DraftDeps['assertHeld']
  /** The number of pending mutations or what is set aside has changed. */
  readonly onChange: () => void
  /** There may be something to send. */
  readonly onWritten: () => void
}

export function createOutbox(deps: OutboxDeps): Outbox {
  const { store } = deps
  let identity: Identity = { device: '', database: null, nonce: null, confirmed: 0 }
  let last = 0
  let setAside: readonly SetAside[] = []
  const past = createPast(deps.mutators)
  let waiting: readonly PendingMutation[] | null = null
  let voids = 0
  // Above 0 while the disk has other numbers than the line: what was not sent yet waits.
  let moving = 0

  const line = createLine(rehearsed({ ...deps, draftOver: (below: View) => createDraft(deps, below), run, onQueued, onRefused: refuse }))

  function changed(): void {
    waiting = null
    deps.onChange()
  }

  function run(entry: Entry, draft: Draft): Promise<void> | undefined {
    const { name, args } = entry.mutation
    if (isVoid(entry)) return undefined
    if (isBuiltIn(name)) {
      draft.write(name, args)
      return undefined
    }
    const mutator = mutatorOf(name)
    return mutator.run(createTx(deps, draft, entry.mutation), validate(mutator.args, args, name))
  }

  function mutatorOf(name: string) {
    const mutator = own(deps.mutators, name)
    if (mutator === undefined) throw new HeadwaterError('unknown-mutator', `There is no mutator ${name}.`)
    return mutator
  }

  function onQueued(entry: Entry): void {
    entry.mutation.number = ++last
    if (entry.retried) setAside = setAside.filter((one) => one !== entry.retried)
    const written = (error: HeadwaterError | null) => {
      entry.isWritten = true
      entry.save(error)
      changed()
      deps.onWritten()
    }
    deps.keep(outboxRecord({ made: [entry.mutation], discarded: entry.retried ? [entry.retried.id] : [] })).then(() => written(null), written)
    changed()
  }

  /** Nothing of it was queued, and nothing of it stays. */
  function refuse(entry: Entry, thrown: unknown): void {
    const { error, outcome } = refusalOf(thrown)
    entry.save(error)
    entry.confirm(outcome)
    changed()
  }

  function settle(settled: readonly Entry[], outcomes: ReadonlyMap<number, Outcome>, persisted: Promise<void>, hasDependants: boolean): void {
    for (const number of outcomes.keys()) identity = { ...identity, confirmed: Math.max(identity.confirmed, number) }
    let moved: Promise<void> | undefined
    for (const entry of settled) {
      const outcome = outcomes.get(entry.mutation.number) ?? lost
      const refused = outcome.type === 'refused' ? setAsideOf(entry.mutation, outcome) : null
      if (outcome !== lost) past.add(pastOf(entry.mutation, outcome.type))
      if (isVoid(entry)) voids--
      else if (refused) setAside = inOrder(setAside, [refused])
      const confirm = () => {
        entry.save(null)
        entry.confirm(refused ? { type: 'refused', code: refused.code, reason: refused.reason } : { type: 'applied' })
      }
      // It waits for the disk, and does not fail with it: what was decided is final.
      persisted.then(() => moved).then(confirm, confirm)
    }
    if (hasDependants) moved = moveUp()
    if (settled.length > 0) changed()
  }

  const whole = () =>
    outboxRecord({
      identity,
      past: past.made,
      made: line
        .entries()
        .map(({ mutation }) => mutation)
        .filter(({ number }) => number > 0),
      setAside,
    })

  /** These stand in line again, before all others. */
  function stand(made: readonly Made[]): void {
    const entries = made.map((one) => createEntry(one, owner))
    voids += entries.filter(isVoid).length
    line.open(entries)
  }

  function renumber(device = identity.device): void {
    if (device !== identity.device) {
      identity = { ...identity, device, nonce: null, confirmed: 0 }
      past.clear()
    }
    last = identity.confirmed
    for (const { mutation } of line.entries()) if (mutation.number > 0) mutation.number = ++last
  }

  /** After mutations that were not sent have left the line. `moving` was raised when they did. */
  function moveUp(): Promise<void> {
    renumber()
    return deps.keep(whole()).finally(() => {
      moving--
      deps.onWritten()
    })
  }

  async function discard(id: MutationId): Promise<void> {
    if (!setAside.some((one) => one.id === id)) return discardPending(id)
    setAside = setAside.filter((one) => one.id !== id)
    changed()
    await deps.keep(outboxRecord({ discarded: [id] }))
  }

  /** What was not sent vanishes, and what is behind it moves up: none of that was sent either. What may have been sent keeps its number, as a void. */
  async function discardPending(id: MutationId): Promise<void> {
    let kept: Promise<void> | undefined
    const isIt = (entry: Entry) => entry.mutation.id === id && !isVoid(entry)
    await line.receive(
      () => {
        moving++
        const sent = line.entries().find((entry) => isIt(entry) && entry.isSent)
        if (sent) {
          Object.assign(sent.mutation, { name: voidName, args: null })
          voids++
        }
        return null
      },
      isIt,
      (vanished) => {
        for (const entry of vanished) refuse(entry, new HeadwaterError(voidName, 'It was discarded.'))
        kept = moveUp()
        changed()
      },
    )
    await kept
  }

  const owner = {
    discard,
    onSent: () => {
      waiting = null
    },
  }

  return {
    make: (name, argsOf, retried) => {
      let args: Json = null
      let refusal: unknown = deps.obstacle()
      try {
        if (!isBuiltIn(name)) mutatorOf(name)
        // What is not JSON is refused below, or was made by encodeBuiltIn.
        const given = argsOf() as Json
        // A row was checked and made anew column by column; only what has members of its own is still the app's.
        const isOwn = !retried && isBuiltIn(name) && isFlat(given)
        if (!isOwn) assertStorable(name, given)
        const text = textOf(name, given)
        // A copy: what the app does with its object afterwards is not what was called.
        args = isOwn ? given : JSON.parse(text)
      } catch (error) {
        refusal ??= error
      }
      const entry = createEntry({ number: 0, id: mutationId(deps.newId()), name, args, at: timeOf(deps.clock), after: null }, owner, retried)
      if (refusal) refuse(entry, refusal)
      else line.call(entry, isBuiltIn(name))
      return entry.pending
    },
    open: (restored, device) => {
      identity = restored.identity ?? identity
      setAside = restored.setAside
      restored.past.forEach(past.add)
      last = restored.made.at(-1)?.number ?? identity.confirmed
      stand(restored.made)
      if (identity.device !== device) renumber(device)
      changed()
    },
    receive: (checkpoint, loads, persist) => {
      const outcomes = new Map(checkpoint.outcomes.map((outcome) => [outcome.number, outcome]))
      let hasDependants = false
      return line.receive(
        () => {
          const delta = store.prepare(checkpoint, loads)
          hasDependants = markDependants(line.entries(), ({ mutation }) => outcomes.get(mutation.number)?.type === 'refused')
          if (hasDependants) moving++
          return delta
        },
        (entry) => outcomes.has(entry.mutation.number) || isLost(entry),
        (settled) => settle(settled, outcomes, persist(), hasDependants),
      )
    },
    drop: () =>
      void line.receive(
        store.nothing,
        () => false,
        () => {},
      ),
    identity: () => identity,
    welcomed: ({ database, nonce }) => {
      identity = { ...identity, database, nonce }
    },
    fork: async (device, isForgotten, welcome) => {
      await line.idle(() => {
        if (welcome?.offer != null) {
          const { offered, aside } = past.lost(welcome)
          setAside = inOrder(setAside, aside)
          stand(offered)
        }
        renumber(device)
        changed()
      })
      if (isForgotten) identity = { ...identity, database: null }
      await deps.keep(whole())
    },
    sendable: (after) => {
      let isInOrder = true
      return line.entries().filter(({ mutation, isWritten, isSent }) => {
        isInOrder &&= isWritten && (isSent || moving === 0)
        return isInOrder && mutation.number > after
      })
    },
    last: () => last,
    pending: () => line.entries().length - voids,
    waiting: () => {
      waiting ??= line
        .entries()
        .filter((entry) => !isVoid(entry))
        .map(({ pending }) => pending)
      return waiting
    },
    setAside: () => setAside,
    discard,
    records: () => [headerRecord, whole()],
    abandon: (error) => {
      for (const entry of line.abandon()) refuse(entry, error)
    },
    settled: line.idle,
  }
}

/** What becomes of a mutation that was not sent, and builds on a refused one. */
const lost: Pick<Outcome, 'type' | 'code' | 'reason'> = { type: 'refused', code: 'dependency', reason: 'What it builds on was refused.' }

/** As they were made, so that what builds on another stands behind it. */
const inOrder = (setAside: readonly SetAside[], more: readonly SetAside[]) => [...setAside, ...more].sort((a, b) => (a.id < b.id ? -1 : 1))

/** Advisory, and to the microsecond only by its form. */
const timeOf = (clock: Clock) => new Date(clock.now()).toISOString().replace('Z', '000Z')
