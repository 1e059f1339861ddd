import { HeadwaterError } from '@headwater/protocol'
import type { Column, ColumnDefinition } from './column.ts'

/** `eager`: held by every device that is granted the scope. `onDemand`: held while somebody uses the scope. */
export type LoadKind = 'eager' | 'onDemand'

/** Columns by name: for everybody, or by role. By role, who holds the scope by a role that is not named sees every column, and by several what any of them shows. */
export type ColumnSet<Name extends string = string> = readonly Name[] | { readonly [role: string]: readonly Name[] }

/** Rows of the table belong to scope `kind:<value of column>`; a row whose column is null belongs to none by this line. */
export interface Membership {
  readonly kind: string
  readonly column: string
  readonly load: LoadKind
  /** What holders of the scope see of the row, besides its key and `column`; absent: every column. */
  readonly columns?: ColumnSet | undefined
}

export interface TableDefinition {
  readonly columns: Readonly<Record<string, ColumnDefinition>>
  /** Names of the key's columns, in order. */
  readonly key: readonly string[]
  readonly memberships: readonly Membership[]
  readonly uniques: readonly (readonly string[])[]
  readonly indexes: readonly (readonly string[])[]
}

// Column<any...> as a bound: the parameters are inferred per column and only ever read through `infer`.
// biome-ignore lint/suspicious/noExplicitAny: a bound, never a value
type AnyColumn = Column<any, boolean, boolean, any>
export type Columns = Readonly<Record<string, AnyColumn>>

export interface Table<C extends Columns = Columns, Key extends string = string, Partly extends string = string, Kinds extends string = string> {
  readonly definition: TableDefinition
  /** Type only, never set. `partly`: columns that a row may lack. `kinds`: those of the scopes that rows are in. */
  readonly infer?: { readonly columns: C; readonly key: Key; readonly partly: Partly; readonly kinds: Kinds }
  /**
   * Declares by which column a row belongs to scopes of a kind. A table can have several such lines. With `columns`, holders of the scope see
   * the key, `column` and these columns alone; a row that a person holds by several scopes has what any of them shows. A column that is
   * not held is absent from the row, which is not null: a filter on it never matches, and it sorts last.
   */
  in<const Kind extends string, M extends keyof C & string, const S extends ColumnSet<keyof C & string> | undefined = undefined>(
    kind: Kind,
    column: M,
    options?: { readonly load?: LoadKind; readonly columns?: S },
  ): Table<C, Key, Partly | Exclude<LeftOut<keyof C & string, S>, M>, Kinds | Kind>
  /** A key of several columns. With one column, say `.primaryKey()` on the column. */
  primaryKey<K extends keyof C & string>(...columns: readonly [K, ...K[]]): Table<C, K, Partly, Kinds>
  unique(...columns: readonly (keyof C & string)[]): Table<C, Key, Partly, Kinds>
  index(...columns: readonly (keyof C & string)[]): Table<C, Key, Partly, Kinds>
}

/** Declares a table. Names are camelCase here and snake_case in SQL: `ownerId` is the column `owner_id`. */
export function table<const C extends Columns>(columns: C): Table<C, KeyNames<C>, never, never> {
  const definitions = mapped(columns, ({ definition }) => definition)
  const key = Object.keys(definitions).filter((name) => definitions[name]?.isKey)
  return build<C, KeyNames<C>, never, never>({ columns: definitions, key, memberships: [], uniques: [], indexes: [] })
}

function build<C extends Columns, Key extends string, Partly extends string, Kinds extends string>(definition: TableDefinition): Table<C, Key, Partly, Kinds> {
  const change = <K extends string = Key, P extends string = Partly, Ks extends string = Kinds>(changed: Partial<TableDefinition>) =>
    build<C, K, P, Ks>({ ...definition, ...changed })
  return {
    definition,
    in: (kind, column, { load = 'eager', columns } = {}) => change({ memberships: [...definition.memberships, { kind, column, load, columns }] }),
    primaryKey: (...key) => change({ key }),
    unique: (...columns) => change({ uniques: [...definition.uniques, columns] }),
    index: (...columns) => change({ indexes: [...definition.indexes, columns] }),
  }
}

/** The same names, each with what is made of its value. */
export const mapped = <T, U>(record: Readonly<Record<string, T>>, make: (value: T, name: string) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, make(value, name)]))

/** What a record has by that name of its own: names come from outside, and `constructor` is one. */
export const own = <T>(record: Readonly<Record<string, T>>, name: string): T | undefined => (Object.hasOwn(record, name) ? record[name] : undefined)

/** The definition of a column. Throws an error of this code if the table has none of that name. */
export function columnOf(table: TableDefinition, name: string, code: 'query' | 'invalid'): ColumnDefinition {
  const column = own(table.columns, name)
  if (column === undefined) throw new HeadwaterError(code, `There is no column ${name}.`)
  return column
}

/** The columns that a holder of the scope by these roles sees of a row that is in it by this line; null: every one. */
export function shownBy({ key }: TableDefinition, { column, columns }: Membership, roles: Iterable<string>): readonly string[] | null {
  if (columns === undefined) return null
  const shown = [...key, column]
  if (isList(columns)) return [...shown, ...columns]
  for (const role of roles) {
    if (!Object.hasOwn(columns, role)) return null
    shown.push(...(columns[role] ?? []))
  }
  return shown
}

const isList = (columns: ColumnSet): columns is readonly string[] => Array.isArray(columns)

/** The columns that some list of a set leaves out. */
type LeftOut<Names, S> = S extends undefined
  ? never
  : S extends readonly (infer Name)[]
    ? Exclude<Names, Name>
    : { [R in keyof S]: LeftOut<Names, S[R]> }[keyof S]

export type KeyOf<T> = T extends Table<infer _, infer K> ? K : never
type KeyNames<C extends Columns> = { [K in keyof C]: C[K] extends { readonly isKeyColumn: true } ? K : never }[keyof C] & string
export type ColumnsOf<T> = T extends Table<infer C, string> ? C : never
export type KindsOf<T> = T extends { readonly infer?: { readonly kinds: infer K } } ? K & string : never
type ValueOf<C> = C extends Column<infer V, infer N, boolean, unknown> ? (true extends N ? V | null : V) : never
type InputOf<C> = C extends Column<unknown, infer N, boolean, infer I> ? (true extends N ? I | null : I) : never
/** Of a table whose columns are not known, none: `any` would be all of them. */
type ServerNames<C extends Columns> = string extends keyof C ? never : { [K in keyof C]: C[K] extends { readonly isServerColumn: true } ? K : never }[keyof C]
type OptionalNames<C extends Columns> = { [K in keyof C]: C[K] extends Column<unknown, boolean, true, unknown> ? K : never }[keyof C]
type Flat<T> = { [K in keyof T]: T[K] } & {}

export type PartlyOf<T> = T extends Table<Columns, infer K, infer P> ? Exclude<P, K> : never

/** What is read: every column, nullable ones as `T | null`, those that some column set leaves out as `T | undefined`. */
export type Row<T> = RowOf<ColumnsOf<T>, PartlyOf<T>>
type RowOf<C extends Columns, P> = Flat<
  { readonly [K in Exclude<keyof C, P>]: ValueOf<C[K]> } & { readonly [K in Extract<keyof C, P>]: ValueOf<C[K]> | undefined }
>
/** What is inserted: columns that are nullable or have a default may be left out, and those that the server owns are. */
export type Insert<T> = InsertOf<ColumnsOf<T>, ServerNames<ColumnsOf<T>>>
/** The same for the server's own code: every column. */
export type ServerInsert<T> = InsertOf<ColumnsOf<T>, never>
type InsertOf<C extends Columns, Hidden> = Flat<
  { readonly [K in Exclude<keyof C, OptionalNames<C> | Hidden>]: InputOf<C[K]> } & {
    readonly [K in Exclude<OptionalNames<C>, Hidden>]?: InputOf<C[K]> | undefined
  }
>
/** What is updated: the key, and the columns that change. Only what is named is written. */
export type Update<T> = T extends Table<infer C, infer K> ? UpdateOf<C, K, ServerNames<C>> : never
/** The same for the server's own code: every column. */
export type ServerUpdate<T> = T extends Table<infer C, infer K> ? UpdateOf<C, K, never> : never
type UpdateOf<C extends Columns, K, Hidden> = Flat<
  { readonly [N in K & keyof C]: InputOf<C[N]> } & { readonly [N in Exclude<keyof C, K | Hidden>]?: InputOf<C[N]> | undefined }
>
/** The key alone: what names a row. */
export type Key<T> = T extends Table<infer C, infer K> ? Flat<{ readonly [N in K & keyof C]: InputOf<C[N]> }> : never
