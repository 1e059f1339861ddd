// Invariant: whether a device keeps a row follows from the row's own columns and the scopes that the device holds, and from nothing else.
import { type ScopeKey, scopeKey, scopeKind } from '@headwater/protocol'
import type { LoadKind, TableDefinition } from '@headwater/schema'
import type { Row } from './row.ts'

/** `granted`: their eager rows are here. `held`: their on-demand rows are here. */
export interface Scopes {
  readonly granted: ReadonlySet<ScopeKey>
  readonly held: ReadonlySet<ScopeKey>
}
export interface ScopeLists {
  readonly granted: readonly ScopeKey[]
  readonly held: readonly ScopeKey[]
}

export const noScopes: Scopes = { granted: new Set(), held: new Set() }

export function belongs(table: TableDefinition, row: Row, scopes: Scopes): boolean {
  for (const { kind, column, load } of table.memberships) {
    const key = row[column]
    if (key !== null && setOf(scopes, load).has(scopeKey(kind, String(key)))) return true
  }
  return false
}

/** Scopes with the lists added or deleted. The same object where nothing changes: most checkpoints touch no scope, and a device can hold ten thousand. */
export function changed(scopes: Scopes, lists: ScopeLists, change: 'add' | 'delete'): Scopes {
  const next = (set: ReadonlySet<ScopeKey>, list: readonly ScopeKey[]): ReadonlySet<ScopeKey> => {
    const copy = new Set(set)
    for (const scope of list) copy[change](scope)
    return copy
  }
  const { granted, held } = lists
  return granted.length + held.length === 0 ? scopes : { granted: next(scopes.granted, granted), held: next(scopes.held, held) }
}

/** True if rows of the table may be in one of these scopes. */
export const concerns = (table: TableDefinition, { granted, held }: ScopeLists): boolean =>
  table.memberships.some(({ kind, load }) => (load === 'eager' ? granted : held).some((scope) => scopeKind(scope) === kind))

const setOf = (scopes: Scopes, load: LoadKind) => (load === 'eager' ? scopes.granted : scopes.held)
