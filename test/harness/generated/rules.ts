// Random rules of who may write what, and whether what was applied was allowed by them where it was carried out.
import { type Access, allow, and, defineAccess, deny, eq, holds, not, or, role, type Schema } from '@headwater/schema'
import { isVisible, snapshotOf } from '../../../packages/server/src/feed/snapshot.ts'
import { snakeCase } from '../../../packages/server/src/sql/name.ts'
import type { GeneratedApp, Link } from './app.ts'
import { type Holdings, rowsHeld } from './oracle.ts'
import { type Past, placeOf, type Row } from './past.ts'
import type { Random } from './random.ts'

/** A mutation that a device made, as the app called it. */
export interface Made {
  readonly id: string
  readonly person: string
  readonly table: string
  readonly verb: 'insert' | 'update' | 'delete'
  readonly values: Row
}

type Rule = Extract<NonNullable<NonNullable<Parameters<typeof defineAccess<Schema>>[1][string]>['insert']>, (...given: never) => unknown>

export function drawAccess(schema: Schema, things: GeneratedApp['things'], roles: readonly string[], random: Random): Access {
  const rules = things.map(({ name, links }) => {
    const rule = () => drawRule(links, roles, random)
    const update = random.is(0.5) ? rule() : { columns: { note: rule(), '*': rule() }, ...(random.is(0.3) && { when: rule() }) }
    return [name, { insert: rule(), update, delete: rule() }]
  })
  return defineAccess(schema, Object.fromEntries(rules), random.is(0.5) ? { roles: { team: roles } } : {})
}

function drawRule(links: readonly Link[], roles: readonly string[], random: Random): Rule {
  const { kind } = random.pick(links)
  const own: Rule = ({ row, person }) => (row.ownerId ? eq(row.ownerId, person) : deny)
  const owners: Rule = ({ row, person, exists }) =>
    exists('members', (member) =>
      row.teamId && member.teamId && member.userId && member.role
        ? and(eq(member.teamId, row.teamId), eq(member.userId, person), eq(member.role, 'owner'))
        : deny,
    )
  const ruled: Rule = () => (kind === 'team' ? role('team', random.pick(roles)) : holds(kind))
  const drawn = random.pick([ruled, ruled, ruled, own, owners, (): ReturnType<Rule> => allow])
  if (random.is(0.2)) return (judged) => or(drawn(judged), own(judged))
  // A device cannot know that there is no such row, so it could not say what the negation of `owners` comes to.
  if (random.is(0.1) && drawn !== owners) return (judged) => not(drawn(judged))
  return drawn
}

/** S5: what was applied was allowed, on the row as the mutation's transaction saw it and as it left it. */
export function judgeMutations(
  app: GeneratedApp,
  past: Past,
  holdings: readonly Holdings[],
  made: ReadonlyMap<string, Made>,
  applied: readonly { readonly id: string; readonly xid: bigint; readonly snapshot: string }[],
): readonly string[] {
  return applied.flatMap(({ id, xid, snapshot: text }) => {
    const mutation = made.get(id)
    if (mutation === undefined) return [`mutation ${id} was applied, and nobody made it`]
    const snapshot = snapshotOf(text)
    const place = placeOf(past, (other) => isVisible(other, snapshot))
    return isAllowed(app, past, holdings, place, past.xids.indexOf(xid) + 1, mutation) ? [] : [`${JSON.stringify(mutation)} was applied against the rules`]
  })
}

function isAllowed(
  app: GeneratedApp,
  past: Past,
  holdings: readonly Holdings[],
  before: number,
  after: number,
  { person, table, verb, values }: Made,
): boolean {
  const definition = app.schema.definitions[table]
  const mine = holdings[before]?.get(person) ?? new Map()
  if (definition === undefined) return false
  const rowAt = (place: number) => past.states[place]?.get(snakeCase(table))?.get(String(values.id))
  const can = app.access.can(person, {
    scopes: () => ({ roles: new Map([...mine].map(([scope, held]) => [scope, [...held]])), tag: '' }),
    visible: {
      each: (name, run) => {
        const named = app.schema.definitions[name]
        for (const row of past.states[before]?.get(snakeCase(name))?.values() ?? []) if (named) run(namedAs(Object.keys(named.columns), row))
      },
    },
  })
  const columns = Object.keys(definition.columns)
  // The schema is made at run time: that these are columns of it is not known to the compiler.
  const asked = Object.keys(values).filter((column) => column !== 'id') as never[]
  const old = rowAt(before)
  const now = rowAt(after)
  if (verb === 'insert') return now !== undefined && can.insert[table]?.(namedAs(columns, now)) === true
  if (old === undefined) return false
  const all = new Set(mine.keys())
  const isSeen = rowsHeld(definition, new Map([['', old]]), all, all, mine).size > 0
  if (verb === 'delete') return isSeen && can.delete[table]?.(namedAs(columns, old)) === true
  return isSeen && [old, now ?? old].every((image) => can.update[table]?.(namedAs(columns, image), asked) === true)
}

const namedAs = (columns: readonly string[], row: Row): Row => Object.fromEntries(columns.map((column) => [column, row[snakeCase(column)]]))
