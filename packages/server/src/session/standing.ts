// A connection may outlive the session with the app that it was begun with. Invariant: within a second of the end of that session, by its time or
// because the app has said so, the connection ends too (S8); and within some minutes where nobody has said anything.
import { HeadwaterError, type UserId } from '@headwater/protocol'
import { limits } from '../limits.ts'
import type { Caller, Chance, Clock } from '../ports.ts'
import type { Slots } from './slots.ts'
import type { Told } from './told.ts'

export interface Standing {
  /** Asks now, whatever is under way: the app has said that sessions of this person may have ended. */
  ask(): void
  stop(): void
}

export interface StandingDeps {
  readonly clock: Clock
  readonly chance: Chance
  readonly told: Told
  /** Turns in which the app is asked. */
  readonly askSlots: Slots
  readonly onTrouble: (error: unknown) => void
}

export function createStanding({ clock, chance, told, askSlots, onTrouble }: StandingDeps, user: UserId, first: Caller, onEnded: () => void): Standing {
  let caller = first
  let turn = 0
  let failures = 0
  let isStopped = false
  let cancel = () => {}

  const isExpired = () => caller.expiresAt !== null && caller.expiresAt <= clock.now()
  const isOlder = () => told.since(user, caller.toldBefore)

  function wait(): void {
    const untilEnd = caller.expiresAt === null ? Number.POSITIVE_INFINITY : Math.max(0, caller.expiresAt - clock.now())
    // Those who connected together do not ask together for ever.
    const fraction = ((chance.bytes(1)[0] ?? 0) + 1) / 256
    cancel = clock.timer(Math.min(untilEnd, (limits.authenticateAgainMs * (1 + fraction)) / 2), ask)
  }

  function ask(): void {
    cancel()
    const mine = ++turn
    const answer = askSlots.run(() => inTime(clock, caller.again()))
    answer.then(
      (now) => mine === turn && !isStopped && hear(now),
      (error) => {
        if (mine !== turn || isStopped) return
        onTrouble(error)
        fail()
      },
    )
  }

  function hear(now: Caller): void {
    if (now.user !== user) return end()
    caller = now
    failures = 0
    if (isOlder()) ask()
    else wait()
  }

  /** The app cannot say. Where it may be over, it is; else others are asked for a while what they cannot say either. */
  function fail(): void {
    failures++
    if (isExpired() || isOlder() || failures >= limits.authenticateTriesMax) end()
    else wait()
  }

  function end(): void {
    stop()
    onEnded()
  }

  function stop(): void {
    isStopped = true
    cancel()
  }

  if (isOlder()) ask()
  else wait()
  return { ask, stop }
}

async function inTime<T>(clock: Clock, asked: Promise<T>): Promise<T> {
  let cancel = () => {}
  const late = new Promise<never>((_, reject) => {
    cancel = clock.timer(limits.authenticateMsMax, () => reject(noAnswer()))
  })
  return Promise.race([asked, late]).finally(() => cancel())
}

const noAnswer = () =>
  new HeadwaterError(
    'timeout',
    `authenticate did not answer within ${limits.authenticateMsMax} ms.`,
    'It is asked again while a connection lasts: make it fast.',
  )
