import { HeadwaterError } from '@headwater/protocol'
import type { Database, Parameter, SqlRow, Transaction, TransactionMode } from '../ports.ts'
import { abortedFailure, overFailure } from './failure.ts'
import { limits } from './limits.ts'
import { createPool } from './pool.ts'
import { createServerSession, type ServerSession } from './session.ts'
import { bindable, checkScript, checkStatement } from './statement.ts'
import { openServerTail } from './tail.ts'

export interface PostgresOptions {
  /** Connections at most, without the two of each tail. */
  readonly sessionsMax?: number
}

/**
 * A PostgreSQL server, from 14 up, without rights or settings beyond what a new role has.
 *
 * Nothing connects before it is used; a connection that is lost is replaced by a new one for the next caller, and never used
 * for the rest of a transaction. Statements are kept prepared, so the URL must not lead through a pooler that hands one connection to
 * several clients in turn, unless it knows prepared statements; the tail needs a connection of its own in any case.
 */
export async function openPostgres(url: string, options: PostgresOptions = {}): Promise<Database> {
  const pool = createPool(() => createServerSession(url, { prelude: guard }), options.sessionsMax ?? limits.sessionsMax)

  async function query(text: string, parameters: readonly Parameter[] = []): Promise<readonly SqlRow[]> {
    const ready = [{ text: checkStatement(text), values: bindable(parameters) }]
    const [rows] = await pool.use((session) => retried(() => batch(session, begin.single, ready)))
    return rows ?? []
  }

  /** In a transaction of our own: a script that begins one and does not end it would leave it to the next user of the connection. */
  async function runScript(script: string): Promise<void> {
    const text = checkScript(script)
    await pool.use((session) => inTransaction(session, begin.write, () => session.command(text)))
  }

  return {
    kind: 'postgres',
    query,
    execute: runScript,
    transaction: (mode, run) => pool.use((session) => transaction(session, mode, run)),
    batch: async (statements) => {
      const ready = statements.map(({ text, parameters }) => ({ text: checkStatement(text), values: bindable(parameters) }))
      return pool.use((session) => retried(() => batch(session, begin.write, ready)))
    },
    openTail: () => openServerTail(url, transaction),
    close: pool.close,
  }
}

/**
 * postgres.js tries a statement again by itself when the tables have changed since it was prepared. By then the rest of a pipelined
 * transaction has been sent, so that it would be carried out alone, behind the commit. Outside of a transaction that says otherwise, nothing
 * can be written here.
 */
const guard = 'set default_transaction_read_only = on'

const begin = {
  single: 'begin read write',
  write: 'begin isolation level repeatable read, read write',
  read: 'begin isolation level repeatable read, read only',
}

type Ready = { readonly text: string; readonly values: ReturnType<typeof bindable> }

/** Sent all at once: the round trips of one. Carried out up to the first failure, which undoes all of it. */
async function batch(session: ServerSession, beginning: string, statements: readonly Ready[]): Promise<readonly (readonly SqlRow[])[]> {
  const begun = session.command(beginning)
  const results = statements.map(({ text, values }) => session.query(text, values))
  const committed = session.command('commit')
  // All of them are awaited, so that the session is idle when it is given back; the first failure is the one that made the others.
  const [first, last] = [await settle([begun, ...results]), await settle([committed])]
  if (first) throw first.reason
  if (last) throw last.reason
  if ((await committed) !== 'COMMIT') throw abortedFailure()
  return Promise.all(results)
}

async function settle(all: readonly Promise<unknown>[]): Promise<PromiseRejectedResult | undefined> {
  const outcomes = await Promise.allSettled(all)
  return outcomes.find((outcome) => outcome.status === 'rejected')
}

/** Once more, for what failed because it had been prepared before the tables changed. Only for what was undone as a whole. */
async function retried<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body()
  } catch (error) {
    if (!isStale(error)) throw error
    return body()
  }
}

async function transaction<T>(session: ServerSession, mode: TransactionMode, run: (transaction: Transaction) => Promise<T>): Promise<T> {
  const open = createTransaction(session)
  return inTransaction(session, begin[mode], () => run(open.transaction).finally(open.end), open.firstFailure)
}

async function inTransaction<T>(session: ServerSession, beginning: string, run: () => Promise<T>, firstFailure: () => unknown = () => undefined): Promise<T> {
  // Not awaited: the first statement travels with it.
  const begun = session.command(beginning)
  begun.catch(() => undefined)
  try {
    const result = await run()
    await begun
    if ((await session.command('commit')) !== 'COMMIT') throw firstFailure() ?? abortedFailure()
    return result
  } catch (error) {
    // After a commit that failed this does nothing; with the connection lost, the server has done it.
    await session.command('rollback').catch(() => undefined)
    throw error
  }
}

interface OpenTransaction {
  readonly transaction: Transaction
  readonly end: () => void
  readonly firstFailure: () => unknown
}

function createTransaction(session: ServerSession): OpenTransaction {
  let isOver = false
  let failure: unknown

  async function noted<T>(work: () => Promise<T>): Promise<T> {
    if (isOver) throw overFailure()
    try {
      return await work()
    } catch (error) {
      failure ??= error
      throw error
    }
  }

  const query = (text: string, parameters: readonly Parameter[] = []) => noted(async () => session.query(checkStatement(text), bindable(parameters)))

  const stream: Transaction['stream'] = (text, parameters, onRows) =>
    noted(async () => {
      await session.stream(checkStatement(text), bindable(parameters), async (rows) => {
        if (isOver) throw overFailure()
        await onRows(rows)
      })
    })

  return {
    transaction: { query, stream },
    end: () => {
      isOver = true
    },
    firstFailure: () => failure,
  }
}

const isStale = (error: unknown) =>
  error instanceof HeadwaterError && (error.details.sqlstate === '26000' || (error.details.sqlstate === '0A000' && error.message.includes('cached plan')))
