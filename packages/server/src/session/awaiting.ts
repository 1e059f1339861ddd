// A device shows what it writes into a scope before that scope has come. If that were confirmed first, it would go from the screen until the load is revealed:
// where all rows of a mutation are in what is being loaded, its outcome goes with the checkpoint that shows them. Outcomes stay in order.
import type { Outcome } from '@headwater/protocol'
import type { Change, OutcomeOf } from '../feed/net.ts'
import type { StreamKey } from '../feed/stream.ts'

export interface Awaiting {
  /** What of a batch is confirmed with it. One that need not wait takes those before it along. */
  confirmed(changes: readonly Change[], found: readonly OutcomeOf[]): readonly Outcome[]
  /** Those whose rows have come, for the checkpoint that shows them. */
  arrived(): readonly Outcome[]
}

interface AwaitingDeps {
  readonly isHeld: (stream: StreamKey) => boolean
  /** Whether it is being loaded, or in line for it. */
  readonly isComing: (stream: StreamKey) => boolean
}

export function createAwaiting({ isHeld, isComing }: AwaitingDeps): Awaiting {
  let waiting: readonly { readonly outcomes: readonly Outcome[]; readonly streams: readonly StreamKey[] }[] = []

  function takeFirst(count: number): readonly Outcome[] {
    const taken = waiting.slice(0, count)
    waiting = waiting.slice(count)
    return taken.flatMap(({ outcomes }) => outcomes)
  }

  return {
    confirmed: (changes, found) => {
      if (found.length === 0) return []
      const own = new Set(found.map(({ xid }) => xid))
      const streams = changes.filter(({ xid }) => own.has(xid)).flatMap(({ before, after }) => [...before, ...after])
      waiting = [...waiting, { outcomes: found.map(({ outcome }) => outcome), streams }]
      return streams.some(isHeld) || !streams.some(isComing) ? takeFirst(waiting.length) : []
    },
    arrived: () => {
      const next = waiting.findIndex(({ streams }) => streams.some(isComing))
      return takeFirst(next < 0 ? waiting.length : next)
    },
  }
}
