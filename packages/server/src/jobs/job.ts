// The types of work after commit. No code.
import type { Json } from '@headwater/protocol'
import type { Database } from '../ports.ts'

export interface JobContext {
  /** A uuid, the same for every try of this job and of no other: hand it to the receiver, who can tell a repetition by it. */
  readonly key: string
  /** 1 for the first try. */
  readonly attempt: number
  /** Aborted when the try has taken too long, or the server stops and waits no longer. */
  readonly signal: AbortSignal
  readonly database: Database
}

/**
 * Carries a job out. Resolving means done. A throw means again, later and later, until it is set aside; `refuse(code, reason)` sets it aside at
 * once. May run more than once for one job, also at the same time if a try outlives its time, and in any order.
 */
export type JobHandler = (payload: Json, context: JobContext) => Promise<void>
export type JobHandlers = Readonly<Record<string, JobHandler>>

export interface JobLimits {
  /** One try, in milliseconds. Also how long a job waits whose server died. Default: 60,000. */
  readonly timeoutMs: number
  /** Then it is set aside. Default: 15, which is about 9 hours. */
  readonly triesMax: number
  /** Waiting after the first failure; twice as long after each further one, give or take a half. Default: 1,000. */
  readonly retryMsMin: number
  /** Default: 3,600,000. */
  readonly retryMsMax: number
  /** Jobs under way at once in this server. Default: 16. */
  readonly atOnceMax: number
}

/** What a mutator on the server has besides what it has on a device. */
export interface After {
  /**
   * Has a job carried out after the commit, at least once, by the handler of this name in `jobs` of createServer. If the mutation is refused there
   * is no job. The order of jobs is not promised. `delayMs` after the mutation, or `at` a time (RFC 3339, or a Date); by itself, at once. Throws
   * `invalid` for a payload that is not JSON or is larger than 512 KiB.
   */
  after(name: string, payload: Json, when?: { readonly delayMs?: number; readonly at?: string | Date }): Promise<void>
}

export interface Job {
  readonly id: string
  readonly key: string
  readonly name: string
  readonly payload: Json
  /** RFC 3339, in UTC. Of a job under way: when it is taken for lost. */
  readonly due: string
  readonly attempts: number
  /** What the last try failed with. */
  readonly error: string | null
  /** null: it waits, or is under way. */
  readonly setAsideAt: string | null
}

/** The jobs of the database, whichever server carries them out. */
export interface Jobs {
  /** Those that wait or are set aside, oldest first, at most 1,000. Default: 100, both. */
  list(options?: { readonly setAside?: boolean; readonly limit?: number }): Promise<readonly Job[]>
  /** Due at once, with its tries counted anew. False: there is no such job. */
  retry(id: string): Promise<boolean>
  /** Takes it away for good; a try under way is not stopped. False: there is no such job. */
  discard(id: string): Promise<boolean>
}
