// The rules as both sides read them.
import type { TableDefinition } from '../table.ts'
import { deny, type ExpressionData } from './expression.ts'

/** Per kind of scope its roles, each of which may do what those before it may. */
export type Ladders = Readonly<Record<string, readonly string[]>>

export type WriteVerb = 'insert' | 'update' | 'delete'

/** The rules of one table. */
export interface TableRules {
  readonly insert: ExpressionData
  /** By column; `*`: columns that have none of their own. */
  readonly columns: ReadonlyMap<string, ExpressionData>
  /** What every update must fulfil besides. */
  readonly when: ExpressionData
  readonly delete: ExpressionData
}

export interface Rules {
  readonly tables: ReadonlyMap<string, TableRules>
  readonly roles: Ladders
}

/** A rule that a write must fulfil, and the columns for whose sake; none: for the row's. */
export interface Demand {
  readonly columns: readonly string[]
  readonly rule: ExpressionData
}

/** What a write that names these columns must fulfil: all of it, on every image of the row that there is. */
export function demandsOf({ tables }: Rules, name: string, table: TableDefinition, verb: WriteVerb, columns: readonly string[]): readonly Demand[] {
  const rules = tables.get(name)
  const owned = columns.filter((column) => table.columns[column]?.isServerOwned)
  if (!rules || owned.length > 0) return [{ columns: owned, rule: deny }]
  if (verb !== 'update') return [{ columns: [], rule: rules[verb] }]
  const columnsByRule = new Map<ExpressionData, string[]>()
  for (const column of columns) {
    const rule = rules.columns.get(column) ?? rules.columns.get('*') ?? deny
    columnsByRule.set(rule, [...(columnsByRule.get(rule) ?? []), column])
  }
  return [{ columns: [], rule: rules.when }, ...[...columnsByRule].map(([rule, named]) => ({ columns: named, rule }))]
}

/** The roles that will do where these are asked for: they, and those above them on the ladder. */
export const sufficient = ({ roles: ladders }: Rules, kind: string, roles: readonly string[]): readonly string[] =>
  roles.flatMap((role) => {
    const ladder = ladders[kind] ?? []
    return ladder.includes(role) ? ladder.slice(ladder.indexOf(role)) : [role]
  })
