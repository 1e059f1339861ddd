// Invariant: until `end`, a query whose answer was given answers with that; from then on with the store. Who follows it hears of the change.
import { type QueryDefinition, textOfQuery } from '@headwater/schema'
import type { LiveQuery, PaintedResult } from '../api.ts'
import { createSubscribers } from '../store/subscribers.ts'

type Row = Readonly<Record<string, unknown>>
export type Results = ReadonlyMap<string, PaintedResult>

export interface Painted {
  /** Takes the place of the store's `live`. */
  live(definition: QueryDefinition): LiveQuery<Row>
  /** Queries that somebody follows, by their text. */
  readonly followed: ReadonlyMap<string, { readonly query: LiveQuery<Row> }>
  /** The store has the word. Twice is fine. */
  end(): void
}

export interface PaintedDeps {
  readonly results: Results
  readonly live: (definition: QueryDefinition) => LiveQuery<Row>
  /** The queries that are followed are others. */
  readonly onFollowed: () => void
}

export function createPainted({ results, live, onFollowed }: PaintedDeps): Painted {
  const wrapped = new WeakMap<LiveQuery<Row>, LiveQuery<Row>>()
  const followed = new Map<string, { readonly query: LiveQuery<Row>; count: number }>()
  // A listener that throws was told by the query as well, which reports it.
  const ended = createSubscribers(() => {})
  let isOver = false

  function wrap(text: string, query: LiveQuery<Row>): LiveQuery<Row> {
    const first = () => (isOver ? undefined : results.get(text))
    return {
      result: () => first() ?? query.result(),
      // What was painted stays for those parts of a page that are hydrated later.
      first: () => results.get(text) ?? query.first?.() ?? query.result(),
      subscribe: (run) => {
        // What the store says meanwhile is told at the end.
        const stops = [query.subscribe(() => !first() && run()), ended.add(run)]
        const one = followed.get(text) ?? { query, count: 0 }
        followed.set(text, one)
        if (++one.count === 1) onFollowed()
        return () => {
          for (const stop of stops.splice(0)) {
            stop()
            if (stops.length === 0 && --one.count === 0 && followed.get(text) === one) followed.delete(text)
          }
        }
      },
    }
  }

  return {
    live: (definition) => {
      const query = live(definition)
      const known = wrapped.get(query) ?? wrap(textOfQuery(definition), query)
      wrapped.set(query, known)
      return known
    },
    followed,
    end: () => {
      if (isOver) return
      isOver = true
      ended.run()
    },
  }
}
