import type { Batch, Change } from './change.ts'
import { within } from './layer.ts'
import type { Followed } from './window.ts'

/** What follows changes of tables: of all rows, or of those among which its rows can be. */
export interface Following {
  readonly follows: readonly Followed[]
}

/** Whom a change concerns is looked up, not asked of everybody. */
export interface Routes<F extends Following> {
  change(following: F, change: 'add' | 'delete'): void
  /** Those whom a batch can concern, each with the changes that can. */
  concerned(batch: Batch): ReadonlyMap<F, Batch>
}

export function createRoutes<F extends Following>(): Routes<F> {
  // By table and column, then by value. Who wants all rows of a table has a route by a column that no row has.
  const routes = new Map<string, Map<string, Map<unknown, Set<F>>>>()

  return {
    change: (following, change) => {
      for (const { table, among } of following.follows) {
        const byValue = within(within(routes, table), among?.column ?? '')
        for (const value of among?.values ?? [undefined]) {
          const all = byValue.get(value) ?? new Set()
          all[change](following)
          if (all.size > 0) byValue.set(value, all)
          else byValue.delete(value)
        }
      }
    },
    concerned: (batch) => {
      const concerned = new Map<F, Map<string, readonly Change[]>>()
      for (const [table, changes] of batch) {
        const columns = routes.get(table)
        for (const [one, own] of partly(columns, changes)) within(concerned, one).set(table, own)
        // They share the list: a burst is not copied for each of them.
        for (const one of columns?.get('')?.get(undefined) ?? []) within(concerned, one).set(table, changes)
      }
      return concerned
    },
  }
}

/** Who follows some rows, each with the changes of these. */
function partly<F>(columns: ReadonlyMap<string, ReadonlyMap<unknown, ReadonlySet<F>>> = new Map(), changes: readonly Change[]): Map<F, Change[]> {
  const concerned = new Map<F, Change[]>()
  for (const [column, byValue] of columns)
    for (const change of column ? changes : []) {
      const tell = (one: F) => concerned.get(one)?.push(change) ?? concerned.set(one, [change])
      for (const value of new Set([change.before?.[column], change.after?.[column]])) byValue.get(value)?.forEach(tell)
    }
  return concerned
}
