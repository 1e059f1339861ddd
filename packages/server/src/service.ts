// Everything that serves one past of one database: it begins when that is known, and ends when it is not that one any more.
import type { FailureCode, UserId } from '@headwater/protocol'
import type { Mutators, Schema } from '@headwater/schema'
import type { Server, ServerOptions } from './api.ts'
import { createExplain } from './explain/explain.ts'
import { createColumnSets } from './feed/columns.ts'
import type { Identity } from './feed/cursor.ts'
import { createFeed, type Feed } from './feed/feed.ts'
import { createPruner } from './feed/pruner.ts'
import { createMemory } from './feed/recent.ts'
import { createWithheld } from './feed/withheld.ts'
import { createHttp, type HttpRequest } from './http/http.ts'
import { openapiOf } from './http/openapi.ts'
import type { Keeper } from './identity/keeper.ts'
import type { Declared } from './install/declare.ts'
import { createDrift } from './install/drift.ts'
import type { Installed } from './install/install.ts'
import { createWorker } from './jobs/worker.ts'
import { type LogLimits, limits } from './limits.ts'
import { forgetPiece } from './mutate/forget.ts'
import { namesOf } from './mutate/outcome.ts'
import type { MutateDeps } from './mutate/run.ts'
import type { Metrics } from './operations/measures.ts'
import { createOperations } from './operations/operations.ts'
import { readPage } from './page/read.ts'
import type { Caller, Chance, Clock, Connection, ConnectionEvents, Database, Query } from './ports.ts'
import { createExchange, type Exchange, noExchange } from './presence/exchange.ts'
import { createPresence } from './presence/presence.ts'
import { grantsNow } from './scopes/grants.ts'
import { createHub } from './scopes/hub.ts'
import { createRegranting } from './scopes/regrants.ts'
import { createSessions } from './session/sessions.ts'
import { createSlots } from './session/slots.ts'
import type { GrantsAlong, Subscriber } from './session/subscriber.ts'
import type { Told } from './session/told.ts'

export interface Service extends Pick<Server, 'level' | 'holders' | 'grantsOf' | 'explain' | 'page' | 'authenticateAgain'> {
  readonly identity: Identity
  readonly isNew: boolean
  readonly feed: Pick<Feed<GrantsAlong>, 'isLive' | 'cursor' | 'reopen'>
  /** A device's connection. */
  open(connection: Connection, caller: Caller): ConnectionEvents
  /** null: the path is not Headwater's. */
  answer(request: HttpRequest): Response | Promise<Response> | null
  counts(): Pick<Awaited<ReturnType<Server['status']>>, 'connected' | 'regranted' | 'unknownJobs'>
  /** Finishes what is under way, tells the devices why, and stops following the log. */
  end(code: FailureCode, message: string, hint: string): Promise<void>
}

export interface ServiceDeps extends Declared {
  readonly mutators: Mutators
  readonly serverMutators: Mutators
  readonly database: Database
  readonly installed: Installed
  readonly keeper: Keeper
  readonly clock: Clock
  readonly chance: Chance
  readonly metrics: Metrics
  readonly logLimits: LogLimits
  readonly authenticate: (request: HttpRequest) => Promise<UserId | null>
  readonly told: Told
  readonly onTrouble: (error: unknown) => void
}

type Options = Pick<ServerOptions<Schema, Mutators>, 'access' | 'grants' | 'jobs' | 'jobLimits' | 'origins' | 'metrics'>

export async function startService({ access, grants, jobs = {}, jobLimits = {}, origins = [], metrics }: Options, deps: ServiceDeps): Promise<Service> {
  const { database, installed, keeper, schema } = deps
  const { identity, relations } = installed
  const hub = createHub<Subscriber>()
  const regranting = createRegranting({ ...deps, grants, relations, people: hub.people, wake: () => feed.wake() })
  // Sessions of a server that the tail has left are used no more.
  const check = async (query: Query) => {
    const isOther = await keeper.checkTail(query)
    if (isOther) database.guard(keeper.check)
    return isOther
  }
  const { add: onWithheld, stop: stopWithheld } = createWithheld(deps)
  const feed: Feed<GrantsAlong> = createFeed({ ...deps, identity, along: regranting.along, listened: hub.streams, check, onWithheld })
  feed.onBatch(({ along }) => along && regranting.published(along))
  await feed.start()
  const name = Buffer.from(deps.chance.bytes(6)).toString('hex')
  const pruner = createPruner({ ...deps, name, bounds: deps.logLimits, needs: feed.needs, forget: () => forgetPiece(database) })
  const worker = createWorker({ ...deps, handlers: jobs, limits: jobLimits })
  feed.onBatch(({ rows, large }) => (large !== null || rows.some(({ op }) => op === 'j')) && worker.wake())
  const drift = createDrift({ ...deps, relations })
  const mutating: MutateDeps = {
    ...deps,
    isFit: async () => {
      await drift.look().catch(() => {})
      return drift.troubles().size === 0
    },
    isLive: feed.isLive,
    access,
    grants: grantsNow(grants, relations),
    names: namesOf(schema, deps.serverSchema),
    measures: deps.metrics,
  }
  const exchange = exchangeOf(deps, name, feed)
  const slots = createSlots(limits.loadTurnsMax[database.kind])
  const sessions = createSessions({
    ...mutating,
    feed,
    hub,
    grantReader: regranting.reader,
    sets: createColumnSets(schema),
    slots,
    told: deps.told,
    askSlots: createSlots(limits.authenticatedAtOnce),
    presence: createPresence(deps.clock, exchange),
    troubles: drift.troubles,
    look: drift.look,
    identity,
    onWithheld,
    ...createMemory({ feed, schema, bytesMax: deps.logLimits.recentBytes, onWithheld }),
  })
  const operations = createOperations({ ...deps, identity, feed, hub, sessions, slots, token: metrics?.token })
  const http = createHttp({
    ...mutating,
    origins,
    authenticate: deps.authenticate,
    troubles: drift.troubles,
    openapi: JSON.stringify(openapiOf(schema, access, { ...deps.mutators, ...deps.serverMutators })),
    onCommitted: feed.wake,
  })
  worker.wake()
  return {
    identity,
    isNew: installed.isNew,
    feed,
    open: sessions.open,
    answer: (request) => operations.answer(request) ?? http.answer(request),
    level: async () => {
      do await feed.reach()
      while ([...hub.members()].some((subscriber) => subscriber.needsEveryBatch()))
    },
    counts: () => ({
      connected: { devices: [...hub.members()].length, people: hub.people().size },
      regranted: regranting.count(),
      unknownJobs: worker.unknown(),
    }),
    holders: (kind, key) => regranting.reader.holders(database, kind, key),
    grantsOf: (user) => regranting.reader.grantsOf(database, user),
    authenticateAgain: async (user) => {
      await database.query('select 1 from headwater.authenticate_again($1)', [user])
      feed.wake()
    },
    page: (user, queries) => readPage({ ...mutating, identity, troubles: drift.troubles, reach: feed.reach }, user, queries),
    explain: createExplain({ database, schema, access, grants, relations }),
    end: async (code, message, hint) => {
      operations.drain()
      regranting.stop()
      const steps = [
        drift.stop,
        () => sessions.close(code, message, hint),
        exchange.stop,
        http.close,
        worker.stop,
        pruner.stop,
        stopWithheld,
        operations.stop,
        feed.stop,
      ]
      // Whatever becomes of one of them: nothing of a service may live on beside the next one.
      for (const stop of steps) await stop().catch(deps.onTrouble)
    },
  }
}

/** An embedded database has one server. */
function exchangeOf(deps: ServiceDeps, name: string, feed: Feed<GrantsAlong>): Exchange {
  if (deps.database.kind === 'embedded') return noExchange
  return createExchange({ ...deps, name, listen: (listener) => feed.listen(noticesChannel, listener), notify: (payloads) => notify(deps.database, payloads) })
}

const noticesChannel = 'headwater_presence'

/** In order, and at once. */
async function notify(database: Database, payloads: readonly string[]): Promise<void> {
  await database.query(`select count(pg_notify('${noticesChannel}', value)::text)::text from json_array_elements_text($1::text::json)`, [
    JSON.stringify(payloads),
  ])
}
