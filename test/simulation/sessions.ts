// The port of the database as one server has it on a real PostgreSQL: the server's own pool and tail, through a proxy that can be cut at any byte, and with everything else in
// between that may go wrong.
import { setTimeout as realPause } from 'node:timers/promises'
import { openPostgres } from '../../packages/server/src/database/postgres.ts'
import type { TailSession, Transaction } from '../../packages/server/src/ports.ts'
import type { Random } from '../harness/generated/random.ts'
import { openProxy } from '../harness/proxy.ts'
import type { Asked } from './asked.ts'
import { delayOf } from './chance.ts'
import { createWay, type DatabaseWorld, Dead, type Mishap, type SimulatedDatabase, words } from './database.ts'
import { nobody } from './network.ts'
import type { Owner } from './time.ts'

export interface Server {
  readonly asked: Asked
  readonly port: number
  /** The database, by way of that port, for sessions of this name. */
  addressOf(port: number, application: string): string
  /** pg_terminate_backend for all sessions of this name. */
  end(application: string): Promise<void>
}

let opened = 0

/** Between two statements of a transaction, so that many are open at once and end in any order. */
const serverMsMax = 40
const psqlMsMax = 500

export async function openInSessions(world: DatabaseWorld, owner: Owner, random: Random, server: Server): Promise<SimulatedDatabase> {
  const { time, points } = world
  const { asked } = server
  const application = `${owner.name} ${++opened}`
  const proxy = await openProxy(server.port)
  const real = await openPostgres(server.addressOf(proxy.port, application))
  let isClosed = false
  const { travel, arrive, planned, isToLose } = createWay(world, owner, random, () => isClosed)
  /** The process may be dead: its transaction still has to end. */
  const steady: Owner = { name: owner.name, isDead: false, isFrozen: false }
  const between = () => time.pause(steady, owner === nobody ? random.int(psqlMsMax) : delayOf(random, 0.05, serverMsMax))

  async function call<T>(point: string, isWriting: boolean, body: (mishap: Mishap | undefined) => Promise<T>): Promise<T> {
    await travel(point)
    const mishap = isWriting ? planned.mishaps.shift() : undefined
    return arrive(
      asked.real(() => {
        if (owner.isDead) throw new Dead()
        return body(mishap)
      }),
      point,
    )
  }

  /** The connection that says it next is cut: before the database hears of it, or before it answers. */
  function cutAt(what: string, mishap: Mishap | undefined): void {
    const isIt = (bytes: Buffer) => bytes.includes(what)
    const once = (way: 'onUp' | 'onSent') => {
      proxy[way] = (bytes) => {
        if (!isIt(bytes)) return false
        proxy[way] = () => false
        return true
      }
    }
    if (mishap === 'lost-before') once('onUp')
    if (mishap === 'lost-after') once('onSent')
  }

  function loseAll(): void {
    if (random.is(0.5)) proxy.cut()
    else void asked.surely(() => server.end(application)).catch(() => {})
  }

  /** Each statement travels on its own, and so does the commit. */
  function travelling(transaction: Transaction): Transaction {
    const step = async <T>(point: string, body: () => Promise<T>): Promise<T> => {
      if (points.pass(owner, `database.transaction.${point}`)) throw new Dead()
      await between()
      if (owner.isDead) throw new Dead()
      return asked.real(body)
    }
    return {
      query: (text, parameters) => step('query', () => transaction.query(text, parameters)),
      stream: (text, parameters, onRows) => step('stream', () => transaction.stream(text, parameters, (rows) => asked.ours(async () => onRows(rows)))),
      execute: (script) => step('execute', () => transaction.execute(script)),
    }
  }

  async function openTail(): Promise<TailSession> {
    await travel('tail.open')
    const tail = await arrive(asked.real(real.openTail), 'tail.open')
    const tailCall = async <T>(point: string, body: () => Promise<T>): Promise<T> => {
      await travel(point)
      const answer = asked.real(body)
      if (isToLose()) {
        answer.catch(() => {})
        // The statement is on its way, or at work.
        await asked.real(() => realPause(random.int(2)))
        loseAll()
      }
      return arrive(answer, point)
    }
    return {
      isDirect: tail.isDirect,
      query: (text, parameters = []) => tailCall('tail.query', () => tail.query(text, parameters)),
      read: (run) => tailCall('tail.read', () => tail.read((transaction) => asked.ours(() => run(travelling(transaction))))),
      onWake: (channel, run) => asked.real(() => tail.onWake(channel, (payload) => void time.timer(owner, delayOf(random, 0.1, 3), () => run(payload)))),
      onLost: (run) => tail.onLost((error) => owner.isDead || run(error)),
      close: tail.close,
    }
  }

  return {
    ...planned,
    kind: 'postgres',
    lose: loseAll,
    calm: () => {
      planned.calm()
      proxy.onUp = proxy.onSent = () => false
    },
    die: () => {
      isClosed = true
      void proxy.close()
      real.close().catch(() => {})
    },
    guard: real.guard,
    query: (text, parameters = []) =>
      call('database.query', true, (mishap) => {
        cutAt('', mishap)
        return isError(mishap) ? real.query(raising(mishap)) : real.query(text, parameters)
      }),
    execute: (script) => call('database.execute', true, () => real.execute(script)),
    batch: (statements) =>
      call('database.batch', true, (mishap) => {
        cutAt('commit', mishap)
        return real.batch([...(isError(mishap) ? [{ text: raising(mishap), parameters: [] }] : []), ...statements])
      }),
    transaction: (mode, run) =>
      call('database.transaction', mode !== 'read', (mishap) =>
        real.transaction(mode, (transaction) =>
          asked.ours(async () => {
            const value = await run(travelling(transaction))
            await between()
            if (points.pass(owner, 'database.commit')) throw new Dead()
            if (isError(mishap)) await asked.real(() => transaction.query(raising(mishap)))
            cutAt('commit', mishap)
            return value
          }),
        ),
      ),
    openTail,
    close: async () => {
      isClosed = true
      await real.close().finally(proxy.close)
    },
  }
}

type Raised = Exclude<Mishap, 'lost-before' | 'lost-after'>
const isError = (mishap: Mishap | undefined): mishap is Raised => mishap !== undefined && !mishap.startsWith('lost')

const raising = (sqlstate: Raised) => `do $$ begin raise exception using errcode = '${sqlstate}', message = '${words[sqlstate]}'; end $$`
