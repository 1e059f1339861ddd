// The roles by which a person holds scopes, as their devices get them.
import { createHash } from 'node:crypto'
import { HeadwaterError, type ScopeKey, limits as wire } from '@headwater/protocol'
import type { ColumnSet, ColumnSets, Held } from '../feed/columns.ts'
import { type StreamKey, streamScope } from '../feed/stream.ts'
import { limits } from '../limits.ts'
import type { Granted } from '../scopes/grants.ts'

/** Names a person's roles, and what they show of rows: a device that knows them all is sent none of them again. */
export const tagOf = (sets: ColumnSets, granted: Granted): string =>
  `${columnsOf(sets, granted)}.${digest(JSON.stringify([...rolesOf(granted)].sort(byScope)))}`

/** While a device lacks columns that its roles show it has this tag, which names nothing: it would greet before they came. */
export const tagOfFew = '-'

/** Whether the rows that a device has with this tag have the columns that its person's roles show now. Without a tag it knows nothing of column sets. */
export const showsTheSame = (sets: ColumnSets, granted: Granted, tag: string | null): boolean => (tag ?? '').split('.')[0] === columnsOf(sets, granted)

/**
 * Throws `scopes` if a device could not name them all in a greeting: it would be refused for ever, and nobody would know why. `what` says which scopes
 * they are: `Granted to ada`.
 */
export function checkFew(what: string, scopes: ReadonlySet<ScopeKey> | Granted): void {
  let bytes = 0
  if (scopes.size > limits.scopesLooked) for (const scope of scopes.keys()) bytes += Buffer.byteLength(JSON.stringify(scope)) + 1
  if (scopes.size <= wire.scopesPerMessageMax && bytes <= limits.scopesBytesMax) return
  throw new HeadwaterError(
    'scopes',
    `${what} are ${scopes.size} scopes; a device can hold ${wire.scopesPerMessageMax} of a kind of load, whose names have ${limits.scopesBytesMax} bytes in all.`,
    'Grant what belongs together by one scope: a team in the place of each of its projects. Or load less at once, by scopes on demand.',
  )
}

/** Of everything that the person holds. */
export const rolesOf = (granted: Granted): ReadonlyMap<ScopeKey, readonly string[]> => new Map([...granted].map(([scope, roles]) => [scope, wireRoles(roles)]))

/** What is different after. Without roles: a scope that is not held any more. */
export function changedRoles(before: Granted, after: Granted): ReadonlyMap<ScopeKey, readonly string[]> {
  const changed = new Map<ScopeKey, readonly string[]>()
  for (const scope of before.keys()) if (!after.has(scope)) changed.set(scope, [])
  for (const [scope, roles] of after) if (!areEqual(roles, before.get(scope))) changed.set(scope, wireRoles(roles))
  return changed
}

/** The granted of these streams, by the column sets that the roles give. */
export const heldOf = (sets: ColumnSets, streams: Iterable<StreamKey>, granted: Granted): Held =>
  new Map(
    [...streams].flatMap((stream): (readonly [StreamKey, ColumnSet])[] => {
      const roles = granted.get(streamScope(stream))
      return roles === undefined ? [] : [[stream, sets.of(streamScope(stream), roles)]]
    }),
  )

const areEqual = (a: ReadonlySet<string>, b: ReadonlySet<string> | undefined) => a === b || (a.size === b?.size && [...a].every((role) => b.has(role)))

/** A role that the wire has no room for is none: with fewer roles a device shows less. */
const wireRoles = (roles: Iterable<string>): readonly string[] =>
  [...roles]
    .filter((role) => role.length <= wire.nameLengthMax)
    .sort()
    .slice(0, wire.rolesMax)

function columnsOf(sets: ColumnSets, granted: Granted): string {
  if (sets.form === '') return ''
  const byRole = [...granted].filter(([scope]) => sets.isByRole(scope)).map(([scope, roles]) => [scope, sets.of(scope, roles).name] as const)
  return digest(JSON.stringify([sets.form, byRole.sort(byScope)]))
}

const byScope = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : 1)
const digest = (text: string) => createHash('sha256').update(text).digest('base64url').slice(0, 22)
