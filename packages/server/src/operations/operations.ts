import type { Feed } from '../feed/feed.ts'
import type { HttpRequest } from '../http/http.ts'
import type { Chance, Clock, Database } from '../ports.ts'
import type { Hub } from '../scopes/hub.ts'
import type { Sessions } from '../session/sessions.ts'
import type { Slots } from '../session/slots.ts'
import type { GrantsAlong, Subscriber } from '../session/subscriber.ts'
import { createEndpoints, type Reason } from './endpoints.ts'
import { createHeartbeat } from './heartbeat.ts'
import type { Metrics } from './measures.ts'

interface OperationsDeps {
  readonly clock: Clock
  readonly chance: Chance
  readonly database: Database
  /** Its id. */
  readonly identity: { readonly database: string }
  readonly feed: Feed<GrantsAlong>
  readonly hub: Hub<Subscriber>
  readonly sessions: Sessions
  readonly slots: Slots
  readonly metrics: Metrics
  readonly token: string | undefined
  readonly onTrouble: (error: unknown) => void
}

/** What those who run servers see of one, from its start to its end. */
export interface Operations {
  answer(request: HttpRequest): Response | Promise<Response> | null
  /** From now on it is not ready: whoever balances the load sends nobody any more. */
  drain(): void
  stop(): Promise<void>
}

export function createOperations(deps: OperationsDeps): Operations {
  const { database, feed, hub, sessions, slots, metrics, clock } = deps
  let isDraining = false
  const devices = () => [...hub.members()].length
  const unfollow = feed.onBatch(({ rows }) => {
    const last = rows.at(-1)
    if (last) metrics.batch(rows.length, (clock.now() - Date.parse(last.at)) / 1_000)
  })
  // An embedded database has one server, and its lock says so.
  const heartbeat = database.kind === 'embedded' ? null : createHeartbeat({ ...deps, devices })

  const reasons = (): readonly Reason[] => [
    ...(isDraining ? [{ code: 'draining', message: 'The server is stopping.' }] : []),
    ...(feed.isLive() ? [] : [{ code: 'database', message: 'The log cannot be read: the database is away.' }]),
  ]

  async function readLog() {
    const found = await database
      .query(
        `select greatest(0, c.reltuples)::bigint::text as rows, pg_total_relation_size(c.oid)::text as bytes from pg_class c where c.oid = 'headwater.log'::regclass`,
      )
      .catch(() => [])
    return found[0] ? { rows: Number(found[0].rows), bytes: Number(found[0].bytes) } : null
  }

  const sampled = {
    devices,
    people: () => hub.people().size,
    mutationsWaiting: sessions.mutationsWaiting,
    loadsWaiting: slots.waiting,
    unreadBytes: sessions.unreadBytes,
    log: readLog,
  }
  return {
    answer: createEndpoints({ clock, database: deps.identity.database, reasons, reach: feed.reach, metrics: () => metrics.read(sampled), token: deps.token }),
    drain: () => {
      isDraining = true
    },
    stop: async () => {
      unfollow()
      await heartbeat?.stop()
    },
  }
}
