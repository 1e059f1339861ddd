// Puts the parts together. What happens is in them.
import { randomBytes } from 'node:crypto'
import { HeadwaterError } from '@headwater/protocol'
import { checkAccess, checkSchema, type Mutators, type Schema } from '@headwater/schema'
import type { Server, ServerOptions } from './api.ts'
import { openDatabase } from './database/open.ts'
import { createExplain } from './explain/explain.ts'
import { createColumnSets } from './feed/columns.ts'
import { createFeed, type Feed } from './feed/feed.ts'
import { checkLogLimits } from './feed/prune.ts'
import { createPruner } from './feed/pruner.ts'
import { createMemory } from './feed/recent.ts'
import { createHttp } from './http/http.ts'
import { openapiOf } from './http/openapi.ts'
import { createDrift } from './install/drift.ts'
import { type Installed, install } from './install/install.ts'
import { createJobs } from './jobs/jobs.ts'
import { createWorker } from './jobs/worker.ts'
import { limits } from './limits.ts'
import { forgetPiece } from './mutate/forget.ts'
import { namesOf } from './mutate/outcome.ts'
import { ownMutators } from './mutate/own.ts'
import type { MutateDeps } from './mutate/run.ts'
import { createMetrics, type Metrics } from './operations/measures.ts'
import { createOperations } from './operations/operations.ts'
import type { Chance, Clock, Database } from './ports.ts'
import { grantsNow } from './scopes/grants.ts'
import { createHub } from './scopes/hub.ts'
import { createRegranting } from './scopes/regrants.ts'
import { type SharedOf, sharedOf } from './serverColumns.ts'
import { createSessions } from './session/sessions.ts'
import { createSlots } from './session/slots.ts'
import type { GrantsAlong, Subscriber } from './session/subscriber.ts'
import { readStatus } from './status.ts'
import { createTransport, type Transport } from './transport/transport.ts'

/** Opens the database, installs what is missing and starts to follow the log. Rejects with what is wrong and what to do. */
export async function createServer<S extends Schema, M extends Mutators<SharedOf<S>>>(options: ServerOptions<S, M>): Promise<Server> {
  const declared = checkOptions(options)
  const clock = options.ports?.clock ?? systemClock
  const chance = options.ports?.chance ?? systemChance
  const metrics = createMetrics()
  const onTrouble = (error: unknown) => {
    metrics.trouble(error)
    options.onTrouble?.(error)
  }
  const database = await openDatabase(options.database, options.directory ?? '.headwater/database', options.directUrl)
  try {
    const installed = await install(database, declared, options.grants)
    return await start(options, { ...declared, database, installed, clock, chance, metrics, onTrouble })
  } catch (error) {
    await database.close()
    throw error
  }
}

/** Throws for what cannot be, before anything is opened. */
function checkOptions<S extends Schema, M extends Mutators<SharedOf<S>>>(options: ServerOptions<S, M>) {
  // Who gives none has an app whose mutators are none.
  const { schema, access, mutators = {} as M, serverMutators = {} } = options
  checkSchema(schema, mutators)
  if (access === undefined) {
    const hint = 'Give access: defineAccess(schema, rules); or, for first steps, access: holdersMayWrite(schema).'
    throw new HeadwaterError('access', 'Nothing says who may write what.', hint)
  }
  const shared = sharedOf(schema)
  // What each takes was checked where they were given.
  const own = ownMutators(serverMutators as Parameters<typeof ownMutators>[0], mutators)
  return { schema: shared, serverSchema: schema, needs: checkAccess(shared, access), mutators, serverMutators: own, logLimits: checkLogLimits(options.log) }
}

interface Parts extends Omit<ReturnType<typeof checkOptions>, 'mutators'> {
  readonly mutators: Mutators
  readonly database: Database
  readonly installed: Installed
  readonly clock: Clock
  readonly chance: Chance
  readonly metrics: Metrics
  readonly onTrouble: (error: unknown) => void
}

async function start<S extends Schema, M extends Mutators<SharedOf<S>>>(options: ServerOptions<S, M>, parts: Parts): Promise<Server> {
  const { database, installed, schema } = parts
  const { access, grants } = options
  const { identity, relations } = installed
  const hub = createHub<Subscriber>()
  const regranting = createRegranting({ ...parts, grants, relations, people: hub.people, wake: () => feed.wake() })
  const feed: Feed<GrantsAlong> = createFeed({ ...parts, identity, along: regranting.along, listened: hub.streams })
  feed.onBatch(({ along }) => along && regranting.published(along))
  await feed.start()
  const name = Buffer.from(parts.chance.bytes(6)).toString('hex')
  const pruner = createPruner({ ...parts, name, bounds: parts.logLimits, needs: feed.needs, forget: () => forgetPiece(database) })
  const worker = createWorker({ ...parts, handlers: options.jobs ?? {}, limits: options.jobLimits ?? {} })
  feed.onBatch(({ rows, large }) => (large !== null || rows.some(({ op }) => op === 'j')) && worker.wake())
  const drift = createDrift({ ...parts, relations })
  const mutating: MutateDeps = {
    ...parts,
    isFit: async () => {
      await drift.look().catch(() => {})
      return drift.troubles().size === 0
    },
    access,
    grants: grantsNow(grants, relations),
    names: namesOf(schema, parts.serverSchema),
    measures: parts.metrics,
  }
  const slots = createSlots(limits.loadTurnsMax[database.kind])
  const sessions = createSessions({
    ...mutating,
    feed,
    hub,
    grantReader: regranting.reader,
    sets: createColumnSets(schema),
    slots,
    troubles: drift.troubles,
    identity,
    ...createMemory({ feed, schema, bytesMax: parts.logLimits.recentBytes }),
  })
  const operations = createOperations({ ...parts, identity, feed, hub, sessions, slots, token: options.metrics?.token })
  const http = createHttp({
    ...mutating,
    origins: options.origins ?? [],
    authenticate: ({ request, target }) => transport.authenticated({ url: target, headers: request.headers }),
    troubles: drift.troubles,
    openapi: JSON.stringify(openapiOf(schema, access, { ...parts.mutators, ...parts.serverMutators })),
    onCommitted: feed.wake,
  })
  const transport: Transport = createTransport({
    clock: parts.clock,
    chance: parts.chance,
    origins: options.origins ?? [],
    authenticate: options.authenticate,
    onConnection: sessions.open,
    answer: (request) => operations.answer(request) ?? http.answer(request),
    onTrouble: parts.onTrouble,
  })
  worker.wake()
  return {
    database,
    identity,
    jobs: createJobs(database),
    isNew: installed.isNew,
    listen: transport.listen,
    attach: transport.attach,
    connect: transport.connect,
    level: async () => {
      do await feed.reach()
      while ([...hub.members()].some((subscriber) => subscriber.needsEveryBatch()))
    },
    status: async () => ({
      ...(await readStatus(database)),
      connected: { devices: [...hub.members()].length, people: hub.people().size },
      regranted: regranting.count(),
      unknownJobs: worker.unknown(),
    }),
    holders: (kind, key) => regranting.reader.holders(database, kind, key),
    grantsOf: (user) => regranting.reader.grantsOf(database, user),
    explain: createExplain({ database, schema, access, grants, relations }),
    close: async () => {
      operations.drain()
      regranting.stop()
      await drift.stop()
      transport.stop()
      await sessions.close()
      await http.close()
      await transport.close()
      await worker.stop()
      await pruner.stop()
      await operations.stop()
      await feed.stop()
      await database.close()
    },
  }
}

const systemClock: Clock = {
  now: () => Date.now(),
  timer: (afterMs, run) => {
    const timer = setTimeout(run, afterMs)
    return () => clearTimeout(timer)
  },
}

const systemChance: Chance = { bytes: (length) => randomBytes(length) }
