// What tabs of one device may show: each, at every moment, one of the states that its device was told of, and never an earlier one than before (R2, R3). They hear of them one after
// the other, by the disk, so that it is not known which one it is: it has to be one of them, in their order.
import type { Schema } from '@headwater/schema'
import type { Moment } from '../harness/generated/device.ts'
import { judgeMoments } from '../harness/generated/judge.ts'
import type { Holdings } from '../harness/generated/oracle.ts'
import type { Past } from '../harness/generated/past.ts'
import type { SimulatedDevice } from './device.ts'
import type { Seen } from './tab.ts'

type Judged = Pick<SimulatedDevice, 'person' | 'shown' | 'states'>

export function judgeTabs(app: { readonly schema: Schema }, past: Past, holdings: readonly Holdings[], { person, shown, states }: Judged): readonly string[] {
  const wrongOf = (moment: Moment | undefined, { rows }: Seen) => (moment ? judgeMoments(app, past, holdings, { person, moments: [{ ...moment, rows }] }) : [])
  return shown.flatMap(({ marker, seen }) => {
    // -1: it has read nothing yet.
    let place = -1
    for (const [i, one] of seen.entries()) {
      if (place < 0 && [...one.rows.values()].every((rows) => rows.length === 0)) continue
      const from = Math.max(0, place)
      const next = states.slice(from, one.states).findIndex((state) => wrongOf(state, one).length === 0)
      if (next < 0) return [`${marker}, the ${i}th that it showed, of ${one.states} states from ${from} on: ${wrongOf(states[one.states - 1], one).join('; ')}`]
      place = from + next
    }
    return []
  })
}
