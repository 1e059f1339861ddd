import { encode, limits, type Mutation } from '@headwater/protocol'
import { type Entry, wireOf } from '../outbox/entry.ts'
import { byteLength } from '../outbox/size.ts'

/** The next messages to send, in order: as many mutations as may be under way at once, none of the messages larger than a server takes. */
export function pushesOf(entries: readonly Entry[], inFlight: number): readonly (readonly Entry[])[] {
  const pushes: Entry[][] = []
  let push: Entry[] = []
  let bytes = 0
  for (const entry of entries.slice(0, Math.max(0, limits.mutationsInFlightMax - inFlight))) {
    const size = byteLength(JSON.stringify(wireOf(entry)))
    if (push.length > 0 && (push.length >= limits.mutationsPerPushMax || bytes + size > limits.pushBytesMax)) {
      pushes.push(push)
      push = []
      bytes = 0
    }
    push.push(entry)
    bytes += size
  }
  return push.length > 0 ? [...pushes, push] : pushes
}

export const pushFrame = (entries: readonly Entry[]): string => encode({ type: 'push', mutations: entries.map((entry): Mutation => wireOf(entry)) })
