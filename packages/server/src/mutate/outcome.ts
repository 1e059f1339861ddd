import { HeadwaterError } from '@headwater/protocol'
import type { Schema } from '@headwater/schema'
import { snakeCase } from '../sql/name.ts'

/** What to do about a failed try of a mutation. */
export type Verdict =
  /** For good: the device keeps it for the person. */
  | { readonly type: 'refused'; readonly code: string; readonly reason: string }
  /** The transaction lost a race: run it again at once. */
  | { readonly type: 'race' }
  /** The database cannot, for now: wait, and try again for as long as it takes. */
  | { readonly type: 'wait' }
  /** Not this device's next number: carried out before, or out of order. */
  | { readonly type: 'misnumbered' }
  /** Carried out before, under another number. */
  | { readonly type: 'repeated' }
  /** Made by a newer app than this server knows. */
  | { readonly type: 'unknown'; readonly reason: string }
  /** Nobody declared this: try again a few times, then refuse as `failed`. */
  | { readonly type: 'unexpected'; readonly reason: string }

const constraintCodes: Readonly<Record<string, readonly [code: string, reason: string]>> = {
  '23505': ['unique', 'is already taken'],
  '23503': ['reference', 'refers to a row that does not exist, or is still referred to'],
  '23502': ['required', 'is required'],
  '23514': ['check', 'is not an allowed value'],
  '23P01': ['check', 'conflicts with another row'],
}

/** Judges what a try threw. Nothing of a row's contents is in a reason: PostgreSQL's own messages quote values of other people's rows. */
export function verdictOf(error: unknown, names: Names = new Map()): Verdict {
  if (!(error instanceof HeadwaterError)) return { type: 'unexpected', reason: 'The mutator failed.' }
  if (['connection', 'held', 'standby'].includes(error.code)) return { type: 'wait' }
  if (error.code === 'refused') return { type: 'refused', code: String(error.details.code ?? 'refused'), reason: error.message }
  if (error.code === 'unknown-mutator') return { type: 'unknown', reason: error.message }
  if (['invalid', 'query', 'schema', 'corrupt'].includes(error.code)) return { type: 'refused', code: 'invalid', reason: error.message }
  if (error.code === 'sql') return verdictOfSql(String(error.details.sqlstate ?? ''), error, names)
  return { type: 'unexpected', reason: 'The mutator failed.' }
}

function verdictOfSql(sqlstate: string, error: HeadwaterError, names: Names): Verdict {
  const { table, column, constraint, message } = error.details
  if (sqlstate === 'HW001') return { type: 'refused', code: String(constraint), reason: String(message) }
  if (sqlstate === 'HW002') return { type: 'misnumbered' }
  if (sqlstate === 'HW003' || constraint === 'mutations_first') return { type: 'repeated' }
  // A table that does not fit the schema: until it is migrated.
  if (sqlstate === 'HW004') return { type: 'wait' }
  if (sqlstate.startsWith('40')) return { type: 'race' }
  if (/^(08|53|57P|58|25006|55P03)/.test(sqlstate)) return { type: 'wait' }
  const known = constraintCodes[sqlstate]
  if (known) return { type: 'refused', code: known[0], reason: `${whereOf(table, column, constraint, names)} ${known[1]}.` }
  if (sqlstate.startsWith('23') || sqlstate.startsWith('22')) return { type: 'refused', code: 'invalid', reason: 'A value cannot be stored.' }
  return { type: 'unexpected', reason: `The database refused it (${sqlstate}).` }
}

/**
 * What may be named of tables that have columns which only the server has, by SQL name: columns, and lists of them as our constraints join
 * them. Of other tables everything may.
 */
export type Names = ReadonlyMap<string, ReadonlySet<string>>

export function namesOf(schema: Schema, serverSchema: Schema): Names {
  const differing = Object.entries(schema.definitions).filter(([name, { columns }]) => {
    return Object.keys(columns).length !== Object.keys(serverSchema.definitions[name]?.columns ?? {}).length
  })
  return new Map(
    differing.map(([name, { columns, uniques }]) => [
      snakeCase(name),
      new Set([...Object.keys(columns).map((one) => [one]), ...uniques].map((one) => one.map(snakeCase).join('_'))),
    ]),
  )
}

/** `projects.slug`, from our own constraint names; they hold no values. */
function whereOf(table: unknown, column: unknown, constraint: unknown, names: Names): string {
  const name = String(table ?? 'The row')
  const constrained = String(constraint ?? '')
    .replace(new RegExp(`^${name}_`), '')
    .replace(/_(unique|key|check\d*|reference)$/, '')
  const columns = column === undefined ? constrained : String(column)
  if (columns === '' || columns === 'key') return `${name}: the key`
  return names.get(name)?.has(columns) === false ? `${name}: a value` : `${name}.${columns}`
}
