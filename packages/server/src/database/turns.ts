// Invariant: one turn at a time. Within a line, turns come in the order in which they were asked for; between lines, in rotation.

import { AsyncLocalStorage } from 'node:async_hooks'
import { assert, HeadwaterError } from '@headwater/protocol'
import { closedFailure } from './failure.ts'
import { limits } from './limits.ts'

/** Ends a turn. Calling it again does nothing. */
export type EndTurn = () => void

/** Who asks: so that nobody waits for more than one turn of each of the others, however many of them there are. */
export type Line = 'app' | 'reads' | 'tail' | 'guests' | 'upkeep'

export interface Turns {
  /**
   * Waits for a turn of its own and holds it until the answer is called. Throws `nested` when called from inside `run` of a turn that
   * is still going on, which would wait for itself; `overloaded` when too many wait in the line; `closed` after `close`.
   */
  take(line: Line): Promise<EndTurn>
  /** A turn around a function. With `guarded`, taking turns inside of it is `nested`. */
  run<T>(line: Line, body: () => Promise<T>, guarded?: boolean): Promise<T>
  /** Waits for the turns already asked for, then refuses. */
  close(): Promise<void>
}

/** `what` names what is shared, for the error of someone who asks for a turn inside of one. */
export function createTurns(what: string): Turns {
  /** The line that was served last is the last one here. */
  const lines: (() => void)[][] = []
  const lineByName: Readonly<Record<Line, (() => void)[]>> = { app: [], reads: [], tail: [], guests: [], upkeep: [] }
  lines.push(...Object.values(lineByName))
  const inside = new AsyncLocalStorage<{ active: boolean }>()
  let whenNobodyWaits: (() => void) | null = null
  let isTaken = false

  function next(): void {
    const at = lines.findIndex((line) => line.length > 0)
    const [line] = lines.splice(at, at < 0 ? 0 : 1)
    if (!line) {
      isTaken = false
      return whenNobodyWaits?.()
    }
    lines.push(line)
    line.shift()?.()
  }

  function endTurn(): EndTurn {
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      next()
    }
  }

  async function take(name: Line): Promise<EndTurn> {
    if (inside.getStore()?.active) throw nestedFailure(what)
    if (whenNobodyWaits) throw closedFailure()
    await waitForTurn(lineByName[name])
    return endTurn()
  }

  async function waitForTurn(line: (() => void)[]): Promise<void> {
    if (!isTaken) {
      isTaken = true
      return
    }
    if (line.length >= limits.waitingMax) throw overloadedFailure()
    await new Promise<void>((resolve) => line.push(resolve))
  }

  async function run<T>(line: Line, body: () => Promise<T>, guarded = false): Promise<T> {
    const end = await take(line)
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
    if (whenNobodyWaits) return
    const isQuiet = new Promise<void>((resolve) => {
      whenNobodyWaits = resolve
    })
    if (isTaken) await isQuiet
    assert(
      lines.every((line) => line.length === 0),
      'the last turn is the last',
    )
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
