// Invariant: the overlay is what the mutations in line make of the confirmed rows, run one after the other in the order they
// were made. A replay works apart from what is shown; what is called meanwhile shows at once, and is replayed too.
import type { Clock } from '../ports.ts'
import type { Delta } from '../store/delta.ts'
import { type Layer, merge, over, rowNames, type View } from '../store/layer.ts'
import type { Store } from '../store/store.ts'
import { type Draft, isNotHeld, waits } from './draft.ts'
import type { Entry } from './entry.ts'

export interface Line {
  /** In the order they were made. Those without a number have not run yet. */
  entries(): readonly Entry[]
  /** Runs a new mutation behind all others: at once if it is a built-in, otherwise in its turn, within microtasks. */
  call(entry: Entry, isImmediate: boolean): void
  /** These stand before all others, and run first. To be called when the disk was read, and when nothing runs. */
  open(entries: readonly Entry[]): void
  /** Resolves when nothing runs, after `run`, which is called then. */
  idle(run?: () => void): Promise<void>
  /** The disk cannot be read: answers what was called, which leaves the line and what is shown. */
  abandon(): readonly Entry[]
  /**
   * A delta that no mutation in line has looked at, and that settles none, is applied as it is. Otherwise: undoes the overlay, applies the delta,
   * runs the mutations again that are in line from then on, and shows it all in one step. `prepare` is called when it is its turn, which is before
   * this returns where nothing runs; what it throws is rejected. Resolves when all of it is shown.
   */
  receive(prepare: () => Next, done: () => void): Promise<void>
}

export interface Next {
  /** null: nothing is applied. */
  readonly delta: Delta | null
  readonly entries: readonly Entry[]
}

export interface LineDeps {
  readonly store: Store
  readonly clock: Clock
  readonly draftOver: (below: View) => Draft
  /** Throws, or rejects, what refuses the mutation. */
  readonly run: (entry: Entry, draft: Draft) => Promise<void> | undefined
  /** It ran for the first time: it gets the next number. */
  readonly onQueued: (entry: Entry) => void
  readonly onRefused: (entry: Entry, error: unknown) => void
}

/** Less than a frame. */
const sliceMs = 8

interface Turn {
  readonly delta: Delta | null
  readonly below: View
  readonly done: () => void
}

export function createLine(deps: LineDeps): Line {
  const { store } = deps
  let entries: Entry[] = []
  // Mutations before this one are in `settled`, which is what is shown unless a replay runs or something was called meanwhile.
  let at = 0
  let settled: Layer = new Map()
  let turn: Turn | null = null
  let pauseAtMs = 0
  // Until the disk was read, nothing runs but what shows at once.
  let isBusy = true
  const waiting: (() => void)[] = []

  function proceed(): void {
    isBusy = true
    for (let entry = entries[at]; entry; entry = entries[at]) {
      // A long replay lets frames be drawn. What is shown stays as it was until the end.
      if (turn && deps.clock.now() > pauseAtMs) return void deps.clock.timer(0, goOn)
      const running = start(entry)
      if (running) return void running.then(proceed)
    }
    const { delta = null, done } = turn ?? {}
    if (delta || settled !== store.overlay()) store.commit(delta, settled)
    turn = null
    done?.()
    // A subscriber may have called a mutation.
    if (at < entries.length) return proceed()
    isBusy = false
    for (const resolve of waiting.splice(0)) resolve()
  }

  function goOn(): void {
    pauseAtMs = deps.clock.now() + sliceMs
    proceed()
  }

  /** Who waited first comes first, and may make it busy again: then the others wait on. */
  async function later(run?: () => void): Promise<void> {
    while (isBusy) await new Promise<void>((resolve) => waiting.push(resolve))
    run?.()
  }

  /** Undefined if it is over, as with every built-in. */
  function start(entry: Entry): Promise<void> | undefined {
    const draft = deps.draftOver(over(turn?.below ?? store.confirmed, () => settled))
    const end = (error: unknown, isFailed: boolean) => {
      draft.close()
      entry.reads = draft.reads
      settle(entry, draft.layer, error, isFailed)
    }
    try {
      const running = deps.run(entry, draft)
      if (running)
        return inTime(running).then(
          () => end(null, false),
          (error) => end(error, true),
        )
      end(null, false)
    } catch (error) {
      end(error, true)
    }
    return undefined
  }

  function settle(entry: Entry, layer: Layer, error: unknown, isFailed: boolean): void {
    const isFirst = !entry.isQueued
    if (isFirst && isFailed && !isNotHeld(error)) {
      entries.splice(at, 1)
      return deps.onRefused(entry, error)
    }
    at++
    if (isFirst) deps.onQueued(entry)
    // One that fails in a replay stays in line without effect: the server decides.
    if (isFailed) return
    entry.wrote = layer
    if (settled === store.overlay() && turn === null) store.show(layer)
    else merge(settled, layer)
  }

  /** Whatever a mutator may await settles in microtasks. */
  function inTime(running: Promise<void>): Promise<void> {
    return Promise.race([running, new Promise<never>((_, reject) => deps.clock.timer(0, () => reject(waits())))])
  }

  function showAhead(entry: Entry): void {
    const draft = deps.draftOver(store.visible)
    try {
      deps.run(entry, draft)
    } catch (error) {
      if (!isNotHeld(error)) return deps.onRefused(entry, error)
    }
    entries.push(entry)
    if (settled === store.overlay()) store.splitOverlay()
    store.show(draft.layer)
  }

  /** True if mutations in line may come to something else with the delta. */
  function isRead({ layer, scopes }: Delta): boolean {
    const reads = new Set(entries.flatMap((entry) => entry.reads))
    return scopes !== store.scopes() || [...layer.keys(), ...rowNames(layer)].some((name) => reads.has(name))
  }

  function replay(next: Turn | null): void {
    settled = new Map()
    at = 0
    turn = next
    goOn()
  }

  return {
    entries: () => entries,
    call: (entry, isImmediate) => {
      if (isBusy && isImmediate) return showAhead(entry)
      entries.push(entry)
      if (!isBusy) proceed()
    },
    open: (before) => {
      entries = [...before, ...entries]
      replay(null)
    },
    idle: later,
    abandon: () => {
      const called = entries
      entries = []
      isBusy = false
      store.commit(null, new Map())
      return called
    },
    receive: (prepare, done) =>
      later(() => {
        const { delta, entries: next } = prepare()
        if (delta && next.length === entries.length && next.every((entry, at) => entry === entries[at]) && !isRead(delta)) {
          store.commit(delta, settled)
          return done()
        }
        entries = [...next]
        replay({ delta, below: delta ? over(store.confirmed, () => delta.layer) : store.confirmed, done })
        // It is handed nothing to run.
      }).then(later as () => Promise<void>),
  }
}
