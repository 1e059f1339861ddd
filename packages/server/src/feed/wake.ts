import { limits } from '../limits.ts'
import type { Clock, TailSession } from '../ports.ts'

/** The lock that headwater.wake() tries: held shared by a reader that sleeps and wants to be notified. */
const lockKey = '4702111234474983745'
export const wakeChannel = 'headwater'

/**
 * When to look at the log again. Asleep, writers notify; kept awake by several batches in a row, the reader lets go of the lock and looks
 * by itself, so that writers under load do not notify. A notification can be missed in one narrow place (a writer checked while the
 * reader was awake, and commits after it fell asleep); the poll covers it.
 */
export interface Sleeper {
  /** Told after each step whether it brought rows. Answers how long to wait for a wake-up; null: look again at once. */
  after(session: TailSession, broughtRows: boolean): Promise<number | null>
  /** Waits to be woken, at most `forMs`. */
  sleep(forMs: number): Promise<void>
  wake(): void
  /** A new session: the lock is not held. `isNotified`: foreign transactions notify too; if not, only looking finds them. */
  reset(isNotified: boolean): void
}

export function createSleeper(clock: Clock): Sleeper {
  let isLocked = false
  let busySteps = 0
  let idleSteps = 0
  let isWoken = false
  let pollMsMax: number = limits.pollMsMax
  let wakeUp: (() => void) | null = null

  async function after(session: TailSession, broughtRows: boolean): Promise<number | null> {
    busySteps = broughtRows ? busySteps + 1 : 0
    idleSteps = broughtRows ? 0 : idleSteps + 1
    if (!session.isDirect) return broughtRows ? null : pollMs()
    if (isLocked && busySteps >= limits.busyStepsToUnlock) {
      await session.query(`select pg_advisory_unlock_shared(${lockKey})`)
      isLocked = false
    }
    if (isLocked || idleSteps < limits.idleStepsToSleep) return isLocked ? pollMs() : limits.awakePollMs
    await session.query(`select 1 as locked from pg_advisory_lock_shared(${lockKey})`)
    isLocked = true
    // A writer that found no sleeper may have committed between the last step and the lock.
    return null
  }

  /** Short after activity, longer the longer nothing comes. */
  const pollMs = () => Math.min(pollMsMax, limits.pollMsMin * 2 ** Math.min(idleSteps, 10))

  function sleep(forMs: number): Promise<void> {
    if (isWoken) {
      isWoken = false
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      const cancel = clock.timer(forMs, () => wakeUp?.())
      wakeUp = () => {
        cancel()
        wakeUp = null
        isWoken = false
        resolve()
      }
    })
  }

  return {
    after,
    sleep,
    wake: () => {
      isWoken = true
      wakeUp?.()
    },
    reset: (isNotified) => {
      isLocked = false
      pollMsMax = isNotified ? limits.pollMsMax : limits.pollMsUnnotifiedMax
    },
  }
}
