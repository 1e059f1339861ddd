import * as limits from '@headwater/protocol/limits'
import type { Entry } from '../outbox/entry.ts'
import { byteLength } from '../outbox/size.ts'

/** Mutations of one message, and the message. */
export interface Push {
  readonly entries: readonly Entry[]
  readonly frame: string
}

/** The next messages to send, in order: as many mutations as may be under way at once, none of the messages larger than a server takes. */
export function* pushesOf(entries: readonly Entry[], inFlight: number): Iterable<Push> {
  let taken: Entry[] = []
  let texts: string[] = []
  let bytes = 0
  const push = (): Push => ({ entries: taken, frame: `{"type":"push","mutations":[${texts.join()}]}` })
  for (const entry of entries.slice(0, Math.max(0, limits.mutationsInFlightMax - inFlight))) {
    // What it builds on is this device's own affair.
    const text = JSON.stringify({ ...entry.mutation, after: undefined })
    const size = byteLength(text)
    if (taken.length >= limits.mutationsPerPushMax || (taken.length && bytes + size > limits.pushBytesMax)) {
      yield push()
      taken = []
      texts = []
      bytes = 0
    }
    taken.push(entry)
    texts.push(text)
    bytes += size
  }
  if (taken.length) yield push()
}
