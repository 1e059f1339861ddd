import type { FailureCode, UserId } from '@headwater/protocol'
import { limits } from '../limits.ts'
import type { Connection, ConnectionEvents } from '../ports.ts'
import { dispatch } from './dispatch.ts'
import { createSession, type Session, type SessionDeps } from './session.ts'

/** Every connection of this server. */
export interface Sessions {
  open(connection: Connection, user: UserId | null): ConnectionEvents
  endAll(code: FailureCode, message: string, hint: string): void
  /** Ends all, and resolves when none of their mutations is under way. */
  close(): Promise<void>
}

export function createSessions(deps: SessionDeps): Sessions {
  const { clock, feed, hub } = deps
  const sessions = new Set<Session>()
  const undispatch = dispatch(feed, hub)
  let cancelRefresh = clock.timer(limits.idleCursorMs, refreshCursors)

  function refreshCursors(): void {
    for (const subscriber of hub.members()) subscriber.refreshCursor()
    cancelRefresh = clock.timer(limits.idleCursorMs, refreshCursors)
  }

  function endAll(code: FailureCode, message: string, hint: string): void {
    for (const session of sessions) session.end(code, message, hint)
  }

  feed.onReset(() => endAll('unavailable', 'The database is not the one it was.', 'The device greets again.'))

  return {
    open: (connection, user) => {
      const session = createSession(deps, connection, user)
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
    close: async () => {
      cancelRefresh()
      endAll('draining', 'The server is stopping.', 'The device connects again.')
      await Promise.all([...sessions].map((session) => session.idle()))
      undispatch()
    },
  }
}
