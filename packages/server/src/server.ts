// Puts the parts together. What happens is in them.
import { randomBytes } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import { type Down, encode, HeadwaterError } from '@headwater/protocol'
import { checkSchema, type Mutators, type Schema } from '@headwater/schema'
import type { AuthenticateRequest, Server, ServerOptions } from './api.ts'
import { openDatabase } from './database/open.ts'
import { checkLogLimits } from './feed/prune.ts'
import type { HttpRequest } from './http/http.ts'
import { problem, problemResponse } from './http/problem.ts'
import { type Finding, serverHint } from './identity/judge.ts'
import { createKeeper, type Keeper } from './identity/keeper.ts'
import { createStateFolder } from './identity/stateFolder.ts'
import { declaredOf } from './install/declare.ts'
import { install } from './install/install.ts'
import { createJobs } from './jobs/jobs.ts'
import { createLife, type Life } from './life.ts'
import { ownMutators } from './mutate/own.ts'
import { createMetrics } from './operations/measures.ts'
import type { Chance, Clock, Connection, ConnectionEvents, Database } from './ports.ts'
import type { SharedOf } from './serverColumns.ts'
import { startService } from './service.ts'
import { authenticated } from './session/caller.ts'
import { createTold } from './session/told.ts'
import { readStatus } from './status.ts'
import { createTransport, type Transport } from './transport/transport.ts'

/**
 * Opens the database, installs what is missing and starts to follow the log. Rejects with what is wrong and what to do. A database that is not the one that it was, as far as
 * `stateDirectory` tells, is held: the server starts and serves nobody until somebody has said what it is.
 */
export async function createServer<S extends Schema, M extends Mutators<SharedOf<S>>>(options: ServerOptions<S, M>): Promise<Server> {
  const declared = checkOptions(options)
  const clock = options.ports?.clock ?? systemClock
  const chance = options.ports?.chance ?? systemChance
  const metrics = createMetrics()
  const onTrouble = (error: unknown) => {
    metrics.trouble(error)
    options.onTrouble?.(error)
  }
  const directory = options.directory ?? '.headwater/database'
  const database = await openDatabase(options.database, directory, options.directUrl)
  const keeper: Keeper = createKeeper({
    ...memoryOf(options, database, directory),
    place: database.place,
    onTrouble,
    onOther: (finding) => life.turn(finding),
    onOtherServer: () => life.running()?.feed.reopen(),
  })
  const told = createTold()
  const whoIs = (request: AuthenticateRequest) => authenticated({ authenticate: options.authenticate, clock, told, onTrouble }, request)
  const parts = { ...declared, database, keeper, clock, chance, metrics, told, onTrouble }
  const life: Life = createLife({
    keeper,
    clock,
    onTrouble,
    begin: async () => {
      database.guard(keeper.check)
      const installed = await install(database, declared, options.grants)
      const authenticate = async ({ request, target }: HttpRequest) => (await whoIs({ url: target, headers: request.headers })).user
      return startService(options, { ...parts, installed, authenticate })
    },
  })
  const transport = createTransport({
    clock,
    chance,
    origins: options.origins ?? [],
    authenticated: whoIs,
    onConnection: (connection, caller) => life.running()?.open(connection, caller) ?? refuse(connection, life.finding()),
    answer: (request) => ownAnswer(request, life) ?? life.running()?.answer(request) ?? null,
    onTrouble,
  })
  try {
    await life.start()
  } catch (error) {
    await database.close()
    throw error
  }
  return serverOf(database, life, transport)
}

/** A database that the app has opened itself is remembered only where the app says where. */
function memoryOf(
  { stateDirectory, database: given, directory: named }: Pick<ServerOptions, 'stateDirectory' | 'database' | 'directory'>,
  { place }: Database,
  directory: string,
) {
  const isGiven = typeof given === 'object'
  // Not the folder above one that somebody named: it is theirs.
  const usual = isGiven || place === null ? undefined : named === undefined ? dirname(directory) : `${directory}.state`
  const path = stateDirectory ?? usual
  const memory = place === null || path === undefined ? null : createStateFolder(path)
  // Who removes an embedded database from beside what is remembered of it wants another; elsewhere it may be a disk that is not there.
  const isBeside = place?.node != null && path !== undefined && [resolve(path), dirname(resolve(path))].includes(dirname(place.text))
  return { memory, mayBeNew: isBeside }
}

function serverOf(database: Database, life: Life, transport: Transport): Server {
  const first = life.running()
  return {
    database,
    get identity() {
      return life.service().identity
    },
    held: life.finding,
    jobs: createJobs(database),
    isNew: first?.isNew ?? false,
    listen: transport.listen,
    attach: transport.attach,
    connect: transport.connect,
    level: async () => life.service().level(),
    status: async () => {
      const service = life.service()
      return { ...(await readStatus(database)), ...service.counts() }
    },
    holders: async (kind, key) => life.service().holders(kind, key),
    grantsOf: async (user) => life.service().grantsOf(user),
    authenticateAgain: async (user) => life.service().authenticateAgain(user),
    page: async (user, queries) => life.service().page(user, queries),
    get explain() {
      return life.service().explain
    },
    close: async () => {
      transport.stop()
      await life.close()
      await transport.close()
      await database.close()
    },
  }
}

/** Nobody is served. */
function refuse(connection: Connection, finding: Finding | null): ConnectionEvents {
  const failure: Down =
    finding === null
      ? { type: 'failure', code: 'unavailable', message: 'The database is served anew.', hint: 'The device connects again by itself.' }
      : { type: 'failure', code: 'held', message: 'The database is not the one that it was.', hint: serverHint }
  connection.send(encode(failure))
  connection.close()
  return { onMessage: () => {}, onClose: () => {} }
}

/** What a server answers without a database to serve. Where it stands and what it is is for its keeper, and not for whoever asks. */
function ownAnswer({ target }: HttpRequest, life: Life): Response | null {
  const path = target.split('?', 1)[0] ?? ''
  if (life.running() || !path.startsWith('/headwater/')) return null
  const finding = life.finding()
  const [code, message] = finding ? ['held', 'The database is not the one that it was.'] : ['unavailable', 'The database is served anew.']
  const headers = { 'cache-control': 'no-store' }
  // The process lives: to start it again would not help.
  if (path === '/headwater/health') return Response.json({ ok: true, database: null, held: finding?.kind ?? null }, { headers })
  if (path === '/headwater/ready')
    return Response.json({ ready: false, database: null, reasons: [{ code, message, hint: serverHint }] }, { status: 503, headers })
  return problemResponse(problem(503, code, message, finding ? serverHint : 'Send it again.', { retryMs: finding ? 30_000 : 1_000 }))
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
  // What each takes was checked where they were given.
  const own = ownMutators(serverMutators as Parameters<typeof ownMutators>[0], mutators)
  const declared = declaredOf(options)
  return { ...declared, mutators, serverMutators: own, logLimits: checkLogLimits(options.log) }
}

const systemClock: Clock = {
  now: () => Date.now(),
  timer: (afterMs, run) => {
    const timer = setTimeout(run, afterMs)
    return () => clearTimeout(timer)
  },
}

const systemChance: Chance = { bytes: (length) => randomBytes(length) }
