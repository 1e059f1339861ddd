import { HeadwaterError } from '@headwater/protocol'
import { development } from '@headwater/protocol/development'
import { type Access, type Can, type Mutators, mapped, type QueryDefinition, queryOf, type Schema, tableOf } from '@headwater/schema'
import type { Ask, Client, ClientOptions, Mutate } from './api.ts'
import { browserPorts, pageUrl } from './browser.ts'
import { createEngine, type Engine } from './engine.ts'
import { eachVerb, encodeBuiltIn, type Verb } from './outbox/builtin.ts'
import type { Plan } from './store/plan.ts'
import { keyOfRow, type Row } from './store/row.ts'

/**
 * Opens the store of one person on this device and keeps it in step with the server, for as long as the client is open. Reads
 * and writes are answered from the device at once, online or not.
 *
 * Throws nothing for what the world does: a disk that fails or a server that is away are in `status`.
 *
 *     const client = createClient({ schema, access, mutators, url: '/', user: session.userId })
 */
export function createClient<S extends Schema, const M extends Mutators<S> = Record<never, never>>(
  options: ClientOptions<S, M> & { readonly access: Access<S> },
): Client<S, M> & { readonly can: Can<S> }
export function createClient<S extends Schema, const M extends Mutators<S> = Record<never, never>>(options: ClientOptions<S, M>): Client<S, M>
export function createClient<S extends Schema, M extends Mutators<S>>(options: ClientOptions<S, M>): Client<S, M> {
  const { schema } = options
  const mutators: Mutators = options.mutators ?? {}
  const all = { ...options, mutators, ports: { ...browserPorts(), ...options.ports }, page: pageUrl() }
  const made = createEngine(all)
  const engine = options.firstPaint?.(made, all) ?? made
  const { store, outbox, sync, setAside, newId, later, settled: _, ...api } = engine
  return {
    query: asking(engine, schema),
    mutate: mutating(engine, schema, mutators),
    can: options.access?.can(options.user, store),
    ...api,
    setAside: {
      ...setAside,
      list: setAside.get,
      export: () => JSON.stringify(setAside.get()),
      retry: async (...asked) => (await later()).retry(outbox, options.upgrade, ...asked),
      discard: outbox.discard,
    },
    ...sync.holds.api,
    verify: sync.verify,
    isProvisional: (table, row) =>
      !!store
        .overlay()
        .get(table)
        ?.has(keyOfRow(tableOf(schema, table), row)),
    id: newId,
  }
}

function asking<S extends Schema>({ store }: Engine, schema: S): Ask<S> {
  const run = (definition: QueryDefinition, build: (definition: QueryDefinition) => object) => {
    // Aggregates and related queries are plans, which what makes them says.
    const planned = (parts: Readonly<Record<string, Plan>>, ...by: readonly string[]) => {
      const [first] = Object.values(parts)
      development(() => {
        if (!first) throw new HeadwaterError('query', 'Nothing is asked for.', 'Name at least one aggregate or related query.')
      })
      return build({ ...definition, plan: { open: first?.open, parts, by } })
    }
    return {
      all: () => store.ask(definition),
      first: () => store.ask({ ...definition, limit: Math.min(1, definition.limit ?? 1) })[0],
      live: () => store.live(definition),
      with: planned,
      aggregate: planned,
    }
  }
  // One query per table of the schema, and the rows that the store holds of a table have the columns that Row infers from it.
  return mapped(schema.definitions, (table, name) => queryOf(name, table, run)) as unknown as Ask<S>
}

function mutating<S extends Schema, M extends Mutators<S>>({ outbox }: Engine, schema: S, mutators: Mutators): Mutate<S, M> {
  const members: Record<string, unknown> = mapped(schema.definitions, (table, name) => {
    const builtIn = (verb: Verb) => (values: Row, options?: { readonly expect?: Row }) =>
      outbox.make(`${name}.${verb}`, () => encodeBuiltIn(name, table, verb, values, options?.expect))
    return eachVerb(builtIn)
  })
  for (const name in mutators) members[name] = (args: unknown) => outbox.make(name, () => args)
  // A member per table of the schema and per mutator: what Mutate says for these.
  return members as Mutate<S, M>
}
