// Invariant: one turn at a time, in the order in which they were asked for.

import { AsyncLocalStorage } from 'node:async_hooks'
import { assert, HeadwaterError } from '@headwater/protocol'
import { closedFailure } from './failure.ts'
import { limits } from './limits.ts'

/** Ends a turn. Calling it again does nothing. */
export type EndTurn = () => void

export interface Turns {
  /**
   * Waits for a turn of its own and holds it until the answer is called. Throws `nested` when called from inside `run` of a turn that
   * is still going on, which would wait for itself; `overloaded` when too many wait; `closed` after `close`.
   */
  take(): Promise<EndTurn>
  /** A turn around a function. With `guarded`, taking turns inside of it is `nested`. */
  run<T>(body: () => Promise<T>, guarded?: boolean): Promise<T>
  /** Waits for the turns already asked for, then refuses. */
  close(): Promise<void>
}

/** `what` names what is shared, for the error of someone who asks for a turn inside of one. */
export function createTurns(what: string): Turns {
  const waiting: (() => void)[] = []
  const inside = new AsyncLocalStorage<{ active: boolean }>()
  let isTaken = false
  let isClosed = false

  function next(): void {
    const first = waiting.shift()
    if (first) first()
    else isTaken = false
  }

  function endTurn(): EndTurn {
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      next()
    }
  }

  async function take(): Promise<EndTurn> {
    if (inside.getStore()?.active) throw nestedFailure(what)
    if (isClosed) throw closedFailure()
    await waitForTurn()
    return endTurn()
  }

  async function waitForTurn(): Promise<void> {
    if (!isTaken) {
      isTaken = true
      return
    }
    if (waiting.length >= limits.waitingMax) throw overloadedFailure()
    await new Promise<void>((resolve) => waiting.push(resolve))
  }

  async function run<T>(body: () => Promise<T>, guarded = false): Promise<T> {
    const end = await take()
    // The mark outlives the turn in whatever `body` has left behind; only `active` says whether it still holds the turn.
    const mark = { active: true }
    try {
      return await (guarded ? inside.run(mark, body) : body())
    } finally {
      mark.active = false
      end()
    }
  }

  async function close(): Promise<void> {
    if (inside.getStore()?.active) throw nestedFailure(what)
    if (isClosed) return
    isClosed = true
    await waitForTurn()
    assert(waiting.length === 0, 'the last turn is the last')
  }

  return { take, run, close }
}

export const overloadedFailure = () =>
  new HeadwaterError('overloaded', `${limits.waitingMax} callers wait for the database already.`, 'Try again later, or send less at once.')

const nestedFailure = (what: string) =>
  new HeadwaterError(
    'nested',
    `${what} was used from inside one of its own transactions, which would wait for itself for ever.`,
    'Use the transaction that was handed to you.',
  )
