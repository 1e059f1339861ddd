import { type FailureCode, type UserId, userId } from '@headwater/protocol'
import type { Batch } from '../feed/feed.ts'
import { limits } from '../limits.ts'
import type { Caller, Connection, ConnectionEvents } from '../ports.ts'
import { dispatch } from './dispatch.ts'
import { createSession, type Session, type SessionDeps } from './session.ts'
import type { GrantsAlong, Subscriber } from './subscriber.ts'

/** Every connection of this server. */
export interface Sessions {
  open(connection: Connection, caller: Caller): ConnectionEvents
  endAll(code: FailureCode, message: string, hint: string): void
  mutationsWaiting(): number
  unreadBytes(): number
  /** Ends all, one after the other so that they do not come to another server at once, and resolves when none of their mutations is under way. */
  close(code: FailureCode, message: string, hint: string): Promise<void>
}

export function createSessions(deps: SessionDeps): Sessions {
  const { clock, feed, hub } = deps
  const sessions = new Set<Session>()
  let turns = 0
  let isVerifying = false
  let rests = 0
  const unlisten = feed.onBatch(askAgain)
  const undispatch = dispatch(feed, hub)
  let cancelRefresh = clock.timer(limits.idleCursorMs, refreshCursors)

  function refreshCursors(): void {
    const members = [...hub.members()]
    for (const subscriber of members) subscriber.refreshCursor()
    verifyNext(members)
    cancelRefresh = clock.timer(limits.idleCursorMs, refreshCursors)
  }

  /**
   * One scope of one device at a time, in rotation over all that are connected, and then a rest: what checksums cost grows neither with the
   * devices nor with the scopes.
   */
  function verifyNext(members: readonly Subscriber[]): void {
    const subscriber = members[turns++ % Math.max(1, members.length)]
    if (isVerifying || subscriber === undefined || --rests > 0) return
    const beganAt = clock.now()
    isVerifying = true
    subscriber
      .verifyNext()
      .catch(deps.onTrouble)
      .finally(() => {
        isVerifying = false
        // Counted in turns: a clock that is set must not end the rotation.
        rests = Math.min(limits.verifyRestsMax, ((clock.now() - beganAt) * limits.verifyRestFactor) / limits.idleCursorMs)
      })
  }

  function askAgain(batch: Batch<GrantsAlong>): void {
    const people = peopleToAsk(batch)
    if (people?.size === 0) return
    deps.told.add(people)
    for (const session of sessions) if (session.user !== null && (people === null || people.has(session.user))) session.askAgain()
  }

  function endAll(code: FailureCode, message: string, hint: string): void {
    for (const session of sessions) session.end(code, message, hint)
  }

  async function drain(code: FailureCode, message: string, hint: string): Promise<void> {
    const draining = [...sessions]
    // In as many groups as there are moments: a timer takes a millisecond at least.
    const forMs = Math.min(limits.drainMs, draining.length * limits.drainDeviceMs)
    const moments = Math.max(1, Math.ceil(forMs / limits.drainDeviceMs))
    for (let moment = 0; moment < moments; moment++) {
      if (moment > 0) await new Promise<void>((resolve) => clock.timer(limits.drainDeviceMs, resolve))
      const group = draining.filter((_, i) => i % moments === moment)
      for (const session of group) session.end(code, message, hint)
    }
    endAll(code, message, hint)
    await Promise.all([...draining, ...sessions].map((session) => session.idle()))
  }

  const sum = (measure: (session: Session) => number) => [...sessions].reduce((total, session) => total + measure(session), 0)

  // What was written for a device and lost it sends again; it says nothing of it, and is level again in a moment.
  feed.onReset(() => endAll('draining', 'The database was started anew, or is not the one it was.', 'The device greets again.'))

  return {
    open: (connection, caller) => {
      const session = createSession(deps, connection, caller)
      sessions.add(session)
      return {
        onMessage: session.onMessage,
        onClose: () => {
          session.onClose()
          sessions.delete(session)
        },
      }
    },
    endAll,
    mutationsWaiting: () => sum((session) => session.mutationsWaiting()),
    unreadBytes: () => sum((session) => session.unreadBytes()),
    close: async (code, message, hint) => {
      cancelRefresh()
      // Nobody has another server that would serve this database.
      if (code === 'held') endAll(code, message, hint)
      await drain(code, message, hint)
      undispatch()
      unlisten()
    },
  }
}

/** Of whom the app has said that their sessions may have ended; null: they are too many to be named. */
function peopleToAsk({ rows, large }: Batch<GrantsAlong>): ReadonlySet<UserId> | null {
  if (large !== null) return large.people
  // headwater.authenticate_again wrote it: a list of one.
  return new Set(rows.flatMap(({ op, key }) => (op === 's' ? [userId(JSON.parse(key ?? '[""]')[0])] : [])))
}
