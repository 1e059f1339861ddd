// Invariant: a live query equals the same query run from nothing, after every batch; its subscribers run at most once per batch,
// after every query has followed.
import type { QueryDefinition, TableDefinition } from '@headwater/schema'
import type { LiveQuery, Result, ResultState } from '../api.ts'
import type { Clock } from '../ports.ts'
import type { Batch } from './change.ts'
import { createIndexes } from './indexes.ts'
import type { View } from './layer.ts'
import type { Row } from './row.ts'
import { type Question, questionOf, textOf } from './select.ts'
import { createSubscribers } from './subscribers.ts'
import { createWindow } from './window.ts'

export interface LiveQueries {
  /** Equal definitions share one. */
  live(definition: QueryDefinition): LiveQuery<Row>
  /** Follows a batch that the view already shows, then runs subscribers. null: the view has changed without a batch, and every query is answered from nothing. */
  follow(batch: Batch | null): void
  /** Runs the subscribers of queries whose state is not what it was. */
  followStates(): void
}

export interface LiveDeps {
  readonly view: View
  readonly tableOf: (name: string) => TableDefinition
  readonly stateOf: (table: string) => ResultState
  readonly clock: Clock
  readonly report: (error: unknown) => void
}

interface Active {
  readonly question: Question
  /** True if the result changed. */
  follow(batch: Batch | null): boolean
  notify(): void
}

export function createLiveQueries(deps: LiveDeps): LiveQueries {
  const { view } = deps
  const indexes = createIndexes(view)
  const shared = new Map<string, LiveQuery<Row>>()
  const active = new Set<Active>()
  const notify = createNotifier()

  /** Sets up on first use, and gives up what it holds a macrotask after nobody subscribes: React unsubscribes and subscribes again in one. */
  function create(text: string, definition: QueryDefinition): LiveQuery<Row> {
    const question = questionOf(deps.tableOf(definition.table), definition)
    const window = createWindow(question, view, indexes)
    const subscribers = createSubscribers(deps.report, rest)
    let result: Result<Row> = { rows: [], state: 'loading' }
    /** True if the result is another now. */
    function update(isChanged: boolean): boolean {
      const rows = isChanged ? keep(result.rows, window.shown()) : result.rows
      const state = deps.stateOf(definition.table)
      if (rows === result.rows && state === result.state) return false
      result = { rows, state }
      return true
    }
    const self: Active = {
      question,
      follow: (batch) => update(window.apply(batch && (batch.get(definition.table) ?? []))),
      notify: subscribers.run,
    }
    function rest(): void {
      deps.clock.timer(0, () => {
        if (!subscribers.isEmpty() || !active.delete(self)) return
        if (shared.get(text) === query) shared.delete(text)
        indexes.drop(question, active)
      })
    }
    function wake(): void {
      if (active.has(self)) return
      active.add(self)
      if (!shared.has(text)) shared.set(text, query)
      window.fill()
      update(true)
      rest()
    }
    const query: LiveQuery<Row> = {
      result: () => {
        wake()
        update(false)
        return result
      },
      subscribe: (run) => {
        const unsubscribe = subscribers.add(run)
        wake()
        return unsubscribe
      },
    }
    return query
  }

  function follow(batch: Batch | null): void {
    indexes.follow(batch)
    notify([...active].filter((query) => query.follow(batch)))
  }

  return {
    live: (definition) => {
      const text = textOf(definition)
      const known = shared.get(text)
      if (known) return known
      const query = create(text, definition)
      shared.set(text, query)
      return query
    },
    follow,
    followStates: () => follow(new Map()),
  }
}

/** The array of before where it holds the same rows. */
function keep(before: readonly Row[], rows: readonly Row[]): readonly Row[] {
  return before.length === rows.length && before.every((row, at) => row === rows[at]) ? before : rows
}

/** A subscriber that writes has its notifications run after those under way. */
function createNotifier() {
  const waiting = new Set<{ notify(): void }>()
  let isRunning = false
  return (altered: readonly { notify(): void }[]) => {
    for (const one of altered) waiting.add(one)
    if (isRunning) return
    isRunning = true
    for (const next of waiting) {
      waiting.delete(next)
      next.notify()
    }
    isRunning = false
  }
}
