// Whose grants have to be looked at although nothing in the log says so: those of whom a grant ends now, and in turn everybody.
import type { UserId } from '@headwater/protocol'
import { limits } from '../limits.ts'
import type { Clock } from '../ports.ts'

export interface Due {
  /** Of a grant that was read: it ends in so many milliseconds by the database's clock. The server's own only wakes. */
  endsIn(user: UserId, inMs: number): void
  /** Those due now, a bounded number. `isTurn`: it is only their turn, nothing should have changed. They stay due until `done`. */
  now(): readonly { readonly user: UserId; readonly isTurn: boolean }[]
  done(users: Iterable<UserId>): void
  stop(): void
}

interface DueDeps {
  readonly clock: Clock
  readonly connected: () => ReadonlyMap<UserId, unknown>
  /** Runs when somebody is due. */
  readonly wake: () => void
}

export function createDue({ clock, connected, wake }: DueDeps): Due {
  const endsAt = new Map<UserId, number>()
  const due = new Map<UserId, 'ended' | 'turn'>()
  let round: UserId[] = []
  let nextEndAt = Number.POSITIVE_INFINITY
  let isStopped = false
  let cancelEnd = () => {}
  let cancelTurn = clock.timer(turnMs(0), turn)

  function awaitEnd(at: number): void {
    cancelEnd()
    if (isStopped) return
    nextEndAt = at
    cancelEnd = clock.timer(Math.min(limits.endTimerMsMax, Math.max(1, at - clock.now())), end)
  }

  function end(): void {
    nextEndAt = Number.POSITIVE_INFINITY
    let next = nextEndAt
    for (const [user, at] of endsAt) {
      if (at > clock.now()) next = Math.min(next, at)
      else {
        endsAt.delete(user)
        due.set(user, 'ended')
      }
    }
    if (next < Number.POSITIVE_INFINITY) awaitEnd(next)
    if (due.size > 0) wake()
  }

  function turn(): void {
    const people = connected()
    for (const user of endsAt.keys()) if (!people.has(user)) endsAt.delete(user)
    if (round.length === 0) round = [...people.keys()]
    const share = Math.min(limits.lookupsMax, Math.ceil((people.size * limits.sweepMsMin) / limits.sweepRoundMs))
    for (const user of round.splice(0, share)) if (!due.has(user)) due.set(user, 'turn')
    cancelTurn = clock.timer(turnMs(people.size), turn)
    if (due.size > 0) wake()
  }

  return {
    endsIn: (user, inMs) => {
      if (!connected().has(user)) return
      // A moment later than it says: then it has ended.
      const at = clock.now() + Math.ceil(inMs) + 1
      if (at >= (endsAt.get(user) ?? Number.POSITIVE_INFINITY)) return
      endsAt.set(user, at)
      if (at < nextEndAt) awaitEnd(at)
    },
    now: () => {
      for (const user of due.keys()) if (!connected().has(user)) due.delete(user)
      return [...due].slice(0, limits.peopleDueMax).map(([user, why]) => ({
        user,
        // A grant that ends about now may be found to have ended by those whose turn it is.
        isTurn: why === 'turn' && (endsAt.get(user) ?? Number.POSITIVE_INFINITY) > clock.now() + limits.endSlackMs,
      }))
    },
    done: (users) => {
      for (const user of users) due.delete(user)
      if (due.size > 0) wake()
    },
    stop: () => {
      isStopped = true
      cancelEnd()
      cancelTurn()
    },
  }
}

const turnMs = (people: number) => Math.max(limits.sweepMsMin, limits.sweepRoundMs / Math.max(1, people))
