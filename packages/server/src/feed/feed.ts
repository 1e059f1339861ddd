// The tail of the log: reads what is new, makes it durable, and publishes it as one undivided batch.
// Invariant: P (the position) only moves past rows that were published, and rows are only published when no crash can take them back.
import { type Cursor, HeadwaterError } from '@headwater/protocol'
import type { Schema } from '@headwater/schema'
import { limits } from '../limits.ts'
import type { Clock, Database, Query, TailSession, Transaction } from '../ports.ts'
import { type Large, type ReadAlong, readBatch } from './batch.ts'
import { checkCursor, cursorOf, type Identity } from './cursor.ts'
import type { LogRow } from './log.ts'
import { encodersOf, type Net } from './net.ts'
import { advance, positionOf, type Track, trackFrom } from './position.ts'
import type { Withheld } from './settle.ts'
import { type Snapshot, snapshotOf } from './snapshot.ts'
import type { StreamKey } from './stream.ts'
import { createSleeper, wakeChannel } from './wake.ts'

/** Everything committed between two positions, as one. */
export interface Batch<Along> extends Net {
  readonly snapshot: Snapshot
  readonly cursor: Cursor
  readonly rows: readonly LogRow[]
  /** Not null: it is more than memory should hold. Its rows are not here, and its changes are not all. */
  readonly large: Large | null
  /** What was read along in the same snapshot; null if nothing was needed. */
  readonly along: Along | null
}

export interface Feed<Along> {
  /** Resolves when the position is known; rejects if the log cannot be read at all. */
  start(): Promise<void>
  /** Batches arrive in order, each once. */
  onBatch(run: (batch: Batch<Along>) => void): () => void
  /**
   * The past that devices continue may no longer be this database's: it is another one, or is served by another process, which may lack what was committed last and
   * not read from there. Everybody has to greet again.
   */
  onReset(run: () => void): () => void
  /** Resolves when everything that was committed before the call has been published and is durable. Rejects when the feed stops. */
  reach(): Promise<void>
  /** The position of the last batch, as devices get it. */
  cursor(): Cursor
  snapshot(): Snapshot
  /** From which transaction on the log is needed: by this feed, and by devices that have its cursor. */
  needs(): bigint
  /** Whatever is notified on a channel, on this and every later session of the feed. Not heard of on an embedded database. */
  listen(channel: string, listener: Listener): void
  isLive(): boolean
  wake(): void
  /** Leaves its session for a new one. */
  reopen(): void
  stop(): Promise<void>
}

export interface Listener {
  /** A session begins, from which on everything is heard; or, with false, nothing is: a pooler is in between. */
  onSession(isDirect: boolean): void
  onNotice(payload: string): void
}

interface FeedDeps<Along> {
  readonly database: Database
  readonly clock: Clock
  readonly schema: Schema
  readonly identity: Identity
  readonly along: ReadAlong<Along>
  /** What devices of this server listen to. */
  readonly listened: () => Iterable<StreamKey>
  /** Whether a session's database is the one, before anything is read from it. Answers whether another process serves it than before. */
  readonly check: (query: Query) => Promise<boolean>
  /** Told of each row that is larger than any device could take, whenever it is met. */
  readonly onWithheld: (row: Withheld) => void
  /** Trouble that the feed survives: it goes on by itself. */
  readonly onTrouble: (error: unknown) => void
}

export function createFeed<Along>(deps: FeedDeps<Along>): Feed<Along> {
  const sleeper = createSleeper(deps.clock)
  const encoders = encodersOf(deps.schema)
  const batchListeners = new Set<(batch: Batch<Along>) => void>()
  const resetListeners = new Set<() => void>()
  const listeners = new Map<string, Listener>()
  let waiting: { resolve: () => void; reject: (error: unknown) => void }[] = []
  let session: TailSession | null = null
  let track: Track | null = null
  let barrier = ''
  let isStopped = false
  let running: Promise<void> = Promise.resolve()

  async function open(): Promise<TailSession> {
    const opened = await deps.database.openTail()
    try {
      await opened.onWake(wakeChannel, sleeper.wake)
      opened.onLost(() => {
        session = null
        sleeper.wake()
      })
      const settings = await readSettings(opened)
      barrier = settings.barrier
      const isOther = await opened.read(({ query }) => deps.check(query))
      track = await opened.read((transaction) => continueFrom(transaction, isOther))
      // What devices are told to continue must not be taken back by a crash either.
      await opened.query(barrier)
      sleeper.reset(settings.isNotified && opened.isDirect)
      if (!opened.isDirect) deps.onTrouble(pooled())
      for (const [channel, listener] of listeners) await listenTo(opened, channel, listener)
      session = opened
      return opened
    } catch (error) {
      await opened.close().catch(() => {})
      throw error
    }
  }

  async function listenTo(opened: TailSession, channel: string, { onSession, onNotice }: Listener): Promise<void> {
    await opened.onWake(channel, onNotice)
    onSession(opened.isDirect)
  }

  /** On a new session: the past behind the position must still be there; if not, everybody greets again. */
  async function continueFrom(transaction: Transaction, isOther: boolean): Promise<Track> {
    const rows = await transaction.query('select pg_current_snapshot()::text as snapshot')
    const snapshot = snapshotOf(String(rows[0]?.snapshot))
    if (track !== null) {
      const { resume } = await checkCursor(transaction, cursorOf(deps.identity, positionOf(track)), deps.identity, snapshot)
      if (resume !== 'ok' || isOther) for (const run of resetListeners) run()
      if (resume === 'ok') return track
    }
    return trackFrom(transaction, snapshot)
  }

  async function step(tail: TailSession): Promise<boolean> {
    const from = tracked()
    const asked = waiting
    waiting = []
    try {
      const { snapshot, isDurable, count, sum, rows, net, large, along } = await readBatch(tail, from.snapshot, { ...deps, encoders })
      if (count > 0) {
        if (!isDurable) await tail.query(barrier)
        track = advance(from, snapshot, { count, sum })
      }
      if (count > 0 || along !== null) {
        publish({ ...net, snapshot, cursor: cursorOf(deps.identity, positionOf(tracked())), rows, large, along })
      }
      for (const { resolve } of asked) resolve()
      return count > 0
    } catch (error) {
      waiting = [...asked, ...waiting]
      throw error
    }
  }

  function publish(batch: Batch<Along>): void {
    for (const run of batchListeners) run(batch)
  }

  async function loop(): Promise<void> {
    let reopenMs: number = limits.reopenMsMin
    while (!isStopped) {
      try {
        const tail = session ?? (await open())
        reopenMs = limits.reopenMsMin
        const broughtRows = await step(tail)
        const waitMs = waiting.length > 0 ? null : await sleeper.after(tail, broughtRows)
        if (waitMs !== null && !isStopped) await sleeper.sleep(waitMs)
      } catch (error) {
        if (isStopped) break
        deps.onTrouble(error)
        const lost = session
        session = null
        await lost?.close().catch(() => {})
        await sleeper.sleep(reopenMs)
        reopenMs = Math.min(limits.reopenMsMax, reopenMs * 2)
      }
    }
    for (const { reject } of waiting) reject(stopped())
  }

  const tracked = () => {
    if (track === null) throw stopped()
    return track
  }

  return {
    start: async () => {
      await open()
      running = loop()
    },
    onBatch: (run) => {
      batchListeners.add(run)
      return () => batchListeners.delete(run)
    },
    onReset: (run) => {
      resetListeners.add(run)
      return () => resetListeners.delete(run)
    },
    reach: () =>
      new Promise((resolve, reject) => {
        if (isStopped) return reject(stopped())
        waiting.push({ resolve, reject })
        sleeper.wake()
      }),
    cursor: () => cursorOf(deps.identity, positionOf(tracked())),
    snapshot: () => tracked().snapshot,
    needs: () => positionOf(tracked()).since.xmin,
    listen: (channel, listener) => {
      listeners.set(channel, listener)
      // A session that is lost meanwhile is followed by one that listens from its beginning.
      if (session) listenTo(session, channel, listener).catch(deps.onTrouble)
    },
    isLive: () => session !== null,
    wake: sleeper.wake,
    reopen: () => {
      const left = session
      session = null
      left?.close().catch(deps.onTrouble)
      sleeper.wake()
    },
    stop: async () => {
      isStopped = true
      sleeper.wake()
      await running
      await session?.close()
    },
  }
}

/**
 * `barrier`: what makes rows durable that are already visible. With `synchronous_commit = off`, or after an aborted transaction, a crash could take
 * them back and give their transaction numbers away again, which would hide new rows. A flushed message from 17 on; before, a small commit.
 */
async function readSettings(tail: TailSession): Promise<{ readonly barrier: string; readonly isNotified: boolean }> {
  const rows = await tail.query(`select current_setting('server_version_num')::int as version, current_setting('max_prepared_transactions') as prepared`)
  const barrier =
    Number(rows[0]?.version) >= 170_000
      ? `select pg_logical_emit_message(false, 'headwater', '', true)::text`
      : `with flushed as (select set_config('synchronous_commit', 'on', true)) update headwater.witness set xid = pg_current_xact_id() from flushed`
  return { barrier, isNotified: rows[0]?.prepared === '0' }
}

const stopped = () => new HeadwaterError('unavailable', 'The server is stopping.', 'Connect again.')
const pooled = () =>
  new HeadwaterError(
    'pooled',
    `The database's URL leads through a pooler, where nobody can be notified: changes are looked for every ${limits.pollMsUnnotifiedMax} ms.`,
    'Give the URL of the server itself as directUrl.',
  )
