// Which columns of a row travel, and to whom. The unit of a stream is a scope and a column set: who holds a scope by roles that show the
// same columns gets the same of it.
import { type ScopeKey, scopeKind } from '@headwater/protocol'
import { type Schema, shownBy, type TableDefinition } from '@headwater/schema'
import type { StreamKey } from './stream.ts'

/** The columns of a row on the wire, in order. */
export const wireColumns = (table: TableDefinition): readonly string[] => Object.keys(table.columns)

/** Columns by their places in the row on the wire, in order; null: all of them. */
export type Places = readonly number[] | null

/** What a scope shows of its rows. Two that are equal are the same object. */
export interface ColumnSet {
  /** Equal for what is equal. */
  readonly name: string
  /** A table that is not among them: all. */
  readonly tables: ReadonlyMap<string, Places>
}

/** What a device holds: by which column set each stream. */
export type Held = ReadonlyMap<StreamKey, ColumnSet>

export interface ColumnSets {
  /** What a person who holds the scope by these roles sees of its rows. */
  of(scope: ScopeKey, roles: Iterable<string>): ColumnSet
  /** What both show. */
  meet(a: ColumnSet, b: ColumnSet): ColumnSet
  /** True if roles decide what scopes of the kind show. */
  isByRole(scope: ScopeKey): boolean
  /** Names all that the schema says of column sets; empty if it says nothing. */
  readonly form: string
}

export function createColumnSets(schema: Schema): ColumnSets {
  const lines = Object.entries(schema.definitions).flatMap(([name, table]) =>
    table.memberships.flatMap((membership) => (membership.columns === undefined ? [] : [{ name, table, membership }])),
  )
  const kinds = new Set(lines.map(({ membership }) => membership.kind))
  const kindsByRole = new Set(lines.flatMap(({ membership }) => (Array.isArray(membership.columns) ? [] : [membership.kind])))
  const known = new Map<string, ColumnSet>()
  const setOf = (shown: readonly (readonly [table: string, places: Places])[]): ColumnSet => {
    const tables = shown.filter(([, places]) => places !== null)
    const name = JSON.stringify(tables)
    const set = known.get(name) ?? { name, tables: new Map(tables) }
    known.set(name, set)
    return set
  }
  const everything = setOf([])
  return {
    of: (scope, roles) => {
      const kind = scopeKind(scope)
      if (!kinds.has(kind)) return everything
      const ofKind = lines.filter(({ membership }) => membership.kind === kind)
      return setOf(ofKind.map(({ name, table, membership }) => [name, placesOf(table, shownBy(table, membership, roles))]))
    },
    meet: (a, b) => {
      if (a === b) return a
      const tables = [...new Set([...a.tables.keys(), ...b.tables.keys()])]
      // In the order in which `of` names them.
      const inOrder = lines.flatMap(({ name }) => (tables.includes(name) ? [name] : []))
      return setOf([...new Set(inOrder)].map((table) => [table, common(a.tables.get(table), b.tables.get(table))]))
    },
    isByRole: (scope) => kindsByRole.has(scopeKind(scope)),
    form: lines.length === 0 ? '' : JSON.stringify(lines.map(({ name, table, membership }) => [name, membership, table.key, wireColumns(table)])),
  }
}

/** What of a row in these streams is seen by who holds those; undefined: nothing. */
export function seenIn(table: string, streams: readonly StreamKey[], held: Held): Places | undefined {
  let seen: readonly number[] | undefined
  for (const stream of streams) {
    const set = held.get(stream)
    if (set === undefined) continue
    const places = set.tables.get(table) ?? null
    if (places === null) return null
    seen = seen === undefined ? places : inOrder([...seen, ...places])
  }
  return seen
}

export const areSame = (a: Places | undefined, b: Places | undefined): boolean =>
  a === b || (!!a && !!b && a.length === b.length && a.every((place, i) => place === b[i]))

function placesOf(table: TableDefinition, names: readonly string[] | null): Places {
  const columns = wireColumns(table)
  const places = inOrder((names ?? columns).map((name) => columns.indexOf(name)).filter((place) => place >= 0))
  return places.length === columns.length ? null : places
}

const common = (a: Places = null, b: Places = null): Places => (a === null ? b : b === null ? a : a.filter((place) => b.includes(place)))
const inOrder = (places: readonly number[]): readonly number[] => [...new Set(places)].sort((a, b) => a - b)
