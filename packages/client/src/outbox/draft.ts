// Invariant: a mutation writes into a draft of its own, which is merged when it succeeds: one that throws leaves nothing.
import { HeadwaterError, type Json } from '@headwater/protocol'
import { refuse, type Schema, type TableDefinition } from '@headwater/schema'
import { type Layer, over, setIn, type View } from '../store/layer.ts'
import { areEqual, keyOfRow } from '../store/row.ts'
import { type BuiltIn, decodeBuiltIn } from './builtin.ts'

export interface Draft {
  readonly layer: Layer
  /** What is below, with what was written so far. */
  readonly view: View
  /** Carries out an insert, update or delete as the server would. Throws its refusals, and `not-held` where the device cannot know. */
  write(name: string, args: Json): void
  /** From now on every use throws: the mutation is over. */
  close(): void
  assertOpen(): void
}

export interface DraftDeps {
  readonly schema: Schema
  /** True if a row of the table can exist that this device does not hold. */
  readonly isPartly: (table: TableDefinition) => boolean
}

export function createDraft({ schema, isPartly }: DraftDeps, below: View): Draft {
  const layer: Layer = new Map()
  const view = over(below, () => layer)
  let isOpen = true

  function put({ table, definition, verb, row, expect }: BuiltIn): void {
    const key = keyOfRow(definition, row)
    const before = view.get(table, key)
    if (verb === 'delete') return before && setIn(layer, table, key, null)
    if (verb === 'insert') {
      if (before) refuse('unique', `There is such a row in ${table}.`)
      return setIn(layer, table, key, row)
    }
    if (before === undefined) {
      if (isPartly(definition)) throw new HeadwaterError('not-held', `There may be such a row in ${table}.`)
      return refuse('absent', `There is no such row in ${table}.`)
    }
    for (const column in expect) {
      if (!(column in before)) refuse('hidden', `You do not see ${table}.${column}.`)
      if (!areEqual(before[column], expect[column])) refuse('conflict', `${table}.${column} has changed meanwhile.`)
    }
    setIn(layer, table, key, { ...before, ...row })
  }

  function assertOpen(): void {
    if (!isOpen) throw waits()
  }

  return {
    layer,
    view,
    write: (name, args) => {
      assertOpen()
      put(decodeBuiltIn(schema, name, args))
    },
    close: () => {
      isOpen = false
    },
    assertOpen,
  }
}

/** A mutator that awaits anything but `tx` would change what is shown at some later time, on top of what it never saw. */
export const waits = () => new HeadwaterError('mutator-waits', 'A mutator waits for something else than tx.')

export const isNotHeld = (error: unknown): boolean => error instanceof HeadwaterError && error.code === 'not-held'
