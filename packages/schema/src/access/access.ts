// What an app declares about who may write what. The rules are data: the server makes SQL of them, and a device evaluates them.
import { type Schema, type TableName, tableOf } from '../schema.ts'
import type { KindsOf, Row } from '../table.ts'
import { type Can, canOf, type Held } from './can.ts'
import { allow, deny, type Expression, type ExpressionData, holds, type NeedsOf, type Operands, or, type Person } from './expression.ts'
import type { Ladders, Rules, TableRules } from './rules.ts'

/** There is a related row, whoever may see it: `exists('members', (member) => and(eq(member.projectId, row.id), eq(member.userId, person)))`. */
export type Exists<S extends Schema> = <N extends TableName<S>, E extends Expression>(
  table: N,
  where: (related: Operands<S['tables'][N]>) => E,
) => Expression<NeedsOf<E>>

/** What a rule speaks of: `row` is the row as it is added, as it is deleted, and of an update the row before and, judged again, after. */
export interface Judged<S extends Schema, T> {
  readonly row: Operands<T>
  readonly person: Person
  readonly exists: Exists<S>
}
export interface JudgedUpdate<S extends Schema, T> extends Judged<S, T> {
  readonly before: Operands<T>
  readonly after: Operands<T>
}

export type Rule<S extends Schema, T, L extends Ladders> = Expression<NeedOf<T, L>> | ((judged: Judged<S, T>) => Expression<NeedOf<T, L>>)

/** The scopes that a table's rows are in, with the roles of the ladder if there is one. */
type NeedOf<T, L extends Ladders> = { [K in KindsOf<T>]: { readonly kind: K; readonly role: K extends keyof L ? L[K][number] : string } }[KindsOf<T>]

export interface UpdateRules<S extends Schema, T, L extends Ladders> {
  /** The rule of every column that a mutation names must hold, on the row before and after. `'*'`: columns that are not listed; without it they are denied. */
  readonly columns: { readonly [C in (keyof Row<T> & string) | '*']?: Rule<S, T, L> }
  /** Must hold besides, whichever columns are named. */
  readonly when?: Expression<NeedOf<T, L>> | ((judged: JudgedUpdate<S, T>) => Expression<NeedOf<T, L>>)
}

/** Verbs that are left out are denied. */
export interface TableAccess<S extends Schema, T, L extends Ladders> {
  readonly insert?: Rule<S, T, L>
  readonly update?: Rule<S, T, L> | UpdateRules<S, T, L>
  readonly delete?: Rule<S, T, L>
}

export interface Access<S extends Schema = Schema> extends Rules {
  /** What the rules allow a person, as far as a device knows. Here, so that an app without rules on its devices does not load how they are evaluated. */
  can(person: string, held: Held): Can<S>
}

/**
 * Who may write what. A table or verb without a rule cannot be written by devices and shared mutators at all.
 *
 *     const access = defineAccess(schema, {
 *       campaigns: {
 *         insert: role('team', 'editor'),
 *         update: { columns: { budgetMinor: role('team', 'admin'), '*': role('team', 'editor') }, when: ({ before, after }) => eq(before.teamId, after.teamId) },
 *         delete: ({ row, person }) => or(role('team', 'owner'), eq(row.ownerId, person)),
 *       },
 *     }, { roles: { team: ['viewer', 'editor', 'admin', 'owner'] } })
 *
 * Any grant that permits is enough. Nothing is checked here: a server does so when it starts.
 */
export function defineAccess<S extends Schema, const L extends Ladders = Record<never, never>>(
  schema: S,
  tables: { readonly [T in TableName<S>]?: TableAccess<S, S['tables'][T], NoInfer<L>> },
  options: { readonly roles?: L } = {},
): Access<S> {
  // Which table has which columns and kinds is for the types above alone.
  const given = Object.entries(tables as Readonly<Record<string, AnyAccess>>)
  return accessOf(schema, new Map(given.map(([name, table]) => [name, rulesOf(judgedOf(schema, name), table)])), options.roles ?? {})
}

/** Whoever holds a scope that a row is in may do anything with it, as it was and as it becomes: for first steps. Rows in no scope are nobody's. */
export function holdersMayWrite<S extends Schema>(schema: S): Access<S> {
  const tables = Object.entries(schema.definitions).map(([name, { memberships }]): [string, TableRules] => {
    const any = or(...memberships.map(({ kind }) => holds(kind)))
    return [name, { insert: any, columns: new Map([['*', any]]), when: allow, delete: any }]
  })
  return accessOf(schema, new Map(tables), {})
}

function accessOf<S extends Schema>(schema: S, tables: Rules['tables'], roles: Ladders): Access<S> {
  const rules: Rules = { tables, roles }
  return { ...rules, can: (person, held) => canOf(schema, rules, person, held) }
}

type AnyRule = ExpressionData | ((judged: object) => ExpressionData)
interface AnyAccess {
  readonly insert?: AnyRule
  readonly update?: AnyRule | { readonly columns: Readonly<Record<string, AnyRule>>; readonly when?: AnyRule }
  readonly delete?: AnyRule
}

function rulesOf(judged: object, { insert = deny, update = deny, delete: deleting = deny }: AnyAccess): TableRules {
  const data = (rule: AnyRule): ExpressionData => (typeof rule === 'function' ? rule(judged) : rule)
  const { columns, when = allow } = 'columns' in update ? update : { columns: { '*': update } }
  return {
    insert: data(insert),
    columns: new Map(Object.entries(columns).map(([column, rule]) => [column, data(rule)])),
    when: data(when),
    delete: data(deleting),
  }
}

/** What a rule is handed. */
function judgedOf(schema: Schema, name: string): object {
  let count = 0
  const columns = (table: string, of: string) =>
    Object.fromEntries(Object.entries(tableOf(schema, table).columns).map(([column, definition]) => [column, { type: 'column', of, column, definition }]))
  const exists = (table: string, where: (related: object) => ExpressionData): ExpressionData => {
    const as = `related${++count}`
    return { type: 'exists', table, as, where: where(columns(table, as)) }
  }
  return { row: columns(name, 'row'), before: columns(name, 'before'), after: columns(name, 'after'), person: { type: 'person' }, exists }
}
