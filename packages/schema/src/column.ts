import type { Json } from '@headwater/protocol'
import { arrayForm, bigintForm, bytesForm, dateForm, enumerationForm, floatForm, jsonForm, numericForm, timestampForm, uuidForm } from './form.ts'
import type { StandardSchema } from './standard.ts'

export type ColumnType =
  | 'text'
  | 'integer'
  | 'bigint'
  | 'numeric'
  | 'float'
  | 'boolean'
  | 'json'
  | 'timestamp'
  | 'date'
  | 'bytes'
  | 'uuid'
  | 'enumeration'
  | 'array'
  | 'reference'

/** What values of a type are, where that is not what its encoded values are. */
export interface Form {
  /** undefined: not of the type. */
  encode(value: unknown, column: ColumnDefinition, name: string): Json | undefined
  /** undefined: not of the form. Absent: an encoded value is the JavaScript value. */
  decode?(encoded: Json, column: ColumnDefinition): unknown
  /** Compares two values that are not null. Absent: as JavaScript does. */
  compare?(column: ColumnDefinition): (a: unknown, b: unknown) => number
}

/** What a column is, as data. Everything that both sides derive (validation, SQL, encoding, order) is derived from this. */
export interface ColumnDefinition {
  readonly type: ColumnType
  readonly form?: Form | undefined
  readonly isNullable?: boolean
  /** A constant of the column's JavaScript type; undefined: none. */
  readonly defaultValue?: unknown
  readonly isKey?: boolean
  readonly isUnique?: boolean
  readonly isIndexed?: boolean
  /** The database decides the value; what the device shows until then is a guess. */
  readonly isProvisional?: boolean
  /** Devices read it; only the server's own code writes it. */
  readonly isServerOwned?: boolean
  /** text: the longest, in code points. */
  readonly lengthMax?: number | undefined
  /** enumeration: the allowed texts. */
  readonly values?: readonly string[] | undefined
  /** array: the type of an element. */
  readonly element?: ColumnDefinition | undefined
  /** reference: the table, and what happens to this row when the referenced one is deleted. */
  readonly table?: string
  readonly onDelete?: 'cascade' | 'restrict' | 'setNull'
  /** json: checks a value before it is written. */
  readonly validator?: StandardSchema<unknown> | undefined
}

/** `Input` is what may be written where it is wider than what is read. */
export interface Column<Value, Nullable extends boolean = false, Optional extends boolean = false, Input = Value> {
  readonly definition: ColumnDefinition
  /** Type only, never set: what the inference of rows reads. */
  readonly infer?: { readonly value: Value; readonly input: Input; readonly nullable: Nullable; readonly optional: Optional }
  nullable(): Column<Value, true, true, Input>
  /** A constant, filled in on the device and declared in SQL, so that both sides agree. */
  default(value: Input): Column<Value, Nullable, true, Input>
  primaryKey(): KeyColumn<Value, Optional, Input>
  unique(): Column<Value, Nullable, Optional, Input>
  index(): Column<Value, Nullable, Optional, Input>
  provisional(): Column<Value, Nullable, Optional, Input>
  /** Devices read it, and only the server's own code writes it, by `tx.unchecked`. Nullable or with a default; to be said last. */
  serverOwned(): ServerColumn<Value, Nullable, Optional, Input>
}

/** A column that inserts and updates of devices and shared mutators cannot name. */
export interface ServerColumn<Value, Nullable extends boolean, Optional extends boolean, Input> extends Column<Value, Nullable, Optional, Input> {
  /** Type only, never set. */
  readonly isServerColumn: true
}

/** A column that is the whole key of its table: an update must name it. */
export interface KeyColumn<Value, Optional extends boolean, Input> extends Column<Value, false, Optional, Input> {
  /** Type only, never set. */
  readonly isKeyColumn: true
}

export interface TextColumn extends Column<string> {
  /** At most this many code points, checked on the device and in the database. */
  max(length: number): Column<string>
}

/** PostgreSQL `text`; a JavaScript string. No NUL, no lone surrogate. */
export const text = (): TextColumn => ({
  ...column<string>({ type: 'text' }),
  max: (lengthMax) => column<string>({ type: 'text', lengthMax }),
})
/** PostgreSQL `integer`, 32 bits; a JavaScript number. */
export const integer = () => column<number>({ type: 'integer' })
/** PostgreSQL `bigint`, 64 bits; a JavaScript bigint. */
export const bigint = () => column<bigint>({ type: 'bigint', form: bigintForm })
/** PostgreSQL `numeric`, exact; a JavaScript string such as `'12.50'`, digits and scale as written. */
export const numeric = () => column<string>({ type: 'numeric', form: numericForm })
/** PostgreSQL `double precision`; a JavaScript number, NaN and the infinities included. */
export const float = () => column<number>({ type: 'float', form: floatForm })
export const boolean = () => column<boolean>({ type: 'boolean' })
/** PostgreSQL `jsonb`; any JSON. A JSON null is stored as SQL null. The validator, if any, is run before a write. */
export const json = <T = Json>(validator?: StandardSchema<T>) =>
  // The validator's type is only read by inference; at run time it takes whatever is written.
  column<T>({ type: 'json', form: jsonForm, validator: validator as StandardSchema<unknown> | undefined })
/** PostgreSQL `timestamptz`; a string `2026-11-21T03:43:43.123456Z`, to the microsecond, always UTC. A Date may be written. */
export const timestamp = () => column<string, string | Date>({ type: 'timestamp', form: timestampForm })
/** PostgreSQL `date`; a string `2026-11-21`. */
export const date = () => column<string>({ type: 'date', form: dateForm })
/** PostgreSQL `bytea`; a Uint8Array. */
export const bytes = () => column<Uint8Array>({ type: 'bytes', form: bytesForm })
/** PostgreSQL `uuid`; a string in lower case. */
export const uuid = () => column<string>({ type: 'uuid', form: uuidForm })
/** One of the given texts. PostgreSQL `text` with a check. Ordered by code point, as text is. */
export const enumeration = <const T extends string>(...values: readonly [T, ...T[]]) => column<T>({ type: 'enumeration', form: enumerationForm, values })
/** A PostgreSQL array of one dimension without nulls; a JavaScript array. */
export const array = <T, I>(element: Column<T, false, boolean, I>) =>
  column<readonly T[], readonly I[]>({ type: 'array', form: arrayForm, element: element.definition })
/** The key of a row in another table, as a foreign key. It has the type of that key: text, uuid, integer or bigint. */
export const ref = <Key extends string | number | bigint = string>(table: string, options: { readonly onDelete?: ColumnDefinition['onDelete'] } = {}) =>
  column<Key>({ type: 'reference', table, onDelete: options.onDelete ?? 'restrict' })

function column<Value, Input = Value, N extends boolean = false, O extends boolean = false>(definition: ColumnDefinition): Column<Value, N, O, Input> {
  const change = <N2 extends boolean, O2 extends boolean>(changed: Partial<ColumnDefinition>) => column<Value, Input, N2, O2>({ ...definition, ...changed })
  return {
    definition,
    nullable: () => change<true, true>({ isNullable: true }),
    default: (defaultValue) => change<N, true>({ defaultValue }),
    // That it is one is for the types alone.
    primaryKey: () => change<false, O>({ isKey: true }) as KeyColumn<Value, O, Input>,
    unique: () => change<N, O>({ isUnique: true }),
    index: () => change<N, O>({ isIndexed: true }),
    provisional: () => change<N, O>({ isProvisional: true }),
    // As above.
    serverOwned: () => change<N, O>({ isServerOwned: true }) as ServerColumn<Value, N, O, Input>,
  }
}
