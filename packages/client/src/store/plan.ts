// What a query makes of its rows instead of handing them out as they are: rows with related ones, or aggregates of them. A plan comes with the
// function that asks for it (`many`, `count` ...), so that a page loads what it uses.
import type { QueryDefinition, TableDefinition } from '@headwater/schema'
import type { View } from './layer.ts'
import type { Window } from './window.ts'

/** Its members besides `open` are data: equal ones, of equal queries, give equal results. */
export interface Plan {
  open(definition: QueryDefinition, sources: Sources): Window
}

export interface Sources {
  readonly view: View
  tableOf(name: string): TableDefinition
  /** The rows of a query as they are, whatever its plan. */
  open(definition: QueryDefinition): Window
}
