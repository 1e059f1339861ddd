import type { Cursor, ScopeKey } from '../ids.ts'
import * as limits from '../limits.ts'
import { count, flag, type Infer, list, literal, map, nullable, object, text, tuple } from '../shape.ts'

const scopes = list(text<ScopeKey>(limits.idLengthMax), limits.scopesPerMessageMax)

/** What became of a mutation, final. `code` and `reason` are null unless it was refused. */
export const outcome = object({
  number: count,
  type: literal('applied', 'refused'),
  code: nullable(text(limits.nameLengthMax)),
  reason: nullable(text(limits.reasonLengthMax)),
})
export type Outcome = Infer<typeof outcome>

/** Rows or keys of one message. */
export const tuples = list(tuple, 1_000_000)

/** Rows of which the person may see these columns alone, by their place in the columns that `welcome` names; the key is among them. The row on the device becomes just this. */
export const part = object({ columns: list(count, limits.columnsMax), put: tuples })
export type Part = Infer<typeof part>

/** The roles by which a person holds scopes. */
export const roles = object({
  /** Names all of them. Given in the next hello: while it stays the same, nothing is sent again. `-`: a load is to come with columns that they show. */
  tag: text(limits.idLengthMax),
  /** True: scopes that are not named are not held. False: only what has changed is named. */
  replace: flag,
  /** Scope to roles; none: not held any more. */
  roles: map(list(text(limits.nameLengthMax), limits.rolesMax)),
})
export type Roles = Infer<typeof roles>

/** What the eager (`granted`) or on-demand (`held`) rows of a scope add up to for this person: how many, and their `rowSum` in all. */
export const checksum = object({ scope: text<ScopeKey>(limits.idLengthMax), load: literal('granted', 'held'), count, sum: count })
export type Checksum = Infer<typeof checksum>

/** The changes of one table. `cleared` first (the table was truncated), then `gone` (keys), then `put` (whole rows) and `parts`. */
export const tableChanges = object({
  cleared: flag,
  gone: tuples,
  put: tuples,
  parts: nullable(list(part, 1_000)),
})
export type TableChanges = Infer<typeof tableChanges>

/** A set of changes that the device applies as one: no state between two checkpoints is ever visible. */
export const checkpoint = object({
  type: literal('checkpoint'),
  cursor: text<Cursor>(limits.cursorLengthMax),
  /** True: everything held before goes, and only what the named loads brought stays. */
  replace: flag,
  /** Loads that become visible here. */
  loads: list(count, 10_000),
  /** Scopes that are no longer granted or held: rows that no other scope of the device holds go. Applied before anything else. */
  left: object({ granted: scopes, held: scopes }),
  /** Scopes that the device holds from here on. */
  joined: object({ granted: scopes, held: scopes }),
  tables: map(tableChanges),
  /** Roles that changed, theirs or of scopes lost and gained; null: none did. Applied with `left`, before anything else: columns that no role shows any more go. */
  grants: nullable(roles),
  /** True: further loads of the greeting follow. False: all of them are here. null: as before. */
  more: nullable(flag),
  /** What the device holds adds up to this, now. Empty: all that was asked for has been told, but for scopes that never stood still. */
  checks: nullable(list(checksum, limits.scopesPerMessageMax)),
  /** What became of this device's mutations in this batch. */
  outcomes: list(outcome, 100_000),
})
export type Checkpoint = Infer<typeof checkpoint>
