// Invariant: whether a device keeps a row, and which of its columns, follows from the row's own columns, the scopes that the device
// holds and the roles by which its person holds them, and from nothing else.
import { type Checkpoint, type ScopeKey, scopeKey, scopeKind } from '@headwater/protocol'
import { type LoadKind, shownBy, type TableDefinition } from '@headwater/schema'
import type { Row } from './row.ts'

/** `granted`: their eager rows are here. `held`: their on-demand rows are here. */
export interface Scopes {
  readonly granted: ReadonlySet<ScopeKey>
  readonly held: ReadonlySet<ScopeKey>
  /** By which roles the person holds scopes. */
  readonly roles: ReadonlyMap<string, readonly string[]>
  /** Names the roles; null: the server has not said them. */
  readonly tag: string | null
  /** True: scopes are still to come that the person has been granted. */
  readonly more: boolean
}
export interface ScopeLists {
  readonly granted: readonly ScopeKey[]
  readonly held: readonly ScopeKey[]
}

export const noScopes: Scopes = { granted: new Set(), held: new Set(), roles: new Map(), tag: null, more: false }

/** What of the row may be kept: the row itself if that is all of it, null if no held scope contains it. */
export function narrowed(table: TableDefinition, row: Row, scopes: Scopes): Row | null {
  const shown = new Set<string>()
  for (const membership of table.memberships) {
    const key = row[membership.column] ?? null
    const scope = scopeKey(membership.kind, String(key))
    if (key === null || !setOf(scopes, membership.load).has(scope)) continue
    const columns = shownBy(table, membership, scopes.roles.get(scope) ?? [])
    if (columns === null) return row
    for (const column of columns) shown.add(column)
  }
  if (shown.size === 0) return null
  const all = Object.entries(row)
  const kept = all.filter(([column]) => shown.has(column))
  return kept.length < all.length ? Object.fromEntries(kept) : row
}

/** What is held after a checkpoint's losses. The same object where nothing is lost: most checkpoints touch no scope, and a device can hold ten thousand. */
export function remaining(scopes: Scopes, { replace, left, grants }: Checkpoint): Scopes {
  const kept = replace ? noScopes : changed(scopes, left, 'delete')
  if (!grants) return kept
  const roles = new Map(grants.replace ? grants.roles : [...kept.roles, ...grants.roles])
  // Of a scope that is not held any more not even the name stays.
  for (const [scope, of] of roles) if (of.length === 0) roles.delete(scope)
  return { ...kept, roles, tag: grants.tag }
}

/** Scopes with the lists added or deleted. */
export function changed(scopes: Scopes, { granted, held }: ScopeLists, change: 'add' | 'delete'): Scopes {
  const next = (set: ReadonlySet<ScopeKey>, list: readonly ScopeKey[]): ReadonlySet<ScopeKey> => {
    const copy = new Set(set)
    for (const scope of list) copy[change](scope)
    return copy
  }
  return granted.length + held.length === 0 ? scopes : { ...scopes, granted: next(scopes.granted, granted), held: next(scopes.held, held) }
}

/** True if a checkpoint's losses may take rows of the table, or columns of them. */
export const concerns = (table: TableDefinition, { left, grants }: Checkpoint): boolean =>
  table.memberships.some(({ kind, columns }) => (columns && grants) || [...left.granted, ...left.held].some((scope) => scopeKind(scope) === kind))

const setOf = (scopes: Scopes, load: LoadKind) => (load === 'eager' ? scopes.granted : scopes.held)
