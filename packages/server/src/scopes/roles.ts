import { HeadwaterError } from '@headwater/protocol'
import type { Need } from '@headwater/schema'
import type { Grants } from '../api.ts'
import type { Transaction } from '../ports.ts'
import { literal } from '../sql/name.ts'
import { inlined } from '../sql/tag.ts'

/**
 * Throws `grants` for a role that a rule names and no grant can give, as far as the database can prove it: from constants in the grants' SQL, and
 * from checks on the columns it reads, such as those of enumerations. What it cannot prove is accepted. The transaction is to be undone.
 */
export async function checkRoles(transaction: Transaction, grants: Grants, needs: readonly Need[]): Promise<void> {
  await transaction.query(`select set_config('constraint_exclusion', 'on', true)`)
  for (const { kind, role } of needs) {
    const grant = grants[kind]
    if (grant === undefined)
      throw failure(`A rule names the role ${role} of ${kind}, but no grants of that kind are given.`, `Add grants.${kind} to createServer.`)
    const rows = await transaction.query(`explain (format json) select 1 from (${inlined(grant)}) g where g.role::text = ${literal(role)}`)
    const text = Object.values(rows[0] ?? {})[0]
    // EXPLAIN answers a list of one plan; a driver may have parsed it.
    const [explained] = (typeof text === 'string' ? JSON.parse(text) : text) as readonly [{ readonly Plan: Plan }]
    if (isEmpty(explained.Plan))
      throw failure(
        `A rule names the role ${role} of ${kind}, which no grant of that kind gives.`,
        `Is it spelt as in grants.${kind}, and allowed by the column that it is read from?`,
      )
  }
}

interface Plan {
  readonly 'Node Type': string
  readonly 'One-Time Filter'?: string
  readonly Strategy?: string
  readonly Plans?: readonly Plan[]
}

/** The planner has seen that there can be no row: here, or in all that this node passes on. */
function isEmpty(plan: Plan): boolean {
  if (plan['One-Time Filter'] === 'false') return true
  // An aggregate without groups makes a row of nothing.
  const passesOn = passing.has(plan['Node Type']) || (plan['Node Type'] === 'Aggregate' && plan.Strategy !== 'Plain')
  const below = plan.Plans ?? []
  return passesOn && below.length > 0 && below.every(isEmpty)
}
const passing = new Set(['Unique', 'Sort', 'Subquery Scan', 'Append', 'Merge Append'])

const failure = (message: string, hint: string) => new HeadwaterError('grants', message, hint)
