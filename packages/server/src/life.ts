// A server's life on a database that may turn out to be another one. Invariant: there is a service only while the database is known to be the one
// that it was begun on; without one, nobody is served and no job is run.
import { HeadwaterError } from '@headwater/protocol'
import { type Finding, serverHint } from './identity/judge.ts'
import { held, type Keeper } from './identity/keeper.ts'
import { limits } from './limits.ts'
import type { Clock } from './ports.ts'
import type { Service } from './service.ts'

export interface Life {
  /** Begins to serve; or, where the database is held, begins to look every few seconds whether somebody has said what it is. Rejects with anything else. */
  start(): Promise<void>
  /** Throws `held`, or `unavailable` between two services. */
  service(): Service
  running(): Service | null
  finding(): Finding | null
  /** The database is another one: ends what is served, and begins anew when that is allowed. */
  turn(finding: Finding | null): void
  close(): Promise<void>
}

interface LifeDeps {
  readonly keeper: Keeper
  readonly clock: Clock
  readonly begin: () => Promise<Service>
  readonly onTrouble: (error: unknown) => void
}

export function createLife({ keeper, clock, begin, onTrouble }: LifeDeps): Life {
  let running: Service | null = null
  let turning: Promise<void> | null = null
  let isClosed = false
  let stopWaiting = () => {}
  let cancelLook = () => {}

  async function beginNow(): Promise<void> {
    const service = await begin()
    await keeper.follow(service.feed)
    running = service
    cancelLook = clock.timer(limits.identityMs, lookAgain)
  }

  /** Also tells of a decision: sessions that stay open hear of none. */
  function lookAgain(): void {
    keeper.remember().catch(onTrouble)
    cancelLook = clock.timer(limits.identityMs, lookAgain)
  }

  async function leave(finding: Finding | null): Promise<void> {
    const left = running
    running = null
    cancelLook()
    if (left === null) return
    try {
      if (finding) await left.end('held', 'The database is not the one that it was.', serverHint)
      else await left.end('unavailable', 'The database is served anew.', 'The device connects again by itself.')
    } finally {
      await keeper.leave()
    }
  }

  async function untilBegun(): Promise<void> {
    for (let told = ''; !isClosed; ) {
      await new Promise<void>((resolve) => {
        const cancel = clock.timer(limits.heldMs, resolve)
        stopWaiting = () => {
          cancel()
          resolve()
        }
      })
      if (isClosed) return
      try {
        return await beginNow()
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error)
        // The same finding every second is said once.
        if (text !== told) onTrouble(error)
        told = text
      }
    }
  }

  function turn(finding: Finding | null): void {
    if (turning || isClosed || running === null) return
    if (finding) onTrouble(held(finding))
    turning = leave(finding)
      .catch(onTrouble)
      .then(untilBegun)
      .finally(() => {
        turning = null
      })
  }

  return {
    start: async () => {
      try {
        await beginNow()
      } catch (error) {
        if (!(error instanceof HeadwaterError && error.code === 'held')) throw error
        onTrouble(error)
        turning = untilBegun().finally(() => {
          turning = null
        })
      }
    },
    service: () => {
      const finding = keeper.finding()
      if (running) return running
      if (finding) throw held(finding)
      throw new HeadwaterError('unavailable', 'The database is served anew.', 'Try again.')
    },
    running: () => running,
    finding: () => (running ? null : keeper.finding()),
    turn,
    close: async () => {
      isClosed = true
      stopWaiting()
      await turning
      const left = running
      cancelLook()
      running = null
      await left?.end('draining', 'The server is stopping.', 'The device connects again.')
      if (left) await keeper.leave()
    },
  }
}
