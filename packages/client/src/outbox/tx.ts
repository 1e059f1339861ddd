import { type Json, type UserId, userId } from '@headwater/protocol'
import { derivedId, type Mutator, type QueryDefinition, queryOf, type Schema, type Tx } from '@headwater/schema'
import type { Row } from '../store/row.ts'
import { questionOf, select } from '../store/select.ts'
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
  const members: Record<string, unknown> = {}
  const queries: Record<string, unknown> = {}
  const ask = (definition: QueryDefinition, limit = definition.limit) => {
    const table = schema.definitions[definition.table]
    return table ? select(draft.view, questionOf(table, { ...definition, limit })) : []
  }
  for (const [name, table] of Object.entries(schema.definitions)) {
    members[name] = eachVerb((verb) => async (values: Row) => draft.write(`${name}.${verb}`, encodeBuiltIn(name, table, verb, values)))
    queries[name] = queryOf(name, table, (definition) => ({
      all: async () => ask(definition),
      first: async () => {
        const [row] = ask(definition, Math.min(1, definition.limit ?? 1))
        if (row === undefined) assertHeld(table, draft.view, definition.where)
        return row
      },
    }))
  }
  const fixed: { query: unknown; user: UserId; id: () => string; now: () => string } = {
    query: queries,
    user: userId(user),
    id: () => derivedId(mutation.id, ++ids),
    now: () => mutation.at,
  }
  // A member per table of the schema and the four fixed ones: what Tx says for this schema.
  return Object.assign(members, fixed) as unknown as Tx
}
