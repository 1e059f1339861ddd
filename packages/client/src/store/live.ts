// Invariant: a live query equals the same query run from nothing, after every batch; its subscribers run at most once per batch,
// after every query has followed. A batch costs those queries alone whose rows it can concern.
import { type QueryDefinition, type TableDefinition, textOfQuery } from '@headwater/schema'
import type { LiveQuery, Result, ResultState } from '../api.ts'
import type { Clock } from '../ports.ts'
import type { Batch } from './change.ts'
import type { View } from './layer.ts'
import type { Plan, Sources } from './plan.ts'
import { createRoutes, type Following } from './routes.ts'
import type { Row } from './row.ts'
import { questionOf } from './select.ts'
import { createSubscribers } from './subscribers.ts'
import { createWindow, type Window } from './window.ts'

export interface LiveQueries {
  /** Those that somebody follows. */
  readonly active: ReadonlySet<Active>
  /** The answer as of now. */
  ask(definition: QueryDefinition): readonly Row[]
  /** Equal definitions share one. */
  live(definition: QueryDefinition): LiveQuery<Row>
  /** Follows a batch that the view already shows, and whatever the windows of `renewed` have come to, then runs subscribers. */
  follow(batch: Batch, renewed?: Iterable<Active>): void
  /** The view has changed without a batch: every query is answered from nothing. */
  startAnew(): void
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

export interface Active extends Following {
  readonly window: Window
  /** `isChanged`: what its window shows may be another. True if the result is. */
  update(isChanged: boolean): boolean
  notify(): void
}

export function createLiveQueries(deps: LiveDeps): LiveQueries {
  const { view } = deps
  const shared = new Map<string, LiveQuery<Row>>()
  const active = new Set<Active>()
  const routes = createRoutes<Active>()
  const notify = createNotifier()
  // Asked of thousands of queries in one turn, a table answers once.
  const states = new Map<string, ResultState>()

  const sources: Sources = {
    view,
    tableOf: deps.tableOf,
    open: (definition) => createWindow(questionOf(deps.tableOf(definition.table), definition), view),
  }

  function stateOf(table: string): ResultState {
    const state = states.get(table) ?? deps.stateOf(table)
    states.set(table, state)
    return state
  }

  function open(definition: QueryDefinition): Window {
    // `with` and `aggregate` made it.
    const plan = definition.plan as Plan | undefined
    return plan ? plan.open(definition, sources) : sources.open(definition)
  }

  /** Sets up on first use, and gives up what it holds a macrotask after nobody subscribes: React unsubscribes and subscribes again in one. */
  function create(text: string, definition: QueryDefinition): LiveQuery<Row> {
    const window = open(definition)
    const subscribers = createSubscribers(deps.report, rest)
    let result: Result<Row> = { rows: [], state: 'loading' }
    function update(isChanged: boolean): boolean {
      const rows = isChanged ? keep(result.rows, window.shown()) : result.rows
      const [own = 'complete', ...others] = window.follows.map(({ table }) => stateOf(table))
      // Of rows that are here while related ones are not, there is a part.
      const state = own === 'complete' && others.some((other) => other !== 'complete') ? 'partial' : own
      if (rows === result.rows && state === result.state) return false
      result = { rows, state }
      return true
    }
    const self: Active = {
      follows: window.follows,
      window,
      update,
      notify: subscribers.run,
    }
    function rest(): void {
      deps.clock.timer(0, () => {
        if (!subscribers.isEmpty() || !active.delete(self)) return
        routes.change(self, 'delete')
        if (shared.get(text) === query) shared.delete(text)
      })
    }
    function wake(): void {
      states.clear()
      if (active.has(self)) return
      active.add(self)
      routes.change(self, 'add')
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

  function follow(batch: Batch, renewed: Iterable<Active> = []): void {
    states.clear()
    const changed = new Set(renewed)
    const concerned = routes.concerned(batch)
    for (const [query, own] of concerned) if (!changed.has(query) && query.window.apply(own)) changed.add(query)
    notify([...new Set([...changed, ...concerned.keys()])].filter((query) => query.update(changed.has(query))))
  }

  return {
    active,
    ask: (definition) => {
      const window = open(definition)
      window.fill()
      return window.shown()
    },
    live: (definition) => {
      const text = textOfQuery(definition)
      const known = shared.get(text)
      if (known) return known
      const query = create(text, definition)
      shared.set(text, query)
      return query
    },
    follow,
    startAnew: () => {
      for (const { window } of active) window.fill()
      follow(new Map(), active)
    },
    followStates: () => {
      states.clear()
      notify([...active].filter((query) => query.update(false)))
    },
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
