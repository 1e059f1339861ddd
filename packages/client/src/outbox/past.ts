// What the database has confirmed, remembered for the day it loses it. Invariant: all of it was made under the device's present id, so that its
// numbers tell what of it the database has.
import type { Outcome } from '../api.ts'
import type { Made } from '../store/record.ts'
import { voidName } from './entry.ts'

export interface Past {
  /** The newest, in the order of their numbers. */
  readonly made: Made[]
  add(made: Made): void
  clear(): void
}

/** One of the largest mutations fits, and some thousand of the usual ones. */
const charactersMax = 600_000

export function createPast(): Past {
  const made: Made[] = []
  let room = charactersMax
  return {
    made,
    add: (one) => {
      made.push(one)
      for (room -= charactersOf(one); room < 0; ) room += charactersOf(made.shift())
    },
    clear: () => {
      made.length = 0
      room = charactersMax
    },
  }
}

/** As it is offered again: what was refused is refused. */
export const pastOf = (made: Made, type: Outcome['type']): Made => (type === 'refused' ? { ...made, name: voidName, args: null } : made)

const charactersOf = (made?: Made) => JSON.stringify(made).length
