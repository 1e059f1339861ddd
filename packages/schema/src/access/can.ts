// What the rules allow, as far as a device knows: three-valued, as in SQL, and what is unknown is not allowed.
import { scopeKey } from '@headwater/protocol'
import { meaning, operandOf } from '../predicate.ts'
import type { Schema, TableName } from '../schema.ts'
import type { Insert, Key, Row, TableDefinition } from '../table.ts'
import type { ExpressionData } from './expression.ts'
import { demandsOf, type Rules, sufficient, type WriteVerb } from './rules.ts'

type AnyRow = Readonly<Record<string, unknown>>

export interface HeldScopes {
  readonly roles: ReadonlyMap<string, readonly string[]>
  readonly tag: string | null
}

/** What a device knows. */
export interface Held {
  /** The scopes that the person holds, each with their roles. Another object when they are others; `tag` null: they are not known yet. */
  scopes(): HeldScopes
  /** The rows that are here. There may be others. */
  readonly visible: { each(table: string, run: (row: AnyRow) => void): void }
}

/** Whether a write would be allowed, by what is here: at once, and offline. False for what is not known. The server decides anew. */
export interface Can<S extends Schema> {
  readonly insert: { readonly [T in TableName<S>]: CanTable<S['tables'][T]>['insert'] }
  /** Of the row as it is, and these columns of it. */
  readonly update: { readonly [T in TableName<S>]: CanTable<S['tables'][T]>['update'] }
  readonly delete: { readonly [T in TableName<S>]: CanTable<S['tables'][T]>['delete'] }
  /** By what it answers: another object when it may answer otherwise. */
  readonly scopes: () => HeldScopes
}

/** As methods, so that the rules of one schema can be handed to what takes those of any. */
interface CanTable<T> {
  insert(row: Insert<T>): boolean
  update(row: Row<T>, columns: readonly Exclude<keyof Row<T>, keyof Key<T>>[]): boolean
  delete(row: Row<T>): boolean
}

export function canOf<S extends Schema>(schema: S, rules: Rules, person: string, held: Held): Can<S> {
  const verb = (name: WriteVerb) =>
    Object.fromEntries(
      Object.entries(schema.definitions).map(([table, definition]) => [
        table,
        (given: AnyRow, asked: readonly string[] = []) => {
          const isInsert = name === 'insert'
          const row = isInsert ? completed(definition, given) : given
          const columns = isInsert ? Object.keys(given).filter((column) => given[column] !== undefined) : asked
          const judge = createJudge(rules, person, held, definition)
          return row !== null && demandsOf(rules, table, definition, name, columns).every(({ rule }) => judge(rule, { row, before: row, after: row }) === true)
        },
      ]),
    )
  // A function per table and verb: what Can says for this schema.
  return { insert: verb('insert'), update: verb('update'), delete: verb('delete'), scopes: held.scopes } as unknown as Can<S>
}

/** The row as the database would have it, as far as it is given; null: it could not be stored. */
function completed({ columns }: TableDefinition, given: AnyRow): AnyRow | null {
  const row: Record<string, unknown> = {}
  try {
    for (const [name, column] of Object.entries(columns)) {
      const value = given[name] === undefined ? (column.defaultValue ?? (column.isNullable ? null : undefined)) : given[name]
      row[name] = value === undefined || value === null ? value : operandOf(column, name, 'eq', value)
    }
    return row
  } catch {
    return null
  }
}

/** The rows that an expression speaks of, by their names in it. */
type Images = Readonly<Record<string, AnyRow>>

/** Evaluates expressions about rows of one table: true, false, or null for unknown. What the SQL of packages/server/src/sql/rule.ts says, said for a device. */
export function createJudge(rules: Rules, person: string, held: Held, table: TableDefinition): (expression: ExpressionData, images: Images) => boolean | null {
  const judge = (expression: ExpressionData, images: Images): boolean | null => {
    switch (expression.type) {
      case 'constant':
        return expression.value
      case 'and':
      case 'or':
        return fold(
          expression.parts.map((part) => judge(part, images)),
          expression.type === 'or',
        )
      case 'not': {
        const value = judge(expression.part, images)
        return value === null ? null : !value
      }
      case 'isNull': {
        const value = images[expression.operand.of]?.[expression.operand.column]
        return value === undefined ? null : value === null
      }
      case 'compare':
        return compare(expression, images)
      case 'held':
        return holds(expression, images.row ?? {})
      case 'exists': {
        let found: boolean | null = null
        held.visible.each(expression.table, (related) => {
          if (judge(expression.where, { ...images, [expression.as]: related })) found = true
        })
        // A row that is not here may be there.
        return found
      }
    }
  }

  function compare({ operator, left, right }: Extract<ExpressionData, { type: 'compare' }>, images: Images): boolean | null {
    const value = images[left.of]?.[left.column] ?? null
    const other = right.type === 'column' ? (images[right.of]?.[right.column] ?? null) : right.type === 'person' ? person : right.value
    if (value === null || other === null) return null
    // A person's id is text, whatever the type of the column that holds it.
    if (right.type === 'person') return (String(value) === other) === (operator === 'eq')
    return meaning(left.definition, operator, other)(value)
  }

  function holds({ kind, roles: asked }: Extract<ExpressionData, { type: 'held' }>, row: AnyRow): boolean | null {
    const { roles, tag } = held.scopes()
    const wanted = asked && sufficient(rules, kind, asked)
    const answers = table.memberships
      .filter((membership) => membership.kind === kind)
      .map(({ column }) => {
        const key = row[column]
        if (key === null) return false
        if (key === undefined || tag === null) return null
        const own = roles.get(scopeKey(kind, String(key)))
        return own !== undefined && (wanted === null || own.some((role) => wanted.includes(role)))
      })
    return fold(answers, true)
  }

  return judge
}

/** Kleene's and, or: the deciding value wins, then unknown. */
const fold = (values: readonly (boolean | null)[], deciding: boolean): boolean | null =>
  values.includes(deciding) ? deciding : values.includes(null) ? null : !deciding
