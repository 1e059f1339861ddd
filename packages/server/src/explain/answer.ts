// The types of what explaining answers. No code.
import type { Json } from '@headwater/protocol'

/** A row's encoded values by column name, as on the wire. */
export type Values = Readonly<Record<string, Json>>

/** Why a person may write, or not, and who sees a row: by the app's own rules and grants, asked of the database as it is now. Nothing is carried out. */
export interface Explain {
  /**
   * Whether the person may insert, update or delete a row: judged by the SQL that judges mutations, in one snapshot. `key` has the key's
   * columns; for an insert, all that the row is given. `columns` are those that an update names; without them, all that a device may
   * name. The row after an update is taken to be the row as it is. Throws `usage` for a verb, a table, a column or a value that there is not, and
   * `absent` for a row.
   */
  can(user: string, verb: string, table: string, key: Values, columns?: readonly string[]): Promise<Explained>
  /** Everybody who holds a scope that the row is in, by scope and person. Throws like `can`. */
  whoSees(table: string, key: Values): Promise<readonly Seer[]>
}

export interface Explained {
  readonly allowed: boolean
  /** All that is asked. Allowed is what fulfils all of it. */
  readonly because: readonly Reason[]
}

export interface Reason {
  /** `see`: the person holds a scope of the row; without one it is the same as absent. `write`: a rule of the app. */
  readonly asked: 'see' | 'write'
  /** The columns for whose sake; none: for the row's. */
  readonly columns: readonly string[]
  readonly isFulfilled: boolean
  /** How it was decided. */
  readonly part: Part
}

/** A rule or a part of one, and what it came to. */
export interface Part {
  /** As the app might have written it: `role('team', 'admin')`. */
  readonly rule: string
  /** null: unknown, which is not enough. */
  readonly value: boolean | null
  /** Of `and`, `or` and `not`. */
  readonly parts: readonly Part[]
  /** Of a comparison with a column of the row: what is in it, as text. */
  readonly found: { readonly column: string; readonly value: string | null } | null
  /** Of a role, or of a scope in any role: the row's scopes of that kind, what the person is there, and what would do; `needed` null: any role. */
  readonly held: { readonly needed: readonly string[] | null; readonly scopes: readonly { readonly scope: string; readonly roles: readonly string[] }[] } | null
}

/** Somebody who sees a row. A person who holds several of its scopes, or one by several roles, is here once for each. */
export interface Seer {
  readonly user: string
  readonly scope: string
  readonly role: string
  /** RFC 3339, in UTC; null: without an end. */
  readonly until: string | null
  /** What this role in this scope shows of the row; null: every column that devices know. */
  readonly columns: readonly string[] | null
}
