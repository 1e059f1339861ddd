// Invariant: no transaction is open while a handler runs. A claim moves the job's due time past the end of its try, and commits: if this
// process dies, the job comes due again by itself, for whichever server is there.
import { HeadwaterError, type Json } from '@headwater/protocol'
import { limits } from '../limits.ts'
import type { Chance, Clock, Database, SqlRow } from '../ports.ts'
import type { JobHandlers, JobLimits } from './job.ts'

interface WorkerDeps {
  readonly database: Database
  readonly clock: Clock
  readonly chance: Chance
  readonly onTrouble: (error: unknown) => void
  readonly handlers: JobHandlers
  readonly limits: Partial<JobLimits>
}

export interface Worker {
  /** There may be jobs that are due. */
  wake(): void
  /** Names of jobs that are due and that this server has no handler for, as last seen. */
  unknown(): readonly string[]
  /** Claims no more, waits a while for those under way, then aborts them: they come due again by themselves. */
  stop(): Promise<void>
}

interface Claimed {
  readonly id: string
  readonly key: string
  readonly name: string
  readonly payload: Json
  readonly attempt: number
}

export function createWorker(deps: WorkerDeps): Worker {
  const { database, clock, onTrouble, handlers } = deps
  const bounds: JobLimits = { ...limits.jobs, ...deps.limits }
  const names = JSON.stringify(Object.keys(handlers))
  const running = new Map<Promise<void>, AbortController>()
  const reported = new Set<string>()
  let unknown: readonly string[] = []
  let done: string[] = []
  let isAsked = false
  let isStopped = false
  let turning: Promise<void> | null = null
  let cancelTimer = () => {}

  function wake(): void {
    isAsked = true
    turning ??= turn().finally(() => {
      turning = null
    })
  }

  /** One after the other: what was done is taken away, and what is due is claimed. */
  async function turn(): Promise<void> {
    while (isAsked) {
      isAsked = false
      cancelTimer()
      try {
        await takeAway()
        if (isStopped) return
        const free = bounds.atOnceMax - running.size
        const claimed = free > 0 ? await claim(free) : []
        for (const job of claimed) start(job)
        // With every place taken, the first that ends asks again.
        if (claimed.length < free) await sleep()
      } catch (error) {
        onTrouble(error)
        cancelTimer = clock.timer(limits.jobTroubleMs, wake)
      }
    }
  }

  async function claim(count: number): Promise<readonly Claimed[]> {
    const rows = await database.query(
      `with picked as (select id from headwater.jobs where set_aside_at is null and due <= now() and ${isKnown('$1')} order by due limit $2::int for update skip locked)
       update headwater.jobs j set due = clock_timestamp() + $3::text::float8 * interval '1 millisecond', attempts = attempts + 1
         from picked where j.id = picked.id returning j.id::text as id, j.key, j.name, j.payload::text as payload, j.attempts`,
      [names, count, String(bounds.timeoutMs + limits.jobLeaseSlackMs)],
    )
    return rows.map(claimedOf)
  }

  function start(job: Claimed): void {
    const controller = new AbortController()
    const run = carryOut(job, controller).finally(() => {
      running.delete(run)
      wake()
    })
    running.set(run, controller)
  }

  async function carryOut(job: Claimed, controller: AbortController): Promise<void> {
    const { signal } = controller
    const aborted = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    // Whoever loses the race below must not be an unhandled rejection.
    aborted.catch(() => {})
    const cancel = clock.timer(bounds.timeoutMs, () => controller.abort(new HeadwaterError('timeout', `It took more than ${bounds.timeoutMs} ms.`)))
    try {
      // Its process died so often: perhaps because of it.
      if (job.attempt > bounds.triesMax) throw new HeadwaterError('refused', 'Its last try never came to an end.')
      await Promise.race([handlers[job.name]?.(job.payload, { key: job.key, attempt: job.attempt, signal, database }), aborted])
      done.push(job.id)
    } catch (error) {
      await failed(job, error).catch(onTrouble)
    } finally {
      cancel()
    }
  }

  /** Only of the try that failed: a later one may be under way. */
  async function failed({ id, name, attempt }: Claimed, error: unknown): Promise<void> {
    const message = error instanceof Error ? error.message : String(error)
    const isOver = attempt >= bounds.triesMax || (error instanceof HeadwaterError && error.code === 'refused')
    if (isOver) onTrouble(new HeadwaterError('job', `The job ${id} (${name}) was set aside: ${message}`, 'server.jobs.retry or discard.', { id, cause: error }))
    await database.query(
      `update headwater.jobs set error = $3, due = clock_timestamp() + $4::text::float8 * interval '1 millisecond', set_aside_at = case when $5::boolean then now() end
         where id = $1::text::bigint and attempts = $2::int and set_aside_at is null`,
      [id, attempt, Buffer.from(message.replaceAll('\0', '').slice(0, limits.jobErrorLengthMax)).toString(), String(retryMs(attempt)), isOver],
    )
  }

  const retryMs = (attempt: number) =>
    Math.min(bounds.retryMsMax, bounds.retryMsMin * 2 ** Math.min(attempt - 1, 40)) * (0.5 + (deps.chance.bytes(1)[0] ?? 0) / 255)

  async function takeAway(): Promise<void> {
    if (done.length === 0) return
    const [ids, count] = [JSON.stringify(done), done.length]
    await database.query('delete from headwater.jobs where id in (select value::bigint from json_array_elements_text($1::text::json))', [ids])
    done = done.slice(count)
  }

  /** Until the next one is due. */
  async function sleep(): Promise<void> {
    const rows = await database.query(
      `select (extract(epoch from min(due) filter (where ${isKnown('$1')}) - now()) * 1000)::float8 as ms,
         coalesce(json_agg(distinct name) filter (where due <= now() and not ${isKnown('$1')}), '[]')::text as unknown from headwater.jobs where set_aside_at is null`,
      [names],
    )
    // Made by the statement: a list of texts.
    unknown = JSON.parse(String(rows[0]?.unknown)) as readonly string[]
    for (const name of unknown) {
      if (!reported.has(name))
        onTrouble(new HeadwaterError('unknown-job', `There is no handler for the job ${name}: it waits.`, 'Add it to jobs of createServer.'))
      reported.add(name)
    }
    const ms = rows[0]?.ms === null ? limits.jobPollMsMax : Number(rows[0]?.ms)
    cancelTimer = clock.timer(Math.max(limits.jobPollMsMin, Math.min(limits.jobPollMsMax, ms)), wake)
  }

  return {
    wake: () => {
      if (!isStopped) wake()
    },
    unknown: () => unknown,
    stop: async () => {
      isStopped = true
      cancelTimer()
      let cancel = () => {}
      const patience = new Promise<void>((resolve) => {
        cancel = clock.timer(limits.jobStopMsMax, resolve)
      })
      // What is being claimed at this moment starts yet.
      await turning
      await Promise.race([Promise.all(running.keys()), patience])
      cancel()
      const reason = new HeadwaterError('unavailable', 'The server stopped.')
      const left = [...running]
      for (const [, controller] of left) controller.abort(reason)
      await Promise.all(left.map(([run]) => run))
      await turning
      cancelTimer()
      await takeAway().catch(onTrouble)
    },
  }
}

const isKnown = (names: string) => `name in (select json_array_elements_text(${names}::text::json))`

const claimedOf = (row: SqlRow): Claimed => ({
  id: String(row.id),
  key: String(row.key),
  name: String(row.name),
  // A jsonb column as text.
  payload: JSON.parse(String(row.payload)) as Json,
  attempt: Number(row.attempts),
})
