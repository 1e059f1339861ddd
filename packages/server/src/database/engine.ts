// PGlite as a server of the wire protocol: messages in, messages out, nothing of its own interface in between. It answers a whole
// pipeline of messages in one call, which is what makes three statements a fraction of a millisecond.
import { PGlite } from '@electric-sql/pglite'
import { assert, type HeadwaterError } from '@headwater/protocol'
import { closedFailure, connectionFailure } from './failure.ts'
import { flushedFiles } from './flushed.ts'

export interface Engine {
  /** Sends messages and answers with all that came back for them, one call after the other. Rejects with `connection` once it has stopped. */
  send(messages: readonly Buffer[]): Promise<Buffer>
  /** Runs once, when it stops by itself; at once if it has already. */
  onLost(run: (error: HeadwaterError) => void): void
  close(): Promise<void>
}

/** What to start on: PostgreSQL's directory, or a tar of one, to be held in memory. */
export type EngineFiles = { readonly data: string; readonly durable: boolean } | { readonly tar: Blob }

/** Starts the database. Less memory than PGlite's own default: 170 MB instead of 300. */
export async function startEngine(given: EngineFiles): Promise<Engine> {
  const flushed = 'data' in given && given.durable ? flushedFiles(given.data) : null
  const said = createLastWords()
  const pglite = await PGlite.create({
    ...(flushed ? { fs: flushed.files } : 'data' in given ? { dataDir: given.data } : { loadDataDir: given.tar }),
    startParams: startParams(flushed !== null),
    onStderr: said.hear,
  }).catch((error: unknown) => {
    throw new Error(said.words() ?? reasonOf(error))
  })
  assert(flushed === null || flushed.flushes() > 0, 'a durable database flushes when it starts')
  const listeners: ((error: HeadwaterError) => void)[] = []
  const answers = createAnswerCheck()
  let lost: HeadwaterError | null = null
  let last: Promise<unknown> = Promise.resolve()
  let busyUntil = performance.now() + busyMsMax

  /** A queue of turns would otherwise keep sockets and timers waiting until it is empty. */
  async function breathe(): Promise<void> {
    if (performance.now() < busyUntil) return
    await new Promise((resolve) => setImmediate(resolve))
    busyUntil = performance.now() + busyMsMax
  }

  function send(messages: readonly Buffer[]): Promise<Buffer> {
    const answer = last.then(() => carryOut(messages))
    last = answer.catch(() => undefined)
    return answer
  }

  async function carryOut(messages: readonly Buffer[]): Promise<Buffer> {
    await breathe()
    if (lost) throw lost
    const pieces: Buffer[] = []
    try {
      // The bytes handed over lie in the memory of the database and are overwritten by the next piece.
      await pglite.execProtocolRawStream(Buffer.concat(messages), { syncToFs: false, onRawData: (piece) => pieces.push(Buffer.from(piece)) })
    } catch (error) {
      throw lose(error)
    }
    const answer = Buffer.concat(pieces)
    // PGlite lets pass whatever ends a PostgreSQL, be it a PANIC or a stack that is used up, and goes on with what is left of it: an answer that is
    // not whole is the sign of the one, and one that is must not be believed after the other.
    const isWhole = answers.take(messages, answer)
    if (said.panic() !== null || flushed?.failure() || !isWhole)
      throw lose(flushed?.failure() ?? new Error('a statement broke off: what it asked for may be nested too deeply'))
    return answer
  }

  function lose(error: unknown): HeadwaterError {
    const stopped = connectionFailure(
      `the embedded database stopped (${said.words() ?? reasonOf(error)})`,
      'Put right what it says, then start this process again: it recovers when it is opened.',
    )
    lost = stopped
    for (const run of listeners.splice(0)) run(stopped)
    return stopped
  }

  async function close(): Promise<void> {
    const wasLost = lost !== null
    lost ??= closedFailure()
    listeners.length = 0
    // A database that has stopped has nothing left that could be closed in order.
    if (!wasLost) await pglite.close()
  }

  return { send, onLost: (run) => (lost ? run(lost) : void listeners.push(run)), close }
}

const busyMsMax = 10

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

/** PGlite's own begin with `-F`, which is fsync=off. The last setting is a timer that PGlite would keep a process alive with, after a recovery. */
function startParams(isDurable: boolean): string[] {
  const settings = ['shared_buffers=16MB', 'max_wal_size=128MB', 'min_wal_size=32MB', 'application_name=headwater', 'log_startup_progress_interval=0']
  // The usual way is one that Emscripten has no flag for.
  if (isDurable) settings.push('wal_sync_method=fsync')
  return [...PGlite.defaultStartParams.filter((param) => !isDurable || param !== '-F'), ...settings.flatMap((setting) => ['-c', setting])]
}

/**
 * Tells answers that were broken off: Query, Sync and FunctionCall are each answered by a ReadyForQuery. After an error that a Sync has to follow, all but that is
 * passed over in silence.
 */
function createAnswerCheck() {
  let isSkipping = false

  function take(messages: readonly Buffer[], answer: Buffer): boolean {
    let [asked, last] = [0, '']
    for (const piece of messages) {
      for (const type of typesOf(piece)) {
        if (type === 'Q' || type === 'S' || type === 'F') asked++
        last = type
      }
    }
    let mayBeSkipped = isSkipping
    let readies = 0
    for (const type of typesOf(answer)) {
      if (type === 'E') mayBeSkipped = true
      if (type === 'E' || type === 'Z') isSkipping = type === 'E'
      if (type === 'Z') readies++
    }
    return readies === asked || (mayBeSkipped && readies < asked && !(last === 'S' && isSkipping))
  }

  return { take }
}

function* typesOf(piece: Buffer): Generator<string> {
  for (let at = 0; at + 5 <= piece.length; at += 1 + piece.readInt32BE(at + 1)) yield String.fromCharCode(piece[at] ?? 0)
}

/** What PostgreSQL writes before it ends says why; PGlite keeps it to itself. */
function createLastWords() {
  let fatal: string | null = null
  let panic: string | null = null
  return {
    hear: (line: string): boolean => {
      // A line of the server's log: when, which process, how bad. What a statement has it say comes after that.
      const [, severity, text = ''] = /^[^[]*\[\d+\] (FATAL|PANIC): {2}(.*)$/.exec(line) ?? []
      if (severity === 'PANIC') panic ??= text
      else if (severity) fatal = text
      return false
    },
    words: () => panic ?? fatal,
    panic: () => panic,
  }
}
