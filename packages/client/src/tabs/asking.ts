// Whether there is somebody who leads. Invariant: who answers in time is not replaced; who was frozen or slow itself asks once more before it takes another
// for frozen.
import type { ScopeKey } from '@headwater/protocol'
import type { Chance, Clock } from '../ports.ts'
import { formatVersion } from '../store/record.ts'
import type { Standing } from './standing.ts'
import type { Message } from './words.ts'

export interface Asking {
  /** Says that this tab is here and what it uses; who leads answers, or is replaced. */
  ask(): void
  /** The same, if it uses something else than it said. */
  askAnew(): void
  /** Somebody leads. */
  answered(): void
  /** Another was taken for frozen: whoever leads next is given more time. */
  stolen(): void
  /** Asks now and then from now on. */
  begin(): void
  stop(): void
}

export interface AskingDeps {
  readonly standing: Standing
  readonly clock: Clock
  readonly chance: Chance
  readonly scopesUsed: () => readonly ScopeKey[]
  readonly say: (message: Message) => void
  /** Nobody has answered. */
  readonly replace: () => void
}

/** Who leads answers within this time, or is taken for frozen. */
const answerMs = 500
/** Twice as long each time that another was taken for frozen lately: who is only slow keeps it. */
const answerMsMax = 8_000
const latelyMs = 60_000
/** Without anything to do, who leads is asked so often whether it is still there. */
const askEveryMs = 5_000
/** Two tabs that find nobody there rarely take its place at the same time. */
const apartMs = 150

export function createAsking({ standing, clock, chance, scopesUsed, say, replace }: AskingDeps): Asking {
  let isAsking = false
  let wanted = ''
  let [stolenAtMs, patienceMs] = [-Infinity, answerMs]
  let [cancelAsk, cancelBeat] = [() => {}, () => {}]

  const patience = () => (Math.abs(clock.now() - stolenAtMs) < latelyMs ? patienceMs : answerMs)

  function ask(): void {
    if (standing.leads || standing.isGone) return
    const scopes = scopesUsed()
    wanted = scopes.join()
    say({ type: 'here', tab: standing.tab, scopes, format: formatVersion })
    if (isAsking) return
    isAsking = true
    waitFor(patience(), () => waitFor(chance.fraction() * apartMs, giveUp))
  }

  function waitFor(afterMs: number, run: () => void): void {
    const dueAt = clock.now() + afterMs
    cancelAsk = clock.timer(afterMs, () => {
      // This tab was frozen, or is slow itself: what it did not hear may be on its way.
      const isLate = Math.abs(clock.now() - dueAt) > answerMs / 2
      if (!isLate) return run()
      isAsking = false
      ask()
    })
  }

  function giveUp(): void {
    isAsking = false
    replace()
  }

  function beat(): void {
    cancelBeat = clock.timer(askEveryMs, () => {
      ask()
      beat()
    })
  }

  function answered(): void {
    cancelAsk()
    isAsking = false
  }

  return {
    ask,
    askAnew: () => {
      if (scopesUsed().join() !== wanted) ask()
    },
    answered,
    stolen: () => {
      patienceMs = Math.min(answerMsMax, patience() * 2)
      stolenAtMs = clock.now()
    },
    begin: beat,
    stop: () => {
      answered()
      cancelBeat()
    },
  }
}
