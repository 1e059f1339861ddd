// Invariant: PGlite has one connection. Everything that touches it is a turn of one queue, and a transaction is one turn.
import { HeadwaterError } from '@headwater/protocol'
import type { Database, Place, TailSession, Transaction, TransactionMode } from '../ports.ts'
import { bounded } from './bounded.ts'
import { openDirectory } from './directory.ts'
import { type Engine, startEngine } from './engine.ts'
import { connectionFailure } from './failure.ts'
import { limits } from './limits.ts'
import { placeIn } from './place.ts'
import type { Check } from './pool.ts'
import { createPrepared } from './prepared.ts'
import { createSession, type Session } from './session.ts'
import { template } from './template.ts'
import { createTurns, type EndTurn, type Line } from './turns.ts'
import { createUpkeep } from './upkeep.ts'
import { readAnswer } from './wire.ts'

export interface EmbeddedOptions {
  /** Where it lives, or null: in memory, gone with the process. */
  readonly directory: string | null
  /** Whether a commit is on the medium before it is confirmed. Default: true. Tests, whose databases nobody wants back, do without. */
  readonly durable?: boolean
  /** How long a transaction may be left alone while everybody else waits. Default: 30 s. */
  readonly idleMs?: number
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
 * seconds once per machine and user, half a second after that. Throws `directory` when it cannot be written to or is full, `version` when another
 * PostgreSQL wrote it, `database` when PostgreSQL does not start on it.
 *
 * Durability: a commit is flushed to the medium before it is confirmed, as far as the operating system and the disk keep their word, so it
 * survives the death of the process and a loss of power. Without `durable` it survives the first alone, and commits are twice as fast. A flush
 * or a write that fails ends the database: everything rejects with `connection` until the process starts again.
 */
export async function openEmbedded({ directory, durable = true, idleMs = limits.turnIdleMs }: EmbeddedOptions): Promise<EmbeddedDatabase> {
  if (directory === null) return createEmbedded(await startEngine({ tar: await template() }), null, idleMs, async () => {})
  const held = await openDirectory(directory, durable)
  try {
    const place = await placeIn(directory, 'data')
    return createEmbedded(await startEngine({ data: held.data, durable }), place, idleMs, held.release)
  } catch (error) {
    await held.release()
    throw startFailure(directory, error instanceof Error ? error.message : String(error))
  }
}

function startFailure(directory: string, reason: string): HeadwaterError {
  const isFull = /no space left|disk quota/i.test(reason)
  const hint = isFull ? 'Make room on its disk: nothing is lost.' : 'Put back a copy of the directory, or remove it to begin with an empty one.'
  return new HeadwaterError(isFull ? 'directory' : 'database', `The embedded database in ${directory} does not start: ${reason}.`, hint)
}

function createEmbedded(engine: Engine, place: Place | null, idleMs: number, release: () => Promise<void>): EmbeddedDatabase {
  const turns = createTurns('The embedded database')
  const prepared = createPrepared()
  const session = createSession({ send: async (messages) => readAnswer(await engine.send(messages)) }, { version: 0 }, { prepared })
  const wakes = new Set<() => void>()
  let guest: Guest | null = null
  /** What the session has to pass before anybody but the tail and guests gets it; null: it did. */
  let check: Check | null = null

  async function handOver(next: Guest | null): Promise<void> {
    if (guest === next) return
    const before = guest
    guest = null
    await before?.leave()
    if (before) prepared.forget()
    // Before it enters: what it has set is taken away even if it gets no further.
    guest = next
    await next?.enter()
  }

  async function pass(): Promise<void> {
    await check?.(session.queryOnce)
    check = null
  }

  /** A turn of this process: the connection is its own, and idle. */
  const turn = <T>(line: Line, body: () => Promise<T>, guarded = false): Promise<T> =>
    turns.run(
      line,
      async () => {
        await handOver(null)
        if (line === 'app' || line === 'reads') await pass()
        return body()
      },
      guarded,
    )

  const keepUp = createUpkeep(session, (body) => turn('upkeep', body))

  const wake = () => {
    for (const run of [...wakes]) run()
    keepUp()
  }

  /** A turn that may have written; it wakes the tail whether it succeeded or not, because an error may come after a commit. */
  const writing = <T>(body: () => Promise<T>, guarded = false): Promise<T> => turn('app', body, guarded).finally(wake)

  async function takeAs(next: Guest): Promise<EndTurn> {
    const end = await turns.take('guests')
    try {
      await handOver(next)
      return end
    } catch (error) {
      end()
      throw error
    }
  }

  async function transaction<T>(mode: TransactionMode, run: (transaction: Transaction) => Promise<T>): Promise<T> {
    const body = () => session.transaction(mode, bounded(run, idleMs))
    return mode === 'read' ? turn('reads', body, true) : writing(body, true)
  }

  async function close(): Promise<void> {
    await turns.close()
    await engine.close()
    await release()
  }

  return {
    kind: 'embedded',
    place,
    guard: (next) => {
      check = next
    },
    query: (text, parameters = []) => writing(() => session.query(text, parameters)),
    execute: (script) => writing(() => session.execute(script)),
    transaction,
    batch: (statements) => writing(() => session.batch(statements)),
    openTail: async () => openTail(engine, session, (body, guarded) => turn('tail', body, guarded), wakes),
    close,
    seat: {
      take: takeAs,
      send: engine.send,
      wake,
    },
  }
}

type TakeTurn = <T>(body: () => Promise<T>, guarded?: boolean) => Promise<T>

function openTail(engine: Engine, session: Session, turn: TakeTurn, wakes: Set<() => void>): TailSession {
  const mine = new Set<() => void>()
  let isClosed = false

  /** Its turns wake nobody: they read. */
  const unlessClosed: TakeTurn = (body, guarded) => (isClosed ? Promise.reject(connectionFailure('the tail was closed')) : turn(body, guarded))

  return {
    isDirect: true,
    query: (text, parameters = []) => unlessClosed(() => session.queryOnce(text, parameters)),
    read: (run) => unlessClosed(() => session.transaction('read', run), true),
    // Everybody's commits pass through this process, so that there is nothing to LISTEN for.
    onWake: async (_, run) => {
      // A function of its own per call: the same one may be given twice.
      const wake = () => run('')
      mine.add(wake)
      wakes.add(wake)
    },
    onLost: (run) => engine.onLost((error) => (isClosed ? undefined : run(error))),
    close: async () => {
      isClosed = true
      for (const run of mine) wakes.delete(run)
    },
  }
}
