// When the log is pruned: every minute one server looks, and takes away a piece after the other until nothing is beyond the limits.
import { HeadwaterError } from '@headwater/protocol'
import { limits } from '../limits.ts'
import type { Clock, Database } from '../ports.ts'
import { type LogKept, type Pruned, type PruneLimits, prunePiece } from './prune.ts'

interface PrunerDeps {
  readonly database: Database
  readonly clock: Clock
  /** What this server is called among those of the database. */
  readonly name: string
  readonly bounds: PruneLimits
  readonly kept?: LogKept
  /** From which transaction on this server needs the log. */
  readonly needs: () => bigint
  /** Takes a piece away of what else is too old, now and then. */
  readonly forget: () => Promise<Pick<Pruned, 'hasMore'>>
  readonly onTrouble: (error: unknown) => void
}

export interface Pruner {
  /** Resolves when nothing is under way any more, and this server's hold is gone. */
  stop(): Promise<void>
}

export function createPruner(deps: PrunerDeps): Pruner {
  const { database, clock, onTrouble } = deps
  const holdName = `server ${deps.name}`
  let looks = 0
  let heldLooks = 0
  let isStopped = false
  let endRest = () => {}
  const running = run()

  async function run(): Promise<void> {
    for (;;) {
      await rest(limits.pruneMs)
      if (isStopped) return
      try {
        await look()
      } catch (error) {
        if (!isLostRace(error)) onTrouble(error)
      }
    }
  }

  async function look(): Promise<void> {
    await hold()
    const { heldBy } = await inPieces(() => prunePiece(database, deps.bounds, deps.kept))
    heldLooks = heldBy === null ? 0 : heldLooks + 1
    if (heldBy !== null && (heldLooks - limits.heldLooks) % limits.heldLooksAgain === 0) onTrouble(heldFailure(heldBy))
    if (looks++ % limits.recordLooks === 0) await inPieces(deps.forget)
  }

  /** Answers the last piece. */
  async function inPieces<P extends Pick<Pruned, 'hasMore'>>(take: () => Promise<P>): Promise<P> {
    for (;;) {
      const beganAt = clock.now()
      const piece = await take()
      if (!piece.hasMore || isStopped) return piece
      await rest(clock.now() - beganAt)
    }
  }

  /** Other servers do not know where this one is. */
  const hold = () =>
    database.query(
      `insert into headwater.log_holds (name, xid, until) values ($1, $2::text::xid8, now() + $3::int * interval '1 minute')
       on conflict (name) do update set xid = excluded.xid, until = excluded.until`,
      [holdName, String(deps.needs()), limits.holdMinutes],
    )

  function rest(forMs: number): Promise<void> {
    if (isStopped) return Promise.resolve()
    return new Promise((resolve) => {
      const cancel = clock.timer(Math.max(0, forMs), resolve)
      endRest = () => {
        cancel()
        resolve()
      }
    })
  }

  return {
    stop: async () => {
      isStopped = true
      endRest()
      await running
      if (looks > 0) await database.query('delete from headwater.log_holds where name = $1', [holdName]).catch(onTrouble)
    },
  }
}

/** Somebody else changed the same row meanwhile: the next look finds what is left. */
const isLostRace = (error: unknown) => error instanceof HeadwaterError && error.details.sqlstate === '40001'

const heldFailure = (heldBy: string) =>
  new HeadwaterError(
    'log-held',
    `The log of changes grows beyond its limits: ${heldBy} needs rows that would go otherwise.`,
    heldBy === 'an open transaction' ? 'Look for old ones in pg_stat_activity and pg_prepared_xacts.' : 'See headwater.log_holds.',
    { heldBy },
  )
