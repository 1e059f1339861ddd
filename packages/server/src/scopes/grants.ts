// Who holds which scopes, by the app's own SQL. What counts is judged by the database: its rows, and its clock.
import { HeadwaterError, type ScopeKey, scopeKey, scopeKind, type UserId, userId } from '@headwater/protocol'
import type { Grant, Grants, Sql } from '../api.ts'
import { limits } from '../limits.ts'
import type { Parameter, SqlRow, Transaction } from '../ports.ts'
import { literal } from '../sql/name.ts'
import { shifted } from '../sql/tag.ts'
import type { Relation } from './relation.ts'

/** Which scopes a person holds, and with which roles, in one snapshot. */
export type Granted = ReadonlyMap<ScopeKey, ReadonlySet<string>>

/** What is now known anew of a person's grants: all of these kinds, and these scopes. What of it is not in `granted` is not held. */
export interface Regrant {
  readonly kinds: ReadonlySet<string>
  readonly scopes: ReadonlySet<ScopeKey>
  readonly granted: Granted
}

/** Per connected person, what was worked out again at a batch's snapshot. */
export type Regrants = ReadonlyMap<UserId, Regrant>

/** What a person holds after. */
export function regranted(before: Granted, { kinds, scopes, granted }: Regrant): Granted {
  const kept = [...before].filter(([scope]) => !scopes.has(scope) && !kinds.has(scopeKind(scope)))
  return new Map([...kept, ...granted])
}

/** Same scopes, same roles. */
export function areSame(a: Granted, b: Granted): boolean {
  return a.size === b.size && [...a].every(([scope, roles]) => b.get(scope)?.size === roles.size && [...roles].every((role) => b.get(scope)?.has(role)))
}

/** Of one kind, whom and what to ask about; at least one of both. */
export interface Asked {
  readonly users?: readonly string[]
  readonly keys?: readonly string[]
}

export interface GrantReader {
  /** In the transaction's snapshot, as one statement. Everybody asked about is in the answer, with no scopes if they hold none. */
  of(transaction: Transaction, users: readonly UserId[]): Promise<ReadonlyMap<UserId, Granted>>
  /** Of one kind, in the transaction's snapshot. Who holds nothing of what was asked about is not in the answer. */
  partOf(transaction: Transaction, kind: string, asked: Asked): Promise<ReadonlyMap<UserId, Granted>>
  holders(session: Pick<Transaction, 'query'>, kind: string, key: string): Promise<readonly Grant[]>
  grantsOf(session: Pick<Transaction, 'query'>, user: string): Promise<readonly Grant[]>
}

/** `onEnd` is told, of everything that is read and has an end, in how many milliseconds it comes. */
export function createGrantReader(grants: Grants, relations: readonly Relation[], onEnd: (user: UserId, inMs: number) => void): GrantReader {
  const ask = async (session: Pick<Transaction, 'query'>, kinds: readonly Relation[], asked: Asked, form: (rows: string) => string) => {
    if (kinds.length === 0) return []
    const { text, parameters } = unionOf(kinds.map((relation) => rowsOf(relation, grants, asked)))
    return session.query(form(text), parameters)
  }
  const gather = (rows: readonly SqlRow[], granted: Map<UserId, Map<ScopeKey, Set<string>>>) => {
    for (const row of rows) {
      const user = userId(String(row.user))
      const scope = scopeKey(String(row.kind), String(row.key))
      const scopes = granted.get(user) ?? new Map<ScopeKey, Set<string>>()
      const roles = scopes.get(scope) ?? new Set()
      granted.set(user, scopes.set(scope, roles.add(String(row.role))))
      if (row.ends_in_ms !== null) onEnd(user, Number(row.ends_in_ms))
    }
    return granted
  }
  const relationOf = (kind: string) => {
    const relation = relations.find((one) => one.kind === kind)
    if (relation === undefined)
      throw new HeadwaterError('grants', `There are no grants of kind ${kind}.`, `Kinds are ${relations.map((one) => one.kind).join(', ')}.`)
    return relation
  }
  return {
    of: async (transaction, users) =>
      gather(users.length === 0 ? [] : await ask(transaction, relations, { users }, toHold), new Map(users.map((user) => [user, new Map()]))),
    partOf: async (transaction, kind, asked) => gather(await ask(transaction, [relationOf(kind)], asked, toHold), new Map()),
    holders: async (session, kind, key) => (await ask(session, [relationOf(kind)], { keys: [key] }, toShow)).map(grantOf),
    grantsOf: async (session, user) => (await ask(session, relations, { users: [user] }, toShow)).map(grantOf),
  }
}

/** The relations as they are now, for judging writes: without what has ended. */
export const grantsNow = (grants: Grants, relations: readonly Relation[]): Grants =>
  Object.fromEntries(
    relations.map(({ kind, hasUntil }) => {
      const grant = grants[kind] ?? nothing
      return [kind, hasUntil ? { ...grant, text: `select g."user", g.key, g.role from (${grant.text}) g where ${isNow}` } : grant]
    }),
  )

const nothing: Sql = { text: '', parameters: [] }
const isNow = '(g.until is null or g.until > now())'

const toHold = (rows: string) => `select h."user", h.kind, h.key, h.role, (extract(epoch from h.until - now()) * 1000)::float8 as ends_in_ms from (${rows}) h`

const toShow = (rows: string) =>
  `select distinct h."user", h.kind, h.key, h.role, to_char(h.until at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as until from (${rows}) h order by 2, 1, 3, 4, 5`

/** The rows of a kind's relation that count now, of what is asked about. */
function rowsOf(relation: Relation, grants: Grants, { users, keys }: Asked): Sql {
  const grant = grants[relation.kind] ?? nothing
  const parameters: Parameter[] = [...grant.parameters]
  const conditions = [
    'g.key is not null',
    ...(relation.hasUntil ? [isNow] : []),
    ...(users ? [isAmong('g."user"', relation.userType, users, parameters)] : []),
    ...(keys ? [isAmong('g.key', relation.keyType, keys, parameters)] : []),
  ]
  // An `until` of infinity is no end either, and cannot be calculated with.
  const until = relation.hasUntil ? 'case when isfinite(g.until) then g.until end' : 'null::timestamptz'
  const text = `select g."user"::text collate "C" as "user", ${literal(relation.kind)}::text as kind, g.key::text collate "C" as key,
    coalesce(g.role::text, '') collate "C" as role, ${until} as until from (${grant.text}) g where ${conditions.join(' and ')}`
  return { text, parameters }
}

const unionOf = (parts: readonly Sql[]): Sql =>
  parts.reduce((before, part) => ({
    text: `${before.text}\nunion all\n${shifted(part, before.parameters.length)}`,
    parameters: [...before.parameters, ...part.parameters],
  }))

/** Types that are compared as what they are, so that an index of the app serves; with the form that their text has. */
const comparable: Readonly<Record<string, RegExp | undefined>> = {
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  int4: /^(0|-?[1-9]\d{0,8})$/,
  int8: /^(0|-?[1-9]\d{0,17})$/,
}
/** What can be a text of PostgreSQL. */
const storable = /^[^\0\ud800-\udfff]*$/u

/** A condition on a column. Few values are looked up one by one, which an index can answer; many are a set that each row is looked up in. */
function isAmong(column: string, type: string, values: readonly string[], parameters: Parameter[]): string {
  const form = comparable[type]
  const cast = form === undefined ? 'text' : type
  parameters.push(JSON.stringify(values.filter((value) => (form ?? storable).test(value))))
  const list = `select value::${cast} from json_array_elements_text($${parameters.length}::text::json) as asked(value)`
  const compared = form === undefined ? `${column}::text` : column
  return values.length > limits.lookupsMax ? `${compared} in (${list})` : `${compared} = any (array(${list}))`
}

const grantOf = (row: SqlRow): Grant => ({
  user: String(row.user),
  kind: String(row.kind),
  key: String(row.key),
  role: String(row.role),
  until: row.until === null ? null : String(row.until),
})
