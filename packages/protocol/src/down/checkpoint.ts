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

/** The changes of one table. `cleared` first (the table was truncated), then `gone` (keys), then `put` (whole rows). */
export const tableChanges = object({
  cleared: flag,
  gone: list(tuple, 1_000_000),
  put: list(tuple, 1_000_000),
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
  /** What became of this device's mutations in this batch. */
  outcomes: list(outcome, 100_000),
})
export type Checkpoint = Infer<typeof checkpoint>
