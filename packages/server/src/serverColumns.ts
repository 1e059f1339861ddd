// Columns that only the server has. Devices load the schema without them; everything that is sent is made from that schema, and so
// neither their names nor their values can be in it (S6).
import { HeadwaterError } from '@headwater/protocol'
import { type Columns, type ColumnsOf, defineSchema, type KeyOf, type KindsOf, type PartlyOf, type Schema, type Table, type Tables } from '@headwater/schema'

/** Per table the columns that only the server has. */
export type ServerColumns<S extends Schema> = { readonly [T in keyof S['tables']]?: Columns }

type Joined<T extends Tables, X> = {
  readonly [N in keyof T]: N extends keyof X ? (X[N] extends Columns ? Table<ColumnsOf<T[N]> & X[N], KeyOf<T[N]>, PartlyOf<T[N]>, KindsOf<T[N]>> : T[N]) : T[N]
}

/** A schema of the server, with the one that devices share in it. */
export interface ServerSchema<S extends Schema, X extends ServerColumns<S>> extends Schema<Joined<S['tables'], X>> {
  readonly shared: S
}
export type SharedOf<S extends Schema> = S extends { readonly shared: infer Shared extends Schema } ? Shared : S

/**
 * The schema with columns that no device ever hears of: server mutators read and write them by `tx.unchecked`, SQL as it likes. They are
 * nullable or have a default, since devices insert rows without them.
 *
 *     const serverSchema = withServerColumns(schema, { users: { passwordHash: text().nullable() } })
 */
export function withServerColumns<S extends Schema, const X extends ServerColumns<S>>(shared: S, columns: X): ServerSchema<S, X> {
  const tables = Object.entries(shared.tables).map(([name, table]) => {
    // Names of tables are those of the schema, which the type of `columns` knows.
    const given: Columns = (columns as Readonly<Record<string, Columns | undefined>>)[name] ?? {}
    const own = Object.fromEntries(Object.entries(given).map(([column, { definition }]) => [column, definition]))
    return [name, { ...table, definition: { ...table.definition, columns: { ...own, ...table.definition.columns } } }]
  })
  // The tables of `shared`, with the columns that Joined says.
  return { ...defineSchema(Object.fromEntries(tables) as Joined<S['tables'], X>), shared }
}

/** What devices know of the schema. Throws `schema` for columns of the server that cannot be. */
export function sharedOf(schema: Schema): Schema {
  // Only withServerColumns makes such a member.
  const shared = 'shared' in schema ? (schema as ServerSchema<Schema, never>).shared : schema
  for (const [name, { columns }] of Object.entries(schema.definitions)) {
    const known = shared.definitions[name]
    for (const [column, { isNullable, defaultValue, isKey }] of Object.entries(columns)) {
      if (known && Object.hasOwn(known.columns, column)) continue
      if (isKey) throw failure(`${name}.${column} is the server's alone and part of the key.`)
      if (!isNullable && defaultValue === undefined) throw failure(`${name}.${column} is the server's alone, not nullable, and has no default.`)
    }
  }
  return shared
}

const failure = (message: string) => new HeadwaterError('schema', message, 'Devices insert rows without it: make it nullable, or give it a default.')
