import { development } from '@headwater/protocol/development'
import type { Batch } from './change.ts'
import { counters } from './counters.ts'
import type { View } from './layer.ts'
import type { Row } from './row.ts'
import type { Question } from './select.ts'
import { createSorted, type Sorted } from './sorted.ts'

/** Ordered indexes over what is seen, one per table and order, built when first needed and kept up from then on. */
export interface Indexes {
  /** All rows of the question's table in its order: built by the first who needs it if `isNeeded`, otherwise only if it is there. null as well where one key alone can match. */
  of(question: Question, isNeeded: boolean): Sorted | null
  /** null: what is seen has changed in ways not told, and indexes are built again by who needs them. */
  follow(batch: Batch | null): void
  /** Drops the index that only this question used. */
  drop(question: Question, others: Iterable<{ readonly question: Question }>): void
}

const changesMax = 10_000

export function createIndexes(view: View): Indexes {
  const byTable = new Map<string, Map<string, Sorted>>()

  function build({ table, order, compare }: Question): Sorted {
    const rows: Row[] = []
    view.each(table, (row) => rows.push(row))
    development(() => {
      counters.indexed += rows.length
    })
    const index = createSorted(rows, compare)
    byTable.set(table, (byTable.get(table) ?? new Map<string, Sorted>()).set(order, index))
    return index
  }

  return {
    of: (question, isNeeded) => {
      if (question.onlyKey !== null) return null
      return byTable.get(question.table)?.get(question.order) ?? (isNeeded ? build(question) : null)
    },
    follow: (batch) => {
      if (batch === null) byTable.clear()
      batch?.forEach((changes, table) =>
        byTable.get(table)?.forEach((index, order, orders) => {
          // Row by row, so many cost more than building the index again, if anybody ever needs it again.
          if (changes.length > changesMax) orders.delete(order)
          else
            for (const { before, after } of changes) {
              if (before) index.remove(before)
              if (after) index.add(after)
            }
        }),
      )
    },
    drop: ({ table, order }, others) => {
      for (const { question } of others) if (question.table === table && question.order === order) return
      byTable.get(table)?.delete(order)
    },
  }
}
