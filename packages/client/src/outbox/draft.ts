// Invariant: a mutation writes into a draft of its own, which is merged when it succeeds: one that throws leaves nothing.
import { HeadwaterError, type Json } from '@headwater/protocol'
import { type Predicate, refuse, type Schema, type TableDefinition } from '@headwater/schema'
import { type Layer, over, setIn, type View } from '../store/layer.ts'
import { areEqual, keyOfRow } from '../store/row.ts'
import { type BuiltIn, decodeBuiltIn } from './builtin.ts'

export interface Draft {
  readonly layer: Layer
  /** What it looked at below: names of rows, and of tables where it looked at more than one row. */
  readonly reads: readonly string[]
  /** What is below, with what was written so far. */
  readonly view: View
  /** Carries out an insert, update or delete as the server would. Throws its refusals, and `not-held` where the device cannot know. */
  write(name: string, args: Json): void
  /** From now on every write throws: the mutation is over. */
  close(): void
}

export interface DraftDeps {
  readonly schema: Schema
  /** Throws `not-held` if a row of the table that matches can be where this device does not see it. `view`: what the mutation sees. Without `where`: any row. */
  readonly assertHeld: (table: TableDefinition, view: View, where?: Predicate) => void
}

export function createDraft({ schema, assertHeld }: DraftDeps, below: View): Draft {
  const layer: Layer = new Map()
  const reads: string[] = []
  const view = over(below, () => layer, reads)
  let isOpen = true

  function put({ table, definition, verb, row, expect }: BuiltIn): void {
    const key = keyOfRow(definition, row)
    const before = view.get(table, key)
    if (verb === 'delete') return before && setIn(layer, table, key, null)
    if (verb === 'insert') {
      if (before) refuse('unique', `${table} has such a row.`)
      return setIn(layer, table, key, row)
    }
    if (before === undefined) {
      assertHeld(definition, view)
      return refuse('absent', `${table} has no such row.`)
    }
    for (const column in expect) {
      if (!(column in before)) refuse('hidden', `${table}.${column} is hidden.`)
      if (!areEqual(before[column], expect[column])) refuse('conflict', `${table}.${column} has changed.`)
    }
    setIn(layer, table, key, { ...before, ...row })
  }

  return {
    layer,
    reads,
    view,
    write: (name, args) => {
      if (!isOpen) throw waits()
      put(decodeBuiltIn(schema, name, args))
    },
    close: () => {
      isOpen = false
    },
  }
}

/** A mutator that awaits anything but `tx` would change what is shown at some later time, on top of what it never saw. */
export const waits = () => new HeadwaterError('mutator-waits', 'A mutator waits for more than tx.')

export const isNotHeld = (error: unknown): boolean => error instanceof HeadwaterError && error.code === 'not-held'
