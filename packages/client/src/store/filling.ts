import type { QueryDefinition } from '@headwater/schema'
import type { Batch } from './change.ts'
import { type Row, whole } from './row.ts'
import type { Question } from './select.ts'
import { createTop } from './top.ts'
import { slack, type Window } from './window.ts'

/** A window filled anew, from rows that are handed over one by one and apart from what it shows. */
export interface Filling {
  /** No more of a row need be there than this looks at; undefined: all of it. */
  readonly asked: QueryDefinition | undefined
  /** A row of the first table that the window follows. */
  add(row: Row): void
  /** Does what it can ahead of the end. */
  gather(): void
  /** Shows them. The view shows them as well by now, and what `above` says. */
  end(above: Batch): void
}

/** What has no way of its own keeps the rows that it may come to hold, and starts anew from them. */
export function fillingOf(window: Window): Filling {
  const own = window.filling?.()
  if (own) return own
  // Every window follows what its question asks for.
  const question = window.follows[0] as Question
  const top = createTop(question.limit + slack + 1, question.compare)
  return {
    asked: question.definition,
    add: (row) => {
      if (question.matches(row)) top.add(row)
    },
    gather: () => top.rows().slice(0, question.limit).forEach(whole),
    end: (above) => {
      window.fill((run) => top.rows().forEach(run))
      window.apply(above)
    },
  }
}
