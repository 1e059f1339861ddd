// A server process of the simulation: the real server on ports of its own, which dies and starts again.
import { createServer, type Server } from '@headwater/server'
import { bytesOf, randomOf } from './chance.ts'
import type { DatabaseWorld, Postgres, SimulatedDatabase } from './database.ts'
import type { Host, Network } from './network.ts'
import type { SignedIn } from './signed-in.ts'
import type { Owner } from './time.ts'
import type { Workload } from './workloads/workload.ts'

export interface SimulatedServer {
  readonly name: string
  readonly host: Host
  /** null: it is not running. */
  server(): Server | null
  database(): SimulatedDatabase | null
  start(): void
  kill(): void
  stop(): Promise<void>
}

interface ServerDeps extends DatabaseWorld {
  readonly postgres: Postgres
  readonly workload: Workload
  readonly seed: number
  readonly network: () => Network
  readonly isShort: boolean
  readonly signedIn: SignedIn
  readonly onTrouble: (error: unknown) => void
}

const userHeader = 'x-user'

export function createSimulatedServer(deps: ServerDeps, name: string): SimulatedServer {
  const { time, points, workload, seed } = deps
  let owner: Owner = { name, isDead: true, isFrozen: false }
  let running: Server | null = null
  let database: SimulatedDatabase | null = null
  let starts = 0

  function start(): void {
    if (!owner.isDead) return
    starts++
    const mine: Owner = { name, isDead: false, isFrozen: false }
    owner = mine
    void open(mine)
  }

  /** Until the database is there. */
  async function open(mine: Owner): Promise<void> {
    while (!mine.isDead) {
      const random = randomOf(seed, `${name} ${starts} ${time.now()}`)
      const mineToo = await deps.postgres.open(deps, mine, random)
      if (mine.isDead) return mineToo.die()
      database = mineToo
      try {
        const opened = await createServer({
          ...workload,
          database: mineToo,
          authenticate: ({ headers }) => deps.signedIn.authenticate(headers.get(userHeader)),
          onTrouble: deps.onTrouble,
          ...(deps.isShort && { log: { recentBytes: 0 } }),
          ports: {
            clock: { now: () => time.now(), timer: (afterMs, run) => time.timer(mine, afterMs, run) },
            chance: { bytes: (length) => bytesOf(random, length) },
          },
        })
        if (!mine.isDead) running = opened
        return
      } catch (error) {
        deps.onTrouble(error)
        mineToo.die()
        await time.pause(mine, 500)
      }
    }
  }

  return {
    name,
    host: {
      get owner() {
        return owner
      },
      connect: async (connection, person) => {
        if (!running) throw new Error('It does not listen.')
        return running.connect({ url: '/headwater/socket', headers: new Headers({ [userHeader]: person }) }, connection)
      },
    },
    server: () => running,
    database: () => database,
    start,
    kill: () => {
      owner.isDead = true
      database?.die()
      running = null
      points.disarm(owner)
      deps.network().cut(owner, false)
    },
    stop: async () => {
      const stopping = running
      const mine = owner
      if (!stopping) return
      await stopping.close().catch(deps.onTrouble)
      if (mine.isDead) return
      mine.isDead = true
      running = null
      deps.network().cut(mine, false)
    },
  }
}
