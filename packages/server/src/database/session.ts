import { assert } from '@headwater/protocol'
import type { OnRows, Parameter, SqlRow, Statement, Transaction, TransactionMode } from '../ports.ts'
import { sameEverywhere } from './connection.ts'
import { abortedFailure, type ErrorFields, overFailure, sqlFailure } from './failure.ts'
import { limits } from './limits.ts'
import { createPipeline, createPrepared, type Pipeline, type Prepared } from './prepared.ts'
import { bindable, checkScript, checkStatement, controlFailure } from './statement.ts'
import { type Answer, bind, closePortal, copyFail, describePortal, execute, parse, simpleQuery, sync, type Wire } from './wire.ts'

/**
 * What can be done with one connection, whatever is at its other end. One after the other: whoever has a session has it alone until what
 * they asked for is done, but inside of a transaction statements may be asked for at once.
 */
export interface Session {
  query(text: string, parameters: readonly Parameter[]): Promise<readonly SqlRow[]>
  /** The same, but not kept prepared: planned for these parameters. */
  queryOnce(text: string, parameters: readonly Parameter[]): Promise<readonly SqlRow[]>
  execute(script: string): Promise<void>
  batch(statements: readonly Statement[]): Promise<readonly (readonly SqlRow[])[]>
  transaction<T>(mode: TransactionMode, run: (transaction: Transaction) => Promise<T>): Promise<T>
}

/**
 * What reads for devices, and what makes tables, takes as long as it takes: a timeout that the role, the database or the server has is for what people and apps ask, and
 * holds for mutations.
 */
const unhurried = 'set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0'
const starts = {
  write: 'begin isolation level repeatable read',
  read: `begin isolation level repeatable read, read only; ${unhurried}`,
  // One statement of it sees what those before it waited for.
  define: `begin isolation level read committed; ${unhurried}`,
}
type Start = keyof typeof starts
const begin = mapped((text) => simpleQuery(text))
const commit = simpleQuery('commit')
const rollback = simpleQuery('rollback')

/** With the settings that a session has for good where it is ours. Not by a select, which would take the snapshot. */
const settings = Object.entries(sameEverywhere).map(([name, value]) => `set local ${name} = '${value}'`)
const beginWithSettings = mapped((text) => simpleQuery([text, ...settings].join('; ')))

function mapped<T>(make: (text: string) => T): Readonly<Record<Start, T>> {
  return { write: make(starts.write), read: make(starts.read), define: make(starts.define) }
}

const unnamed = ({ text, parameters }: Statement): readonly Buffer[] => [
  parse('', checkStatement(text)),
  bind('', '', bindable(parameters)),
  describePortal(''),
  execute('', 0),
  copyFail,
]

/** Counts the times that tables may have changed, for all sessions of a database. */
export interface Shapes {
  version: number
}

export interface SessionOptions {
  readonly prepared?: Prepared
  /** True: every transaction may be carried out by another server process, and brings all that it needs. */
  readonly isPooled?: boolean
}

export function createSession(wire: Wire, shapes: Shapes, { prepared = createPrepared(), isPooled = false }: SessionOptions = {}): Session {
  let shapesSeen = shapes.version
  const starting = isPooled ? beginWithSettings : begin

  async function send(pipeline: Pipeline): Promise<Answer> {
    const answer = await wire.send(pipeline.messages)
    prepared.settle(pipeline, answer.parsed)
    if (answer.statements.some(({ tag }) => tag !== null && changesShapes.test(tag)) || isStale(answer)) shapes.version++
    return answer
  }

  /** Sends again, once, what failed because a statement had been prepared before the tables changed. All of it had been undone. */
  async function sendFresh(build: () => Pipeline): Promise<Answer> {
    const answer = await send(build())
    return isStale(answer) ? send(build()) : answer
  }

  async function query(text: string, parameters: readonly Parameter[]): Promise<readonly SqlRow[]> {
    if (isPooled) return inTransaction(text, parameters)
    return rowsOf(await sendFresh(() => pipelineOf([{ text, parameters }], [], [sync])))
  }

  /** What begins the transaction, and the commit, are in the answer too. */
  async function inTransaction(text: string, parameters: readonly Parameter[]): Promise<readonly SqlRow[]> {
    const answer = check(await send(pipelineOf([{ text, parameters }], [starting.define], [sync, commit])))
    return answer.statements.at(-2)?.rows ?? []
  }

  async function queryOnce(text: string, parameters: readonly Parameter[]): Promise<readonly SqlRow[]> {
    if (isPooled) return inTransaction(text, parameters)
    return rowsOf(await wire.send([...unnamed({ text, parameters }), sync]))
  }

  async function runScript(script: string): Promise<void> {
    // In a transaction of our own: one that a script begins and does not end would be left to the next user of the session.
    check(await send(createPipeline(starting.define, simpleQuery(checkScript(script)), copyFail, commit)))
  }

  async function batch(statements: readonly Statement[]): Promise<readonly (readonly SqlRow[])[]> {
    const answer = check(await sendFresh(() => pipelineOf(statements, [starting.write], [sync, commit])))
    const answered = answer.statements.slice(isPooled ? 1 + settings.length : 1, -1)
    assert(answered.length === statements.length, 'every statement of a batch has an answer')
    return answered.map(({ rows }) => rows)
  }

  function pipelineOf(statements: readonly Statement[], before: readonly Buffer[], after: readonly Buffer[]): Pipeline {
    if (shapesSeen !== shapes.version) prepared.clear()
    shapesSeen = shapes.version
    const pipeline = createPipeline(...before)
    for (const statement of statements) {
      if (isPooled) pipeline.messages.push(...unnamed(statement))
      else prepared.add(pipeline, checkStatement(statement.text), bindable(statement.parameters))
    }
    pipeline.messages.push(...after)
    return pipeline
  }

  async function transaction<T>(mode: TransactionMode, run: (transaction: Transaction) => Promise<T>): Promise<T> {
    // Not awaited: the first statement travels with it.
    const begun = wire.send([starting[mode]])
    begun.catch(() => undefined)
    const open = createTransaction(wire, {
      query: async (text, parameters) => send(pipelineOf([{ text, parameters }], [], [sync])),
      execute: async (script) => send(createPipeline(simpleQuery(checkScript(script)), copyFail, sync)),
    })
    try {
      const result = await run(open.transaction)
      open.end()
      check(await begun)
      const answer = check(await wire.send([commit]))
      if (answer.statements[0]?.tag !== 'COMMIT') throw open.firstFailure() ?? abortedFailure()
      return result
    } catch (error) {
      open.end()
      // After a commit that failed this does nothing; with the connection lost, the database has done it.
      await wire.send([rollback]).catch(() => undefined)
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

/** How a transaction asks its session. */
interface Asking {
  query(text: string, parameters: readonly Parameter[]): Promise<Answer>
  execute(script: string): Promise<Answer>
}

function createTransaction(wire: Wire, ask: Asking): OpenTransaction {
  let isOver = false
  let portals = 0
  let failure: unknown

  function refuseOver(): void {
    if (isOver) throw overFailure()
  }

  function noted(fields: ErrorFields): unknown {
    const error = sqlFailure(fields)
    failure ??= error
    return error
  }

  async function query(text: string, parameters: readonly Parameter[] = []): Promise<readonly SqlRow[]> {
    refuseOver()
    const answer = await ask.query(text, parameters)
    if (answer.error) throw noted(answer.error)
    return rowsOf(answer)
  }

  async function stream(text: string, parameters: readonly Parameter[], onRows: OnRows): Promise<void> {
    refuseOver()
    const portal = `headwater_${++portals}`
    const opening = [parse('', checkStatement(text)), bind(portal, '', bindable(parameters))]
    let rowsNext: number = limits.streamRowsFirst
    try {
      for (let hasMore = true; hasMore; ) {
        const piece = await wire.send([...opening.splice(0), execute(portal, rowsNext), copyFail, sync])
        if (piece.error) throw noted(piece.error)
        hasMore = piece.statements[0]?.tag === null
        rowsNext = rowsAfter(piece)
        if (piece.texts.length > 0 && (await onRows(textsOf(piece))) === false) hasMore = false
        refuseOver()
      }
    } finally {
      if (!isOver) await wire.send([closePortal(portal), sync])
    }
  }

  async function runScript(script: string): Promise<void> {
    refuseOver()
    const { error, statements } = await ask.execute(script)
    if (error) throw noted(error)
    if (statements.some(({ tag }) => tag !== null && endsTransaction.test(tag))) throw noted(controlFailure)
  }

  return {
    transaction: { query, stream, execute: runScript },
    end: () => {
      isOver = true
    },
    firstFailure: () => failure,
  }
}

function check(answer: Answer): Answer {
  if (answer.error) throw sqlFailure(answer.error)
  return answer
}

/** How many rows to read after these, so that a piece has about as many bytes, however wide the rows are. */
function rowsAfter({ texts }: Answer): number {
  const bytes = texts.reduce((sum, text) => sum + (text?.length ?? 0), 1)
  return Math.max(1, Math.min(limits.streamRowsMax, Math.floor((texts.length * limits.streamBytes) / bytes)))
}

/** A null has no text, and is a mistake of the statement's author. */
function textsOf({ texts }: Answer): readonly string[] {
  const found = texts.filter((text) => text !== null)
  assert(found.length === texts.length, 'the first column of a stream is never null')
  return found
}

const rowsOf = (answer: Answer): readonly SqlRow[] => check(answer).statements[0]?.rows ?? []

/** Prepared before the tables changed (RevalidateCachedQuery), or forgotten by a DEALLOCATE or DISCARD of the app's own. */
const isStale = ({ error }: Answer) => error !== null && (error.sqlstate === '26000' || (error.sqlstate === '0A000' && error.message.includes('cached plan')))

/** ROLLBACK is also what ROLLBACK TO answers. */
const endsTransaction = /^(BEGIN|START TRANSACTION|COMMIT|PREPARE TRANSACTION)/

/** Tags of statements that can change what another one answers, or forget it. */
const changesShapes = /^(CREATE|ALTER|DROP|COMMENT|DISCARD|DEALLOCATE|SELECT INTO|REINDEX|DO)\b/
