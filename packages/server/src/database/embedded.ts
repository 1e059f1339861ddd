// Invariant: PGlite has one connection. Everything that touches it is a turn of one queue, and a transaction is one turn.
import { assert } from '@headwater/protocol'
import type { Database, Parameter, SqlRow, Statement, TailSession, Transaction, TransactionMode } from '../ports.ts'
import { openDirectory } from './directory.ts'
import { type Engine, startEngine } from './engine.ts'
import { abortedFailure, type ErrorFields, overFailure, sqlFailure } from './failure.ts'
import { limits } from './limits.ts'
import { createPipeline, createPrepared, type Pipeline, type Prepared } from './prepared.ts'
import { bindable, checkScript, checkStatement } from './statement.ts'
import { template } from './template.ts'
import { createTurns, type EndTurn } from './turns.ts'
import { type Answer, bind, closePortal, copyFail, describePortal, execute, parse, readAnswer, readPiece, simpleQuery, sync } from './wire.ts'

export interface EmbeddedOptions {
  /** Where it lives, or null: in memory, gone with the process. */
  readonly directory: string | null
}

/** Somebody from outside this process who speaks the wire protocol themselves: a client of the gateway. */
export interface Guest {
  /** Puts the session's state back; somebody else may have had the connection since. */
  enter(): Promise<void>
  /** Takes the session's state away, so that nobody else runs under it. */
  leave(): Promise<void>
}

export interface EmbeddedDatabase extends Database {
  readonly kind: 'embedded'
  /** For the gateway only. */
  readonly seat: {
    /** A turn for a guest. While it lasts, `send` is theirs. */
    take(guest: Guest): Promise<EndTurn>
    send(messages: readonly Buffer[]): Promise<Buffer>
    /** To be called when a guest may have committed something. */
    wake(): void
  }
}

/**
 * A PostgreSQL inside this process (PGlite), for a first run, development, tests, and systems of one machine.
 *
 * A directory is held exclusively: a second open, by this process or another, is refused with `locked`. A first open takes five
 * seconds once per machine and user, half a second after that.
 *
 * Durability: what was committed survives the death of the process, kill -9 included. It does not survive a loss of power, because
 * PGlite does not flush to the medium; use a PostgreSQL server where that matters.
 */
export async function openEmbedded({ directory }: EmbeddedOptions): Promise<EmbeddedDatabase> {
  if (directory === null) return createEmbedded(await startEngine({ loadDataDir: await template() }), async () => {})
  const held = await openDirectory(directory)
  try {
    return createEmbedded(await startEngine({ dataDir: held.data }), held.release)
  } catch (error) {
    await held.release()
    throw error
  }
}

function createEmbedded(engine: Engine, release: () => Promise<void>): EmbeddedDatabase {
  const turns = createTurns('The embedded database')
  const prepared = createPrepared()
  const session = createSession(engine, prepared)
  const wakes = new Set<() => void>()
  let guest: Guest | null = null

  async function handOver(next: Guest | null): Promise<void> {
    if (guest === next) return
    const before = guest
    guest = null
    await before?.leave()
    if (before) prepared.forget()
    await next?.enter()
    guest = next
  }

  /** A turn of this process: the connection is its own, and idle. */
  const turn = <T>(body: () => Promise<T>, guarded = false): Promise<T> =>
    turns.run(async () => {
      await handOver(null)
      return body()
    }, guarded)

  const wake = () => {
    for (const run of [...wakes]) run()
  }

  /** A turn that may have written; it wakes the tail whether it succeeded or not, because an error may come after a commit. */
  const writing = <T>(body: () => Promise<T>, guarded = false): Promise<T> => turn(body, guarded).finally(wake)

  async function takeAs(next: Guest): Promise<EndTurn> {
    const end = await turns.take()
    try {
      await handOver(next)
      return end
    } catch (error) {
      end()
      throw error
    }
  }

  async function transaction<T>(mode: TransactionMode, run: (transaction: Transaction) => Promise<T>): Promise<T> {
    return mode === 'read' ? turn(() => session.transaction(mode, run), true) : writing(() => session.transaction(mode, run), true)
  }

  async function close(): Promise<void> {
    await turns.close()
    await engine.close()
    await release()
  }

  return {
    kind: 'embedded',
    query: (text, parameters = []) => writing(() => session.query(text, parameters)),
    execute: (script) => writing(() => session.execute(script)),
    transaction,
    batch: (statements) => writing(() => session.batch(statements)),
    openTail: async () => openTail(engine, session, turn, wakes),
    close,
    seat: {
      take: takeAs,
      send: engine.send,
      wake,
    },
  }
}

function openTail(engine: Engine, session: Session, turn: <T>(body: () => Promise<T>, guarded?: boolean) => Promise<T>, wakes: Set<() => void>): TailSession {
  const mine = new Set<() => void>()
  return {
    query: (text, parameters = []) => turn(() => session.queryOnce(text, parameters)),
    read: (run) => turn(() => session.transaction('read', run), true),
    // Everybody's commits pass through this process, so that there is nothing to LISTEN for.
    onWake: async (_, run) => {
      // A function of its own per call: the same one may be given twice.
      const wake = () => run()
      mine.add(wake)
      wakes.add(wake)
    },
    onLost: engine.onLost,
    close: async () => {
      for (const run of mine) wakes.delete(run)
    },
  }
}

/** What can be done during a turn. */
interface Session {
  query(text: string, parameters: readonly Parameter[]): Promise<readonly SqlRow[]>
  /** Without keeping it prepared: planned for these parameters. */
  queryOnce(text: string, parameters: readonly Parameter[]): Promise<readonly SqlRow[]>
  execute(script: string): Promise<void>
  batch(statements: readonly Statement[]): Promise<readonly (readonly SqlRow[])[]>
  transaction<T>(mode: TransactionMode, run: (transaction: Transaction) => Promise<T>): Promise<T>
}

const begin = { write: simpleQuery('begin isolation level repeatable read'), read: simpleQuery('begin isolation level repeatable read, read only') }
const commit = simpleQuery('commit')
const rollback = simpleQuery('rollback')

function createSession(engine: Engine, prepared: Prepared): Session {
  async function send(pipeline: Pipeline): Promise<Answer> {
    const answer = readAnswer(await engine.send(pipeline.messages))
    prepared.settle(pipeline, answer.parsed)
    if (answer.statements.some(({ tag }) => tag !== null && changesShapes.test(tag)) || isStale(answer)) prepared.clear()
    return answer
  }

  /** Sends again, once, what failed because a statement had been prepared before the tables changed. All of it had been undone. */
  async function sendFresh(build: () => Pipeline): Promise<Answer> {
    const answer = await send(build())
    return isStale(answer) ? send(build()) : answer
  }

  async function query(text: string, parameters: readonly Parameter[]): Promise<readonly SqlRow[]> {
    return rowsOf(await sendFresh(() => pipelineOf([{ text, parameters }], [], [sync])))
  }

  async function queryOnce(text: string, parameters: readonly Parameter[]): Promise<readonly SqlRow[]> {
    const messages = [parse('', checkStatement(text)), bind('', '', bindable(parameters)), describePortal(''), execute('', 0), copyFail, sync]
    return rowsOf(readAnswer(await engine.send(messages)))
  }

  async function runScript(script: string): Promise<void> {
    const answer = await send(createPipeline(begin.write, simpleQuery(checkScript(script)), copyFail, commit))
    if (answer.error) throw sqlFailure(answer.error)
  }

  async function batch(statements: readonly Statement[]): Promise<readonly (readonly SqlRow[])[]> {
    const answer = await sendFresh(() => pipelineOf(statements, [begin.write], [sync, commit]))
    if (answer.error) throw sqlFailure(answer.error)
    assert(answer.statements.length === statements.length + 2, 'every statement of a batch has an answer')
    return answer.statements.slice(1, -1).map(({ rows }) => rows)
  }

  function pipelineOf(statements: readonly Statement[], before: readonly Buffer[], after: readonly Buffer[]): Pipeline {
    const pipeline = createPipeline(...before)
    for (const { text, parameters } of statements) prepared.add(pipeline, checkStatement(text), bindable(parameters))
    pipeline.messages.push(...after)
    return pipeline
  }

  async function transaction<T>(mode: TransactionMode, run: (transaction: Transaction) => Promise<T>): Promise<T> {
    await engine.send([begin[mode]])
    const open = createTransaction(engine, async (text, parameters) => send(pipelineOf([{ text, parameters }], [], [sync])))
    try {
      const result = await run(open.transaction)
      open.end()
      const answer = readAnswer(await engine.send([commit]))
      if (answer.error) throw sqlFailure(answer.error)
      if (answer.statements[0]?.tag !== 'COMMIT') throw open.firstFailure() ?? abortedFailure()
      return result
    } catch (error) {
      open.end()
      // Outside of a transaction, after a commit that failed, this does nothing.
      await engine.send([rollback]).catch(() => undefined)
      throw error
    }
  }

  return { query, queryOnce, execute: runScript, batch, transaction }
}

interface OpenTransaction {
  readonly transaction: Transaction
  /** From now on it refuses; a stream that is still running ends with an error. */
  end(): void
  firstFailure(): unknown
}

function createTransaction(engine: Engine, ask: (text: string, parameters: readonly Parameter[]) => Promise<Answer>): OpenTransaction {
  let isOver = false
  let portals = 0
  let failure: unknown

  function check(): void {
    if (isOver) throw overFailure()
  }

  function noted(fields: ErrorFields): unknown {
    const error = sqlFailure(fields)
    failure ??= error
    return error
  }

  async function query(text: string, parameters: readonly Parameter[] = []): Promise<readonly SqlRow[]> {
    check()
    const answer = await ask(text, parameters)
    if (answer.error) throw noted(answer.error)
    return rowsOf(answer)
  }

  async function stream(text: string, parameters: readonly Parameter[], onRows: (rows: readonly string[]) => void | Promise<void>): Promise<void> {
    check()
    const portal = `headwater_${++portals}`
    const next = [execute(portal, limits.streamRows), copyFail, sync]
    let messages = [parse('', checkStatement(text)), bind(portal, '', bindable(parameters)), ...next]
    try {
      for (let hasMore = true; hasMore; messages = next) {
        const piece = readPiece(await engine.send(messages))
        if (piece.error) throw noted(piece.error)
        hasMore = piece.hasMore
        if (piece.texts.length > 0) await onRows(piece.texts)
        check()
      }
    } finally {
      if (!isOver) await engine.send([closePortal(portal), sync])
    }
  }

  return {
    transaction: { query, stream },
    end: () => {
      isOver = true
    },
    firstFailure: () => failure,
  }
}

function rowsOf(answer: Answer): readonly SqlRow[] {
  if (answer.error) throw sqlFailure(answer.error)
  return answer.statements[0]?.rows ?? []
}

/** Prepared before the tables changed (RevalidateCachedQuery), or forgotten by a DEALLOCATE or DISCARD of the app's own. */
const isStale = ({ error }: Answer) => error !== null && (error.sqlstate === '26000' || (error.sqlstate === '0A000' && error.message.includes('cached plan')))

/** Tags of statements that can change what another one answers, or forget it. */
const changesShapes = /^(CREATE|ALTER|DROP|COMMENT|DISCARD|DEALLOCATE|SELECT INTO|REINDEX|DO)\b/
