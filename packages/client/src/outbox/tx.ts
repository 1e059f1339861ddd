import { type Json, type UserId, userId } from '@headwater/protocol'
import { derivedId, type Mutator, own, type QueryDefinition, queryOf, type Schema, type TableDefinition, type Tx } from '@headwater/schema'
import type { Row } from '../store/row.ts'
import { questionOf } from '../store/select.ts'
import { createWindow } from '../store/window.ts'
import { eachVerb, encodeBuiltIn } from './builtin.ts'
import type { Draft, DraftDeps } from './draft.ts'

export interface TxDeps extends DraftDeps {
  readonly user: string
}

/** What a mutator works with on a device: everything settles in microtasks, so that it is done before the next frame. */
export function createTx(
  { schema, user, assertHeld }: TxDeps,
  draft: Draft,
  mutation: { readonly id: string; readonly at: string },
): Parameters<Mutator<Schema, Json>['run']>[0] {
  let ids = 0
  const ask = (table: TableDefinition, definition: QueryDefinition, limit = definition.limit) => {
    const window = createWindow(questionOf(table, { ...definition, limit }), draft.view)
    window.fill()
    return window.shown()
  }
  const queries = perTable(schema, (name, table) =>
    queryOf(name, table, (definition) => ({
      all: async () => ask(table, definition),
      first: async () => {
        const [row] = ask(table, definition, Math.min(1, definition.limit ?? 1))
        if (row === undefined) assertHeld(table, draft.view, definition.where)
        return row
      },
    })),
  )
  const fixed: { query: unknown; user: UserId; id: () => string; now: () => string } = {
    query: queries,
    user: userId(user),
    id: () => derivedId(mutation.id, ++ids),
    now: () => mutation.at,
  }
  const members = perTable(
    schema,
    (name, table) => eachVerb((verb) => async (values: Row) => draft.write(`${name}.${verb}`, encodeBuiltIn(name, table, verb, values))),
    fixed,
  )
  // A member per table of the schema and the four fixed ones: what Tx says for this schema.
  return members as unknown as Tx
}

/** A member per table, made when first asked for: a mutator of an app with many tables uses few of them, and is run again and again. */
function perTable(schema: Schema, make: (name: string, table: TableDefinition) => unknown, members: object = {}): object {
  return new Proxy(members, {
    get: (target: Record<string, unknown>, name: string) => {
      const table = own(schema.definitions, name)
      if (table) target[name] ??= make(name, table)
      return target[name]
    },
  })
}
