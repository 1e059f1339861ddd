// PGlite as a server of the wire protocol: messages in, messages out, nothing of its own interface in between. It answers a whole
// pipeline of messages in one call, which is what makes three statements a fraction of a millisecond.
import { PGlite, type PGliteOptions } from '@electric-sql/pglite'
import type { HeadwaterError } from '@headwater/protocol'
import { closedFailure, connectionFailure } from './failure.ts'

export interface Engine {
  /** Sends messages and answers with all that came back for them, one call after the other. Rejects with `connection` once it has stopped. */
  send(messages: readonly Buffer[]): Promise<Buffer>
  /** Runs once, when it stops by itself; at once if it has already. */
  onLost(run: (error: HeadwaterError) => void): void
  close(): Promise<void>
}

/** Starts the database. Less memory than PGlite's own default: 170 MB instead of 300. */
export async function startEngine(options: PGliteOptions): Promise<Engine> {
  const pglite = await PGlite.create({
    ...options,
    startParams: [...PGlite.defaultStartParams, ...settings.flatMap((setting) => ['-c', setting])],
  })
  const listeners: ((error: HeadwaterError) => void)[] = []
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
    return Buffer.concat(pieces)
  }

  function lose(error: unknown): HeadwaterError {
    const stopped = connectionFailure(
      `the embedded database stopped (${error instanceof Error ? error.message : String(error)})`,
      'Start this process again: it recovers when it is opened.',
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

/** The last one is a timer that PGlite would keep a process alive with, after a recovery. */
const settings = ['shared_buffers=16MB', 'application_name=headwater', 'log_startup_progress_interval=0']
