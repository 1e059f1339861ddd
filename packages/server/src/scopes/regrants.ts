// Whose grants are worked out again, and when.
// Invariant: whatever alters who holds what is acted upon: at once if the rows of a batch tell it, at its moment if it is an `until`, and
// within minutes if nothing told it.
import { HeadwaterError, type UserId } from '@headwater/protocol'
import type { Grants } from '../api.ts'
import type { ReadAlong } from '../feed/batch.ts'
import { limits } from '../limits.ts'
import type { Clock } from '../ports.ts'
import { affectedBy } from './affected.ts'
import { createDue } from './due.ts'
import { areSame, createGrantReader, type GrantReader, type Regrants, regranted } from './grants.ts'
import type { Relation } from './relation.ts'
import { concernsAnybody, createRework, type Grantee, type People } from './rework.ts'

export interface Regranting {
  readonly reader: GrantReader
  readonly along: ReadAlong<Regrants>
  /** To be called with what a batch carried, once it is published. */
  published(regrants: Regrants): void
  /** How often a person's grants were worked out again. */
  count(): number
  stop(): void
}

interface RegrantingDeps {
  readonly grants: Grants
  readonly relations: readonly Relation[]
  readonly people: () => People
  readonly clock: Clock
  readonly onTrouble: (error: unknown) => void
  /** Asks the feed for a step. */
  readonly wake: () => void
}

export function createRegranting(deps: RegrantingDeps): Regranting {
  const { relations, clock } = deps
  const reportedAt = new Map<string, number>()
  let count = 0
  const due = createDue({ clock, connected: deps.people, wake: deps.wake })
  const reader = createGrantReader(deps.grants, relations, due.endsIn)

  const along: ReadAlong<Regrants> = {
    isNeeded: (rows) => {
      if (relations.length > 0 && due.now().length > 0) return true
      return [...affectedBy(rows, relations).values()].some((one) => concernsAnybody(one, deps.people()))
    },
    read: async (transaction, rows) => {
      // Whoever comes while this is read greets at a later snapshot, and passes over what is said of them here.
      const people = deps.people()
      const rework = createRework(reader, transaction, people)
      for (const [kind, one] of affectedBy(rows, relations)) {
        const start = clock.now()
        await rework.affected(kind, one)
        if (one.isEverybody) reportSlow(kind, clock.now() - start, people.size)
      }
      const told = new Set(rework.regrants.keys())
      const now = due.now()
      const users = now.map(({ user }) => user)
      for (const { kind } of relations) await rework.whole(kind, users)
      for (const { user, isTurn } of now) if (isTurn && !told.has(user)) reportUntold(user, people.get(user) ?? [], rework.regrants)
      return rework.regrants
    },
  }

  function reportSlow(kind: string, ms: number, people: number): void {
    if (ms <= limits.everybodyMsMax || clock.now() - (reportedAt.get(kind) ?? Number.NEGATIVE_INFINITY) < limits.everybodyReportMs) return
    reportedAt.set(kind, clock.now())
    deps.onTrouble(
      new HeadwaterError(
        'grants',
        `Working out the grants of kind ${kind} again took ${ms} ms for ${people} people.`,
        'Name the columns by which those are found whom a change concerns: grant(sql`...`, { by }).',
      ),
    )
  }

  function reportUntold(user: UserId, devices: Iterable<Grantee>, regrants: Regrants): void {
    const regrant = regrants.get(user)
    const differs = [...devices].some((device) => {
      const before = device.granted()
      return before !== null && regrant !== undefined && !areSame(before, regranted(before, regrant))
    })
    if (!differs) return
    deps.onTrouble(
      new HeadwaterError(
        'grants',
        `The grants of ${user} had changed and no change of a table had told it. They are right now.`,
        'Either a column in `by` is wrong, or the SQL of a grant reads through a function or depends on time other than by `until`.',
      ),
    )
  }

  return {
    reader,
    along,
    published: (regrants) => {
      count += regrants.size
      due.done([...regrants].filter(([, { kinds }]) => kinds.size === relations.length).map(([user]) => user))
    },
    count: () => count,
    stop: due.stop,
  }
}
