// Who is in one scope, and who is told. What is told is the difference to what was told before, so that of many things that are said in a moment
// the last one is heard, and nobody's rate is anybody else's trouble.
// Invariant: whoever has left is in nothing that is told afterwards.
import { encode, type ScopeKey, limits as wire } from '@headwater/protocol'
import { limits } from '../limits.ts'
import type { Clock } from '../ports.ts'
import { differenceOf, firstOf, type People, type Person } from './people.ts'

/** A connection, as those see it who are in the same scope. */
export interface Guest {
  readonly id: string
  readonly user: string
  transmit(frame: string | Buffer): void
  /** It has much unread. */
  isFull(): boolean
}

export interface Gathering {
  /** `value`: as JSON; null: it only watches. */
  join(guest: Guest, value: string | null): void
  has(guest: Guest): boolean
  /** True: it was the last of this server. */
  leave(guest: Guest): boolean
  /** Those of this server who are named elsewhere, and how many there are. */
  own(): Local
  /** Somebody elsewhere has come, gone or said something. */
  stir(): void
}

export interface Local {
  readonly people: People
  readonly count: number
}

interface GatheringDeps {
  readonly clock: Pick<Clock, 'timer'>
  readonly scope: ScopeKey
  /** On other servers. */
  readonly elsewhere: () => { readonly people: Iterable<readonly [string, Person]>; readonly count: number }
}

export function createGathering({ clock, scope, elsewhere }: GatheringDeps): Gathering {
  const values = new Map<Guest, string | null>()
  const newcomers = new Set<Guest>()
  const told = new Map<string, Person>()
  let toldCount = 0
  let isStirred = false
  // Moments for which nobody is told of values, because there was much to tell.
  let rests = 0
  let cancel: (() => void) | null = null

  function stir(): void {
    isStirred = true
    cancel ??= clock.timer(0, tell)
  }

  function* local(): Generator<readonly [string, Person]> {
    for (const [{ id, user }, value] of values) if (value !== null) yield [id, { user, value }]
  }
  function* everybody(): Generator<readonly [string, Person]> {
    yield* local()
    yield* elsewhere().people
  }
  function countOwn(): number {
    let count = 0
    for (const value of values.values()) if (value !== null) count++
    return count
  }

  function tell(): void {
    cancel = isStirred || rests > 0 ? clock.timer(wire.presenceEveryMs, tell) : null
    if (rests > 0) rests--
    if (!isStirred) return
    const { here, gone } = differenceOf(told, firstOf(everybody()))
    const isResting = rests > 0
    const heard = isResting ? [] : here
    for (const id of gone) told.delete(id)
    for (const [id, person] of heard) told.set(id, person)
    const count = countOwn() + elsewhere().count
    const isNews = heard.length > 0 || gone.length > 0 || (!isResting && count !== toldCount)
    if (isNews) toldCount = count
    const said = (isNews ? tellKnown(heard, gone) : 0) + tellNewcomers()
    rests += Math.floor(said / (limits.presenceBytesPerMs * wire.presenceEveryMs))
    isStirred = newcomers.size > 0 || heard.length < here.length || count !== toldCount
  }

  /** Answers how many bytes it took. A device that has much unread is told all anew once it has read it. */
  function tellKnown(here: readonly (readonly [string, Person])[], gone: readonly string[]): number {
    const frame = Buffer.from(frameOf({ scope, isWhole: false, count: toldCount, here, gone }))
    let times = 0
    for (const guest of values.keys()) {
      if (newcomers.has(guest)) continue
      if (guest.isFull()) newcomers.add(guest)
      else {
        guest.transmit(frame)
        times++
      }
    }
    return frame.length * times
  }

  function tellNewcomers(): number {
    const ready = [...newcomers].filter((guest) => !guest.isFull())
    if (ready.length === 0) return 0
    const frame = Buffer.from(frameOf({ scope, isWhole: true, count: toldCount, here: [...told], gone: [] }))
    for (const guest of ready) {
      newcomers.delete(guest)
      guest.transmit(frame)
    }
    return frame.length * ready.length
  }

  return {
    join: (guest, value) => {
      if (values.get(guest) === value) return
      if (!values.has(guest)) newcomers.add(guest)
      values.set(guest, value)
      stir()
    },
    has: (guest) => values.has(guest),
    leave: (guest) => {
      newcomers.delete(guest)
      if (values.delete(guest)) stir()
      if (values.size === 0) cancel?.()
      return values.size === 0
    },
    own: () => ({ people: firstOf(local()), count: countOwn() }),
    stir,
  }
}

interface Telling {
  readonly scope: ScopeKey
  readonly isWhole: boolean
  readonly count: number
  readonly here: readonly (readonly [string, Person])[]
  readonly gone: readonly string[]
}

/** Values are JSON already. */
function frameOf({ scope, isWhole, count, here, gone }: Telling): string {
  const named = here.map(([id, { user, value }]) => `{"id":${JSON.stringify(id)},"user":${JSON.stringify(user)},"value":${value}}`)
  const rest = JSON.stringify({ type: 'presence', scope, granted: true, whole: isWhole, count, gone })
  return `${rest.slice(0, -1)},"here":[${named.join()}]}`
}

/** What a device hears that may not hear anybody. */
export const deniedFrame = (scope: ScopeKey) => encode({ type: 'presence', scope, granted: false, whole: true, count: 0, here: [], gone: [] })
