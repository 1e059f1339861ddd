// The port of the database as one server has it: the real SQL on the simulated PostgreSQL, with everything in between that may go wrong.
import type { HeadwaterError } from '@headwater/protocol'
import { connectionFailure, sqlFailure } from '../../packages/server/src/database/failure.ts'
import type { Session } from '../../packages/server/src/database/session.ts'
import type { Database, Query, SqlRow, TailSession, Transaction } from '../../packages/server/src/ports.ts'
import type { Random } from '../harness/generated/random.ts'
import { delayOf } from './chance.ts'
import type { Points } from './points.ts'
import type { Owner, Time } from './time.ts'

/** What is wrong with the database, for everybody. */
export interface DatabaseTrouble {
  isDown: boolean
  isReadOnly: boolean
  /** Of a statement, one way. */
  slowMs: number
  /** The same of those that read the log, besides. */
  lagMs: number
}

/** What happens to one server's next transaction that writes. `lost-before` and `lost-after`: the connection, before the commit was carried out and after it. */
export type Mishap = 'lost-before' | 'lost-after' | '40001' | '40P01' | '57014' | '53300' | '25006'

/** The PostgreSQL that a run is on. */
export interface Postgres<Kept = unknown> {
  readonly kind: 'pglite' | 'native'
  /** As one server has it, or psql, which is `nobody`. */
  open(world: DatabaseWorld, owner: Owner, random: Random): Promise<SimulatedDatabase>
  /** A question of the simulation's own, which nothing comes between. */
  ask(text: string): Promise<readonly SqlRow[]>
  /** Several, of one state of it. */
  look(texts: readonly string[]): Promise<readonly (readonly SqlRow[])[]>
  /** Resolves when everything is answered that was asked, or waits for somebody who waits for time to go on. */
  rest(): Promise<void>
  /** How often it was asked something. */
  statements(): number
  /** What it holds, to be put back, maybe often. */
  take(): Promise<Kept>
  /** It is what it was, started anew at `startedMs`, as a PostgreSQL that was restored. */
  putBack(kept: Kept, startedMs: number): Promise<void>
  /** It takes writes, or refuses them from now on. */
  setReadOnly(isReadOnly: boolean): Promise<void>
  close(): Promise<void>
}

export interface DatabaseWorld {
  readonly time: Time
  readonly points: Points
  readonly trouble: DatabaseTrouble
  /** Those who are told of commits. */
  readonly wakes: Set<() => void>
}

export interface SimulatedDatabase extends Database {
  /** The next transactions that write meet these, one each. */
  readonly mishaps: Mishap[]
  /** Every session is lost. */
  lose(): void
  /** The same while the tail waits for the answer to its next statement. */
  loseInTheMiddle(): void
  /** What was to go wrong and has not, does not. */
  calm(): void
  /** The process that had it is dead. */
  die(): void
}

export class Dead extends Error {}

/** A process's way to the database and back, and what is to go wrong on it. Nobody hears what becomes of it when the process is dead. */
export function createWay({ time, points, trouble }: DatabaseWorld, owner: Owner, random: Random, isClosed: () => boolean) {
  const never = () => new Promise<never>(() => {})
  const mishaps: Mishap[] = []
  let isLosing = false
  const planned: Pick<SimulatedDatabase, 'place' | 'mishaps' | 'loseInTheMiddle' | 'calm'> = {
    place: { text: 'postgres://simulation/app', node: null },
    mishaps,
    loseInTheMiddle: () => {
      isLosing = true
    },
    calm: () => {
      isLosing = false
      mishaps.length = 0
    },
  }
  return {
    planned,
    /** Whether connections are to be lost in the middle of what begins now: once. */
    isToLose: () => {
      const was = isLosing
      isLosing = false
      return was
    },
    travel: async (point: string): Promise<void> => {
      if (points.pass(owner, point)) return never()
      await time.pause(owner, delayOf(random, 0.05, 2) + trouble.slowMs + (point.startsWith('tail') ? trouble.lagMs : 0))
      if (isClosed()) throw connectionFailure('it was closed')
      if (trouble.isDown) throw connectionFailure('the server does not answer')
    },
    arrive: async <T>(answer: Promise<T>, point: string): Promise<T> => {
      const settled = await answer.then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      )
      if (owner.isDead) return never()
      await time.pause(owner, delayOf(random, 0.05, 2))
      if (points.pass(owner, `${point}.answered`)) return never()
      if ('error' in settled) throw settled.error
      return settled.value
    },
  }
}

/** Whoever has a turn has the session alone until they are done. */
export type Turn = <T>(body: (session: Session) => Promise<T>) => Promise<T>

/** A server's own sessions: they end with it. */
export function openInTurns(world: DatabaseWorld, turn: Turn, owner: Owner, random: Random): SimulatedDatabase {
  const { time, points, trouble } = world
  const tails = new Set<(error: unknown) => void>()
  let check: ((query: Query) => Promise<void>) | null = null
  let isChecked = true
  let isClosed = false
  const { travel, arrive, planned, isToLose } = createWay(world, owner, random, () => isClosed)

  /** A new session is judged before anybody gets it. */
  async function pass(session: Session): Promise<void> {
    if (isChecked) return
    await check?.((text, parameters) => session.queryOnce(text, parameters))
    isChecked = true
  }

  async function call<T>(point: string, isWriting: boolean, body: (session: Session, mishap: Mishap | undefined) => Promise<T>): Promise<T> {
    await travel(point)
    const mishap = isWriting ? planned.mishaps.shift() : undefined
    const answer = turn(async (session) => {
      if (owner.isDead) throw new Dead()
      await pass(session)
      if (isWriting && trouble.isReadOnly) throw refusal('25006')
      if (mishap === 'lost-before') throw lost()
      if (mishap && mishap !== 'lost-after') throw refusal(mishap)
      const value = await body(session, mishap)
      if (mishap === 'lost-after') throw lost()
      return value
    })
    return arrive(
      answer.finally(() => isWriting && wake()),
      point,
    )
  }

  function lost(): HeadwaterError {
    isChecked = check === null
    return connectionFailure('it was cut')
  }

  function loseAll(): void {
    isToLose()
    lost()
    for (const run of [...tails]) run(connectionFailure('it was cut'))
  }

  function wake(): void {
    for (const run of world.wakes) run()
  }

  /** Each statement travels on its own, and everybody else waits: the last thing that may go wrong is between it and the commit. */
  function travelling(transaction: Transaction): Transaction {
    const step = async <T>(point: string, body: () => Promise<T>): Promise<T> => {
      if (points.pass(owner, `database.transaction.${point}`)) throw new Dead()
      await time.pause(steady, delayOf(random, 0.05, 1))
      if (owner.isDead) throw new Dead()
      return body()
    }
    return {
      query: (text, parameters) => step('query', () => transaction.query(text, parameters)),
      stream: (text, parameters, onRows) => step('stream', () => transaction.stream(text, parameters, onRows)),
      execute: (script) => step('execute', () => transaction.execute(script)),
    }
  }

  /** A dead process's statement still has to end, so that the next turn begins. */
  const steady: Owner = { name: owner.name, isDead: false, isFrozen: false }

  async function openTail(): Promise<TailSession> {
    await travel('tail.open')
    const mine = new Set<() => void>()
    const lostTail = new Set<(error: unknown) => void>()
    let failure: HeadwaterError | null = null
    const lose = () => {
      failure ??= connectionFailure('the tail was cut')
      for (const run of mine) world.wakes.delete(run)
      for (const run of [...lostTail]) run(failure)
      lostTail.clear()
      tails.delete(lose)
    }
    tails.add(lose)
    const tailCall = async <T>(point: string, body: (session: Session) => Promise<T>): Promise<T> => {
      if (failure) throw failure
      await travel(point)
      if (isToLose()) loseAll()
      const value = await arrive(turn(body), point)
      if (failure) throw failure
      return value
    }
    return {
      isDirect: true,
      query: (text, parameters = []) => tailCall('tail.query', (session) => session.queryOnce(text, parameters)),
      read: (run) => tailCall('tail.read', (session) => session.transaction('read', (transaction) => run(travelling(transaction)))),
      onWake: async (_, run) => {
        const woken = () => void time.timer(owner, delayOf(random, 0.1, 3), () => run(''))
        mine.add(woken)
        world.wakes.add(woken)
      },
      onLost: (run) => (failure ? run(failure) : void lostTail.add(run)),
      close: async () => {
        lostTail.clear()
        lose()
      },
    }
  }

  return {
    ...planned,
    kind: 'embedded',
    lose: loseAll,
    die: () => {},
    guard: (next) => {
      check = next
      isChecked = false
    },
    query: (text, parameters = []) => call('database.query', true, (session) => session.query(text, parameters)),
    execute: (script) => call('database.execute', true, (session) => session.execute(script)),
    batch: (statements) => call('database.batch', true, (session) => session.batch(statements)),
    transaction: (mode, run) =>
      call('database.transaction', mode !== 'read', (session) =>
        session.transaction(mode, async (transaction) => {
          const value = await run(travelling(transaction))
          if (points.pass(owner, 'database.commit')) throw new Dead()
          return value
        }),
      ),
    openTail,
    close: async () => {
      isClosed = true
      for (const run of [...tails]) run(connectionFailure('it was closed'))
    },
  }
}

export const words: Readonly<Record<string, string>> = {
  '40001': 'could not serialize access due to concurrent update',
  '40P01': 'deadlock detected',
  '57014': 'canceling statement due to statement timeout',
  '53300': 'sorry, too many clients already',
  '25006': 'cannot execute INSERT in a read-only transaction',
}

const refusal = (sqlstate: string) => sqlFailure({ sqlstate, message: words[sqlstate] ?? sqlstate })
