// What a trial is tried on: a server, a device that writes and remembers what it was told is final, and a database behind a proxy.
import { createMemoryDisks } from '@headwater/client/node'
import { adoptDatabase, type Database } from '@headwater/server'
import { startServer, type TestServer } from '../harness/app.ts'
import { type Device, openDevice } from '../harness/device.ts'

/** What became of the server after something happened to its database. */
export interface Found {
  /** Why it serves nobody; null: it serves. */
  readonly held: string | null
  /** Mutations that the device was told are final and the database does not have. */
  readonly missing: number
  /** Anything of the device in a database that was held. */
  readonly written: number
  /** After it was declared a failover: what was missing is back, each once. null: it was not held. */
  readonly isBack: boolean | null
}

export interface World {
  server(): TestServer
  /** Starts the server, or starts it again, on the same memory. */
  start(): Promise<void>
  stopServer(): Promise<void>
  /** Inserts rows by the device, one after the other; resolves when all are final. */
  work(rows: number): Promise<void>
  /** The same, without waiting: what is never final is no promise. */
  workOn(rows: number): void
  /** Forgets what was promised: it is another database's. */
  forget(): void
  find(): Promise<Found>
  close(): Promise<void>
}

export interface WorldDeps {
  readonly open: () => Promise<Database>
  /** A database of the keeper's own sessions, for the decision. */
  readonly openBeside: () => Promise<Database>
  readonly stateDirectory: () => string
}

/** Noticing takes a second; a machine on which much else runs takes its time. */
const foundMsMax = 120_000

export function createWorld({ open, openBeside, stateDirectory }: WorldDeps): World {
  const memory = createMemoryDisks()
  // A disk is named after its server's address, and a server that starts again has another port.
  const disks = { ...memory, open: () => memory.open('device') }
  const promised = new Set<string>()
  const troubles: string[] = []
  let server: TestServer | null = null
  let device: Device | null = null

  async function start(): Promise<void> {
    server = await startServer(await open(), { stateDirectory: stateDirectory(), onTrouble: (error) => troubles.push(String(error)) })
    device = openDevice({ url: server.url, user: 'ada', disks })
    await device.ready
  }

  async function stopServer(): Promise<void> {
    await device?.close()
    await server?.close()
    device = null
    server = null
  }

  function insert(title: string): Promise<unknown> {
    const id = crypto.randomUUID()
    const made = device?.mutate.projects.insert({ id, ownerId: 'ada', title })
    return (made?.confirmed ?? Promise.resolve(null)).then((outcome) => {
      if (outcome?.type === 'applied') promised.add(id)
    })
  }

  async function beside<T>(run: (database: Database) => Promise<T>): Promise<T> {
    const database = await openBeside()
    return run(database).finally(() => database.close())
  }

  const stored = (database: Database) =>
    database.query('select id::text as id from projects').then(
      (rows) => new Set(rows.map(({ id }) => String(id))),
      () => new Set<string>(),
    )
  const missingOf = (ids: ReadonlySet<string>) => [...promised].filter((id) => !ids.has(id)).length

  /** Held, or serving: told by what a device that asks is told. */
  async function settled(): Promise<string | null> {
    const probe = insert('probe')
    let isServing = false
    probe.then(() => {
      isServing = true
    })
    for (const giveUpAt = performance.now() + foundMsMax; performance.now() < giveUpAt; ) {
      const held = server?.held()?.kind
      if (held) return held
      if (isServing) return null
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
    throw new Error(`neither held nor serving: ${JSON.stringify([device?.status.get(), [...new Set(troubles)].slice(-12)])}`)
  }

  async function find(): Promise<Found> {
    const before = await beside(stored)
    const held = await settled()
    if (held === null) return { held, missing: missingOf(await beside(stored)), written: 0, isBack: null }
    const ids = await beside(stored)
    const found = { held, missing: missingOf(ids), written: [...ids].filter((id) => !before.has(id)).length }
    if (held !== 'rewound' && held !== 'dump') return { ...found, isBack: null }
    await device?.close()
    await beside((database) => adoptDatabase(database, 'failover'))
    await untilServed()
    // A device that was told that it is held waits for half a minute; one that starts does not.
    device = openDevice({ url: server?.url ?? '', user: 'ada', disks })
    if ((await settled()) !== null) return { ...found, isBack: false }
    return { ...found, isBack: missingOf(await beside(stored)) === 0 }
  }

  async function untilServed(): Promise<void> {
    for (const giveUpAt = performance.now() + foundMsMax; !(await isReady()); ) {
      if (performance.now() > giveUpAt) throw new Error(`not served after it was decided: ${[...new Set(troubles)].slice(-5).join(' | ')}`)
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
  }

  const isReady = async () => (await fetch(`${server?.url}/headwater/ready`)).status === 200

  return {
    server: () => {
      if (server === null) throw new Error('There is no server.')
      return server
    },
    start,
    stopServer,
    work: async (rows) => {
      for (let row = 0; row < rows; row++) await insert(`row ${row}`)
    },
    workOn: (rows) => {
      for (let row = 0; row < rows; row++) void insert(`row ${row}`)
    },
    forget: () => promised.clear(),
    find,
    close: stopServer,
  }
}
