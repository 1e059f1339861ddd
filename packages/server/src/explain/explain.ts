// Invariant: what is explained is what is enforced. The conditions are made by the functions that make those of mutations, and judged in a
// transaction that only reads.
import { type ScopeKey, userId } from '@headwater/protocol'
import { demandsOf, type ExpressionData, type Rules, type Schema, shownBy, type WriteVerb } from '@headwater/schema'
import type { Grants } from '../api.ts'
import { isOpen } from '../open.ts'
import type { Database, SqlRow, Transaction } from '../ports.ts'
import { createGrantReader, type Granted, type GrantReader, grantsNow } from '../scopes/grants.ts'
import type { Relation } from '../scopes/relation.ts'
import { createParameters, createPerson } from '../sql/permit.ts'
import type { Images } from '../sql/rule.ts'
import type { Explain, Reason, Seer, Values } from './answer.ts'
import { addRule, type ReadPart } from './judge.ts'
import { type Asked, absent, checkColumns, checkKey, checkValues, insertedRow, keyColumns, scopesOf, storedRow, tableOf, usage } from './row.ts'

export interface ExplainDeps {
  readonly database: Database
  readonly schema: Schema
  readonly access: Rules
  readonly grants: Grants
  readonly relations: readonly Relation[]
}

export function createExplain(deps: ExplainDeps): Explain {
  const { database, schema } = deps
  // Nobody is connected for the sake of a question: when a grant ends wakes nobody.
  const reader = createGrantReader(deps.grants, deps.relations, () => {})
  return {
    can: async (user, verb, table, key, columns) => {
      const question = questionOf(deps, user, verbOf(verb), tableOf(schema, table), key, columns)
      const because = await database.transaction('read', (transaction) => answer(transaction, reader, question))
      return { allowed: because.every(({ isFulfilled }) => isFulfilled), because }
    },
    whoSees: async (table, key) => {
      const asked = tableOf(schema, table)
      const checked = checkKey(asked, key)
      return database.transaction('read', (transaction) => seersOf(transaction, reader, asked, checked))
    },
  }
}

interface Question {
  readonly asked: Asked
  readonly user: string
  readonly key: Values
  readonly text: string
  readonly parameters: Parameters<Transaction['query']>[1]
  readonly reasons: readonly { readonly asked: Reason['asked']; readonly columns: readonly string[]; readonly read: ReadPart }[]
}

/** One statement, with a column for every part of every rule that the write must fulfil. */
function questionOf(deps: ExplainDeps, user: string, verb: WriteVerb, asked: Asked, key: Values, named?: readonly string[]): Question {
  const { schema, access } = deps
  const { name, table } = asked
  const checked = verb === 'insert' ? checkValues(asked, key) : checkKey(asked, key)
  const columns = verb === 'insert' ? Object.keys(checked) : verb === 'update' ? (named ?? writable(asked, access)) : []
  checkColumns(asked, columns)
  const inKey = verb === 'update' ? columns.find((column) => table.key.includes(column)) : undefined
  if (inKey !== undefined) throw usage(`${inKey} is part of the key of ${name}, and is never updated.`)
  const parameters = createParameters()
  const rules = { schema, access, grants: grantsNow(deps.grants, deps.relations), table, parameters, person: createPerson(user, parameters) }
  const from = verb === 'insert' ? insertedRow(asked, checked, parameters) : storedRow(asked, checked, parameters)
  const images: Images = { row: 'judged', before: 'judged', after: 'judged' }
  const select = [...keyColumns(table, 'judged')]
  const seen = verb === 'insert' ? [] : [{ asked: 'see' as const, columns: [], rule: seeing(asked) }]
  const demands = demandsOf(access, name, table, verb, columns).map((demand) => ({ asked: 'write' as const, ...demand }))
  const reasons = [...seen, ...demands.filter(isAsked)].map((one) => ({ ...one, read: addRule(rules, one.rule, images, select) }))
  return { asked, user, key: checked, reasons, text: `select ${['1 as present', ...select].join(',\n  ')} from ${from} judged`, parameters: parameters.list }
}

async function answer(transaction: Transaction, reader: GrantReader, { asked, user, key, text, parameters, reasons }: Question): Promise<readonly Reason[]> {
  const [row] = await transaction.query(text, parameters)
  if (row === undefined) throw absent(asked, key)
  const granted = await grantedIn(transaction, reader, asked, user, row)
  return reasons.map(({ asked: what, columns, read }) => {
    const part = read(row, granted)
    return { asked: what, columns, isFulfilled: part.value === true, part }
  })
}

/** What the person holds of the row's scopes. */
async function grantedIn(transaction: Transaction, reader: GrantReader, { table }: Asked, user: string, row: SqlRow): Promise<Granted> {
  const granted = new Map<ScopeKey, ReadonlySet<string>>()
  for (const [kind, keys] of keysByKind(table, row)) {
    const part = await reader.partOf(transaction, kind, { users: [user], keys })
    for (const [scope, roles] of part.get(userId(user)) ?? []) granted.set(scope, roles)
  }
  return granted
}

async function seersOf(transaction: Transaction, reader: GrantReader, asked: Asked, key: Values): Promise<readonly Seer[]> {
  const { table } = asked
  const parameters = createParameters()
  const from = storedRow(asked, key, parameters)
  const [row] = await transaction.query(`select ${['1 as present', ...keyColumns(table, 'judged')].join(', ')} from ${from} judged`, parameters.list)
  if (row === undefined) throw absent(asked, key)
  const seers: Seer[] = []
  for (const { membership, scope, key: scoped } of scopesOf(table, row)) {
    for (const { user, role, until } of await reader.holders(transaction, membership.kind, scoped)) {
      const shown = shownBy(table, membership, [role])
      seers.push({ user, scope, role, until, columns: shown && Object.keys(table.columns).filter((column) => shown.includes(column)) })
    }
  }
  return seers
}

function keysByKind(table: Asked['table'], row: SqlRow): ReadonlyMap<string, readonly string[]> {
  const keys = new Map<string, string[]>()
  for (const { membership, key } of scopesOf(table, row)) keys.set(membership.kind, [...(keys.get(membership.kind) ?? []), key])
  return keys
}

/** To hold any scope that the row is in. */
const seeing = ({ table }: Asked): ExpressionData => ({
  type: 'or',
  parts: [...new Set(table.memberships.map(({ kind }) => kind))].map((kind) => ({ type: 'held', kind, roles: null })),
})

/** What somebody may write at all; where nobody may anything, everything, so that the answer says why. */
function writable({ name, table }: Asked, access: Rules): readonly string[] {
  const columns = Object.keys(table.columns).filter((column) => !table.key.includes(column) && !table.columns[column]?.isServerOwned)
  const open = columns.filter((column) => isOpen(access, name, table, 'update', [column]))
  return open.length > 0 ? open : columns
}

/** The rule of all updates is often none. */
const isAsked = ({ columns, rule }: { readonly columns: readonly string[]; readonly rule: ExpressionData }) =>
  columns.length > 0 || rule.type !== 'constant' || !rule.value

function verbOf(verb: string): WriteVerb {
  if (verb === 'insert' || verb === 'update' || verb === 'delete') return verb
  throw usage(`${verb} is not insert, update or delete.`)
}
