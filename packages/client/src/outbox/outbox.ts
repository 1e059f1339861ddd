// Invariant: mutations stand in the order in which the disk has them. They are numbered 1, 2, 3 ... in that order when they are about to be sent, a
// number is on the disk before it is sent, and from then on a mutation leaves the outbox only with the checkpoint that holds its outcome.
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
import * as limits from '@headwater/protocol/limits'
import { type Mutators, own, type Schema, validate } from '@headwater/schema'
import { rehearsed } from '#rehearse'
import type { PendingMutation, SetAside } from '../api.ts'
import type { Clock, DiskRecord } from '../ports.ts'
import type { Delta } from '../store/delta.ts'
import type { Layer, View } from '../store/layer.ts'
import { headerRecord, type Made, type OutboxRecord, outboxRecord } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { isBuiltIn, isFlat } from './builtin.ts'
import { createDraft, type Draft, type DraftDeps } from './draft.ts'
import { createEntry, type Entry, isVoid, refusalOf } from './entry.ts'
import type { Heard } from './heard.ts'
import { createLine } from './line.ts'
import { assertStorable, textOf } from './size.ts'
import { createTx } from './tx.ts'

/** What the records say, as far as they are on the disk, and what is made on top. */
export interface Outbox extends Heard {
  /** Makes a mutation of what `argsOf` answers; what it throws refuses the mutation. */
  make(name: string, argsOf: () => unknown, retried?: SetAside): PendingMutation
  /** Goes on with what lay on the disk, as `device`: another than before where numbers cannot be relied on. */
  open(device: DeviceId): void
  /** Applies a checkpoint. Rejects with `malformed` if it cannot be; then nothing has changed. */
  receive(checkpoint: Checkpoint, loads: readonly Load[], persist: () => Promise<void>): Promise<void>
  /** Drops rows, scopes and cursor; what is pending stays, on top of nothing. */
  drop(): void
  /**
   * Another device from now on: everything that has a number gets another, behind what `welcome` says that the database has lost and wants again.
   * Resolves when that is on the disk.
   */
  fork(device: DeviceId, isForgotten: boolean, welcome?: Welcome): Promise<void>
  /** Gives numbers to as many as may be under way, if now is the time. */
  number(): void
  /** Mutations with numbers behind `after`, in order: they may be sent. */
  sendable(after: number): readonly Entry[]
  /** Mutations that are not confirmed; voids are none. */
  pending(): number
  /** The same, to be shown. The same list while nothing changed. */
  waiting(): readonly PendingMutation[]
  /** Gives up a mutation that is pending or set aside. Resolves when that is on the disk; without effect for one that is neither. */
  discard(id: MutationId): Promise<void>
  /** Writes what any tab may say of mutations. Resolves when it is on the disk, and shown. */
  say(record: OutboxRecord): Promise<void>
  /** What was made and is not on the disk yet, as a record; '' if all is. */
  unsaved(): DiskRecord
  /** The whole outbox, for a disk that is written anew. */
  records(): readonly DiskRecord[]
  /** Lets what is shown follow what the records say, and applies a delta, in one step. `change` is called when nothing runs. */
  follow(change: () => Delta | null): Promise<void>
  /** Drops what was made, and refuses it where there is an error: the disk cannot be read. */
  abandon(error?: HeadwaterError): void
  /** Resolves when everything that was made stands in line, after `run`. */
  settled(run?: () => void): Promise<void>
}

export type Later = typeof import('../later.ts')

export interface OutboxDeps {
  /** What could not be fetched is fetched again when it is needed again. */
  readonly later: () => Promise<Later>
  readonly schema: Schema
  readonly mutators: Mutators
  readonly user: string
  readonly store: Store
  readonly heard: Heard
  readonly clock: Clock
  readonly newId: () => string
  readonly report: (error: unknown) => void
  /** Puts a record on the disk for good, behind those before. `done` is called in the order of the records, where the disk failed as well. */
  readonly keep: (record: DiskRecord, done: (error: HeadwaterError | null) => void) => void
  /** The same for what only the tab may write that talks to the server; `isRefused` if it is not the one any more. */
  readonly lead: (record: DiskRecord, done: (isRefused?: boolean) => void) => void
  /** True while it talks to the server. */
  readonly isTalking: () => boolean
  /** Why nothing can be made at all, or null. */
  readonly obstacle: () => HeadwaterError | null
  readonly assertHeld: DraftDeps['assertHeld']
  /** The number of pending mutations or what is set aside has changed. */
  readonly onChange: () => void
  /** There may be something to send. */
  readonly onWritten: () => void
}

/** Of loads: so many take a few milliseconds. */
const rowsAtOnceMax = 1_000

export function createOutbox(deps: OutboxDeps): Outbox {
  const { store, heard } = deps
  let waiting: readonly PendingMutation[] | null = null
  // How many records are on their way that say a mutation was made, and how many numbers.
  let writing = 0
  let promised = 0
  // While a checkpoint is applied, what it sets aside is not known yet.
  let receiving = 0

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
    const { mutation, retried } = entry
    entry.isQueued = true
    writing++
    if (retried) heard.hear({ discarded: [retried.id] })
    deps.keep(outboxRecord({ made: [mutation], discarded: retried ? [retried.id] : [] }), (error) => {
      writing--
      entry.isWritten = true
      heard.hear({ made: [mutation] })
      entry.save(error)
      changed()
      deps.onWritten()
    })
    number()
    changed()
  }

  /** In the append that saves a mutation, where it can be sent at once. */
  function number(): void {
    const given = heard.last() - heard.identity().confirmed + promised
    const numbered = Math.min(heard.made.size + writing, limits.mutationsInFlightMax) - given
    if (numbered <= 0 || receiving > 0 || !deps.isTalking()) return
    promised += numbered
    lead({ numbered }, () => {
      promised -= numbered
      deps.onWritten()
    })
  }

  function lead(record: OutboxRecord, done: () => void): void {
    deps.lead(outboxRecord(record), (isRefused) => {
      if (!isRefused) heard.hear(record)
      done()
    })
  }

  /** Nothing of it was queued, and nothing of it stays. */
  function refuse(entry: Entry, thrown: unknown): void {
    const { error, outcome } = refusalOf(thrown)
    entry.save(error)
    entry.confirm(outcome)
    changed()
  }

  /** Lets the line follow what the records say, and applies a delta, in one step. `done` answers when that is on the disk. */
  function follow(change: () => Delta | null = () => null, done: () => Promise<void> = async () => {}, outcomes?: ReadonlyMap<number, Outcome>): Promise<void> {
    let gone: readonly Entry[] = []
    return line.receive(
      () => {
        const delta = change()
        const before = line.entries()
        const known = new Map(before.map((entry) => [entry.mutation.id, entry]))
        const made = [...heard.made.values()].map((mutation) => adopt(known.get(mutation.id), mutation))
        gone = before.filter((entry) => entry.isWritten && !heard.made.has(entry.mutation.id))
        return { delta, entries: [...made, ...before.filter((entry) => !entry.isWritten && !heard.made.has(entry.mutation.id))] }
      },
      () => settle(gone, done(), outcomes),
    )
  }

  function adopt(entry: Entry | undefined, mutation: Made): Entry {
    if (!entry) return createEntry(mutation, true, owner)
    if (entry.mutation !== mutation) heard.made.set(mutation.id, Object.assign(entry.mutation, mutation))
    return entry
  }

  function settle(gone: readonly Entry[], persisted: Promise<void>, outcomes?: ReadonlyMap<number, Outcome>): void {
    for (const entry of gone) {
      const { mutation } = entry
      const outcome = outcomes?.get(mutation.number)?.type === 'applied' ? applied : heard.outcomeOf(mutation)
      const confirm = () => {
        entry.save(null)
        entry.confirm(outcome)
      }
      // It waits for the disk, and does not fail with it: what was decided is final.
      persisted.then(confirm, confirm)
    }
    if (gone.length > 0) changed()
  }

  /** Resolves when it is on the disk, and shown. */
  const decide = (record: OutboxRecord) => new Promise<void>((resolve) => lead(record, () => void follow().then(() => resolve(changed()))))

  /** What was not given a number vanishes. What was may have been sent: it keeps its number, as a void. */
  async function discard(id: MutationId): Promise<void> {
    await line.idle()
    await say({ discarded: [id] })
  }

  const say = (record: OutboxRecord) =>
    new Promise<void>((resolve, reject) => {
      deps.keep(outboxRecord(record), (error) => {
        heard.hear(record)
        changed()
        void follow().then(() => (error ? reject(error) : resolve()))
      })
    })

  function waitingNow(): readonly PendingMutation[] {
    waiting ??= line
      .entries()
      .filter((entry) => !isVoid(entry))
      .map(({ pending }) => pending)
    return waiting
  }

  const owner = {
    discard,
    onSent: () => {
      waiting = null
    },
  }

  return {
    ...heard,
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
      // Advisory, and to the microsecond only by its form.
      const at = new Date(deps.clock.now()).toISOString().replace('Z', '000Z')
      const entry = createEntry({ number: 0, id: mutationId(deps.newId()), name, args, at, after: null }, false, owner, retried)
      if (refusal) refuse(entry, refusal)
      else line.call(entry, isBuiltIn(name))
      return entry.pending
    },
    open: (device) => {
      const identity = heard.identity()
      if (identity.device !== device) heard.hear({ forked: { ...identity, device, nonce: null, confirmed: 0 } })
      line.open([...heard.made.values()].map((one) => createEntry(one, true, owner)))
      changed()
    },
    receive: async (checkpoint, loads, persist) => {
      // Many rows are made ready in turns; where what does that cannot be had, in one.
      const ready =
        loads.flatMap(({ rows }) => rows).length > rowsAtOnceMax
          ? await deps
              .later()
              .then(({ inTurns }) => inTurns(deps, checkpoint, loads))
              .catch(() => {})
          : null
      // It was closed meanwhile, and its disk is not its own any more.
      if (deps.obstacle()) return
      const outcomes = new Map(checkpoint.outcomes.map((outcome) => [outcome.number, outcome]))
      const isRefused = ({ number }: Made) => outcomes.get(number)?.type === 'refused'
      let before: readonly { readonly mutation: Made; readonly wrote: Layer }[] = []
      await follow(
        () => {
          const delta = ready?.delta(line.entries().length) ?? store.prepare(checkpoint, loads)
          receiving++
          before = line
            .entries()
            .filter((entry) => entry.isWritten)
            .map((entry) => ({ ...entry }))
          for (const outcome of checkpoint.outcomes) heard.settle(outcome)
          return delta
        },
        async () => {
          const persisted = persist()
          // Without what is fetched for it, the server decides.
          if (before.some(({ mutation }) => isRefused(mutation))) await deps.later().then((later) => later.setAside(before, isRefused, decide), deps.report)
          receiving--
          deps.onWritten()
          await persisted
        },
        outcomes,
      )
      await ready?.settle()
    },
    drop: () => void follow(store.nothing),
    fork: async (...asked) => decide((await deps.later()).forkOf(heard, deps.mutators, ...asked)),
    number,
    sendable: (after) => numbered(line.entries(), after),
    // Only what has a number can be void.
    pending: () => line.entries().length - numbered(line.entries(), 0).filter(isVoid).length,
    waiting: waitingNow,
    discard,
    say,
    unsaved: () => (writing > 0 ? outboxRecord({ made: unsaved(line.entries()) }) : ''),
    records: () => {
      const whole = heard.whole()
      // What is on its way to the disk may find it written anew.
      return [headerRecord, outboxRecord({ ...whole, made: [...(whole.made ?? []), ...unsaved(line.entries())] })]
    },
    abandon: (error) => {
      for (const entry of line.abandon()) if (error) refuse(entry, error)
    },
    settled: line.idle,
    follow: (change) => follow(change).then(changed),
  }
}

const applied = { type: 'applied' } as const

/** They stand before those without a number. */
function numbered(entries: readonly Entry[], after: number): readonly Entry[] {
  const found: Entry[] = []
  for (const entry of entries) {
    const { number } = entry.mutation
    if (number > after) found.push(entry)
    else if (!number) break
  }
  return found
}

const unsaved = (entries: readonly Entry[]): readonly Made[] => entries.filter((entry) => entry.isQueued && !entry.isWritten).map((entry) => entry.mutation)
