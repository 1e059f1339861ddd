import { HeadwaterError } from '@headwater/protocol'
import type { Mutators, Schema } from '@headwater/schema'
import { type Clock, createServer, type Database, type Parameter, type Server, type ServerOptions, type SharedOf, type SqlRow, sql } from '@headwater/server'
import { createDevice, type Device, type DeviceOptions, type TestDevice } from './device.ts'
import { takeGround } from './ground.ts'
import { settled, settleMsMax, started } from './settled.ts'

type Given<S extends Schema, M extends Mutators<SharedOf<S>>> = Omit<
  ServerOptions<S, M>,
  'authenticate' | 'database' | 'directory' | 'origins' | 'onTrouble' | 'ports'
>

export interface TestAppOptions<S extends Schema, M extends Mutators<SharedOf<S>>> extends Given<S, M> {
  /** Default: a device's person is the one that it was opened for. */
  readonly authenticate?: ServerOptions<S, M>['authenticate']
  /** Runs before each start of the server, on a database without rows: makes tables that the schema does not have, where they are missing. */
  readonly prepare?: (database: Database) => Promise<void>
  /** Runs after each start of the server: the rows that every test begins with. */
  readonly seed?: (database: Database) => Promise<void>
  /** The clock of server and devices, instead of the real one; the database keeps its own. See `createTestClock`. */
  readonly clock?: Clock
  /** How long `device`, `restart` and `settled` wait before they reject. Default: 4,000. */
  readonly settleMsMax?: number
}

export interface TestApp<S extends Schema, M extends Mutators<SharedOf<S>>> {
  /** A device of a person; called again, another one. Resolves when it is level, or has started if it is offline. Rejects if it cannot be. */
  device(user: string, options?: DeviceOptions): Promise<TestDevice<SharedOf<S>, M>>
  /**
   * Resolves when everything that was made on the devices with a network is confirmed, and each of them is level with all that is
   * committed in the database. Rejects after `settleMsMax` with `not-settled`, saying which device is not.
   */
  settled(): Promise<void>
  /** Runs SQL as psql would: no rules are asked, and devices hear of it. Values become parameters. */
  sql(parts: TemplateStringsArray, ...values: readonly Parameter[]): Promise<readonly SqlRow[]>
  readonly database: Database
  readonly server: Server
  /** What went wrong in the server or inside a device, oldest first. Take out what you expected: what is left makes `close` throw. */
  readonly troubles: unknown[]
  /** Closes the devices, takes every row, and starts the server again, as if the app had been made just now. */
  reset(): Promise<void>
  /** Closes devices and server. Throws `trouble` if something is left in `troubles`. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const userHeader = 'headwater-test-user'

/**
 * The app as its own tests need it: a real server on an embedded database, and real clients, connected to it inside this process. The
 * first one of a process takes about a second, those after it some milliseconds: make one for each test.
 *
 *     await using app = await createTestApp({ schema, access, mutators, grants })
 *     const ada = await app.device('ada')
 */
export async function createTestApp<S extends Schema, const M extends Mutators<SharedOf<S>> = Record<never, never>>(
  options: TestAppOptions<S, M>,
): Promise<TestApp<S, M>> {
  const { clock, schema, mutators } = options
  // What devices load of it: the whole, unless withServerColumns made it.
  const shared = ('shared' in schema ? schema.shared : schema) as SharedOf<S>
  const ports = clock ? { clock } : {}
  const msMax = options.settleMsMax ?? settleMsMax
  const ground = await takeGround(schema)
  const troubles: unknown[] = []
  const onTrouble = (error: unknown) => void troubles.push(error)
  let devices: Device<SharedOf<S>, M>[] = []
  let server: Server
  let closing: Promise<void> | null = null

  async function start(): Promise<void> {
    await ground.empty()
    await options.prepare?.(ground.database)
    server = await createServer({ ...options, database: ground.database, authenticate: options.authenticate ?? personOf, onTrouble, ports })
    await options.seed?.(ground.database)
  }

  async function stop(): Promise<void> {
    const closed = devices
    devices = []
    await Promise.all(closed.map((device) => device.close()))
    await server.close()
  }

  async function open(user: string, { offline = false, headers = {}, eviction, presence }: DeviceOptions = {}): Promise<TestDevice<SharedOf<S>, M>> {
    const mine = server
    const request = { url: '/headwater/socket', headers: new Headers({ [userHeader]: encodeURIComponent(user), ...headers }) }
    const device = createDevice<SharedOf<S>, M>({
      name: `device ${devices.length + 1} of ${user}`,
      client: { schema: shared, access: options.access, user, ...(mutators && { mutators }), ...(eviction && { eviction }) },
      ports,
      presence,
      isOnline: !offline,
      accept: (connection) => mine.connect(request, connection),
      started: (one) => started(one, msMax),
      onTrouble,
    })
    devices.push(device)
    await started(device, msMax)
    return device.shown
  }

  async function close(): Promise<void> {
    await stop()
    ground.release()
    if (troubles.length > 0) throw troubleOf(troubles)
  }

  try {
    await start()
  } catch (error) {
    ground.release()
    throw error
  }
  const app: TestApp<S, M> = {
    device: open,
    settled: () =>
      settled(
        () => devices,
        () => server.level(),
        msMax,
      ),
    sql: async (parts, ...values) => {
      const { text, parameters } = sql(parts, ...values)
      return ground.database.query(text, parameters)
    },
    database: ground.database,
    get server() {
      return server
    },
    troubles,
    reset: async () => {
      await stop()
      await start()
    },
    close: () => {
      closing ??= close()
      return closing
    },
    [Symbol.asyncDispose]: () => app.close(),
  }
  return app
}

const personOf: ServerOptions['authenticate'] = ({ headers }) => {
  const user = headers.get(userHeader)
  return user === null ? null : decodeURIComponent(user)
}

function troubleOf(troubles: readonly unknown[]): HeadwaterError {
  const messages = troubles.map((error) => (error instanceof Error ? error.message : String(error)))
  const hint = 'Take those that the test expects out of app.troubles before it closes the app.'
  return new HeadwaterError('trouble', `The app had ${messages.length} troubles: ${messages.join(' | ')}`, hint, { cause: troubles[0], troubles })
}
