import { closedFailure } from './failure.ts'
import { limits } from './limits.ts'
import type { ServerSession } from './session.ts'
import { overloadedFailure } from './turns.ts'

/** Sessions, opened when needed, up to a number; whoever comes then waits in order. */
export interface Pool {
  /** Runs `body` with a session that nobody else uses, and that is idle before and after. */
  use<T>(body: (session: ServerSession) => Promise<T>): Promise<T>
  /** Refuses from now on, waits for what is under way, and closes all sessions. */
  close(): Promise<void>
}

interface Waiting {
  readonly resolve: (session: ServerSession) => void
  readonly reject: (error: unknown) => void
}

export function createPool(open: () => ServerSession, sessionsMax: number): Pool {
  /** The one used last is used next: the others may be closed by a server that cuts off the idle. */
  const idle: ServerSession[] = []
  const taken = new Set<ServerSession>()
  const waiting: Waiting[] = []
  let whenAllBack: (() => void) | null = null
  let isClosed = false

  async function take(): Promise<ServerSession> {
    if (isClosed) throw closedFailure()
    const session = lastIdle() ?? (taken.size < sessionsMax ? open() : null)
    if (session) {
      taken.add(session)
      return session
    }
    if (waiting.length >= limits.waitingMax) throw overloadedFailure()
    return new Promise((resolve, reject) => waiting.push({ resolve, reject }))
  }

  function lastIdle(): ServerSession | undefined {
    for (;;) {
      const session = idle.pop()
      if (!session?.isLost()) return session
    }
  }

  function give(session: ServerSession): void {
    taken.delete(session)
    if (isClosed) return allBack()
    const next = waiting.shift()
    const usable = session.isLost() ? (next ? open() : null) : session
    if (!usable) return
    if (!next) return void idle.push(usable)
    taken.add(usable)
    next.resolve(usable)
  }

  function allBack(): void {
    if (taken.size === 0) whenAllBack?.()
  }

  async function use<T>(body: (session: ServerSession) => Promise<T>): Promise<T> {
    const session = await take()
    try {
      return await body(session)
    } finally {
      if (isClosed) await session.close()
      give(session)
    }
  }

  async function close(): Promise<void> {
    if (isClosed) return
    isClosed = true
    for (const { reject } of waiting.splice(0)) reject(closedFailure())
    await Promise.all(idle.splice(0).map((session) => session.close()))
    if (taken.size > 0) await new Promise<void>((resolve) => (whenAllBack = resolve))
  }

  return { use, close }
}
