import type { Connection } from './connection.ts'
import { closedFailure } from './failure.ts'
import { limits } from './limits.ts'
import type { Session } from './session.ts'
import { overloadedFailure } from './turns.ts'

export interface PooledSession {
  readonly session: Session
  readonly connection: Connection
}

/** Sessions, opened when needed, up to a number; whoever comes then waits in order. */
export interface Pool {
  /** Runs `body` with a session that nobody else uses, and that is idle before and after. */
  use<T>(body: (session: Session) => Promise<T>): Promise<T>
  /** Every session is checked before it is used, and those of before are used no more. */
  guard(check: Check): void
  /** Refuses from now on, waits for what is under way, and closes all sessions. */
  close(): Promise<void>
}

export type Check = (query: Session['queryOnce']) => Promise<void>

interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export function createPool(open: () => Promise<PooledSession>, sessionsMax: number): Pool {
  /** The one used last is used next: the others may be closed by a server that cuts off the idle. */
  const idle: PooledSession[] = []
  const waiting: Waiting[] = []
  /** Sessions that were opened since the last `guard`. */
  let fresh = new WeakSet<PooledSession>()
  let check: Check | null = null
  let users = 0
  let whenUnused = () => {}
  let closing: Promise<void> | null = null

  /** There are never more sessions than there were users at once, because one is opened only when none is idle. */
  async function enter(): Promise<void> {
    if (closing) throw closedFailure()
    if (users < sessionsMax) {
      users++
      return
    }
    if (waiting.length >= limits.waitingMax) throw overloadedFailure()
    await new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }))
  }

  function leave(): void {
    const next = waiting.shift()
    if (next) return next.resolve()
    users--
    if (users === 0) whenUnused()
  }

  function lastIdle(): PooledSession | undefined {
    for (;;) {
      const pooled = idle.pop()
      if (!pooled?.connection.isLost()) return pooled
    }
  }

  async function openChecked(): Promise<PooledSession> {
    const asked = fresh
    const pooled = await open()
    try {
      await check?.(pooled.session.queryOnce)
    } catch (error) {
      await pooled.connection.close()
      throw error
    }
    asked.add(pooled)
    return pooled
  }

  async function use<T>(body: (session: Session) => Promise<T>): Promise<T> {
    await enter()
    try {
      const pooled = lastIdle() ?? (await openChecked())
      try {
        return await body(pooled.session)
      } finally {
        if (!fresh.has(pooled)) void pooled.connection.close()
        else if (!pooled.connection.isLost()) idle.push(pooled)
      }
    } finally {
      leave()
    }
  }

  async function closeAll(): Promise<void> {
    for (const { reject } of waiting.splice(0)) reject(closedFailure())
    if (users > 0) {
      await new Promise<void>((resolve) => {
        whenUnused = resolve
      })
    }
    await Promise.all(idle.splice(0).map(({ connection }) => connection.close()))
  }

  return {
    use,
    guard: (next) => {
      check = next
      fresh = new WeakSet()
      for (const { connection } of idle.splice(0)) void connection.close()
    },
    close: () => {
      closing ??= closeAll()
      return closing
    },
  }
}
