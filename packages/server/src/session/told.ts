import type { UserId } from '@headwater/protocol'
import { limits } from '../limits.ts'

/**
 * Of whom the app has said that their sessions may have ended, in the order of the log. `authenticate` may have looked before that and answer after it: what
 * was asked then has to be asked again.
 */
export interface Told {
  /** Counts up with everybody of whom it is said. */
  count(): number
  /** null: of everybody. */
  add(people: ReadonlySet<UserId> | null): void
  /** Whether it was said of somebody after the count was this. */
  since(user: UserId, count: number): boolean
}

export function createTold(): Told {
  const countByUser = new Map<UserId, number>()
  let total = 0
  // Up to here nobody is remembered by name: it may have been any of them.
  let forgotten = 0

  function add(people: ReadonlySet<UserId> | null): void {
    if (people === null) {
      forgotten = ++total
      countByUser.clear()
    }
    for (const user of people ?? []) {
      countByUser.delete(user)
      countByUser.set(user, ++total)
    }
    for (const [user, count] of countByUser) {
      if (countByUser.size <= limits.toldPeopleMax) break
      countByUser.delete(user)
      forgotten = count
    }
  }

  return { count: () => total, add, since: (user, count) => (countByUser.get(user) ?? forgotten) > count }
}
