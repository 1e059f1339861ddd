// Invariant: what becomes of mutations follows from the records alone, in their order, whoever reads them and whenever: every tab of a device,
// and every start, comes to the same. Those with a number stand before those without, and their numbers have no gap.
import type { Outcome as Decided, MutationId, Welcome } from '@headwater/protocol'
import type { Outcome, SetAside } from '../api.ts'
import { type Identity, type Made, type OutboxRecord, setAsideOf } from '../store/record.ts'
import { voidName } from './entry.ts'
import { createPast, type Past, pastOf } from './past.ts'

/** What the records say of mutations. */
export interface Heard {
  identity(): Identity
  /** Not settled, in order. */
  readonly made: Map<MutationId, Made>
  /** In the order they were made, so that what builds on another stands behind it. */
  setAside(): readonly SetAside[]
  /** The highest number given. */
  last(): number
  hear(record: OutboxRecord): void
  welcomed(welcome: Welcome): void
  settle(outcome: Decided): void
  /** What was confirmed. */
  readonly past: Past
  /** What became of a mutation that is not among those made any more. */
  outcomeOf(mutation: Made): Outcome
  /** All there is, as one record. */
  whole(): OutboxRecord
  /** True unless a number is missing. */
  isContiguous(): boolean
}

export function createHeard(): Heard {
  let identity: Identity = { device: '', database: null, nonce: null, confirmed: 0 }
  let last = 0
  let sorted: readonly SetAside[] | null = null
  const made = new Map<MutationId, Made>()
  const setAside = new Map<string, SetAside>()
  const past = createPast()

  /** What has a number may have been sent: its number is to be used, and does nothing. */
  function giveUp(id: MutationId): void {
    const one = made.get(id)
    if (setAside.delete(id) || !one) return
    if (one.number > 0) Object.assign(one, { name: voidName, args: null })
    else made.delete(id)
  }

  function begin(whose: Identity, record: OutboxRecord): void {
    identity = whose
    made.clear()
    setAside.clear()
    for (const one of record.setAside ?? []) setAside.set(one.id, one)
    for (const one of record.made ?? []) made.set(one.id, one)
    past.clear()
    record.past?.forEach(past.add)
    last = identity.confirmed
    for (const { number } of made.values()) last = Math.max(last, number)
  }

  /** Numbers of the device before say nothing of this one. */
  function fork(forked: Identity, record: OutboxRecord): void {
    const all = [...(record.made ?? []), ...made.values()]
    begin(forked, { made: all, setAside: [...setAside.values(), ...(record.setAside ?? [])] })
    last = 0
    number((one) => one.number > 0)
  }

  function number(isDue: (one: Made) => boolean): void {
    for (const one of made.values()) if (isDue(one)) one.number = ++last
  }

  return {
    identity: () => identity,
    made,
    setAside: () => {
      sorted ??= [...setAside.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
      return sorted
    },
    last: () => last,
    hear: (record) => {
      sorted = null
      if (record.identity) return begin(record.identity, record)
      if (record.forked) return fork(record.forked, record)
      record.discarded?.forEach(giveUp)
      for (const one of record.made ?? []) {
        const known = made.get(one.id)
        // A snapshot may hold a mutation that is appended behind it as well, and one may be settled by now.
        // Said again without a number, it takes the form of a newer build; what has one may have been sent, and keeps its own.
        if (known) Object.assign(known, known.number ? { after: one.after } : one)
        else if (one.number === 0 || one.number > identity.confirmed) made.set(one.id, one)
      }
      // What was given a number may have been sent: the server decides.
      for (const one of record.setAside ?? []) if (made.get(one.id)?.number === 0 && made.delete(one.id)) setAside.set(one.id, one)
      let due = record.numbered ?? 0
      if (due > 0) number((one) => one.number === 0 && due-- > 0)
    },
    welcomed: ({ database, nonce }) => {
      identity = { ...identity, database, nonce }
    },
    settle: (outcome) => {
      sorted = null
      const { number, type } = outcome
      identity = { ...identity, confirmed: Math.max(identity.confirmed, number) }
      last = Math.max(last, number)
      for (const one of made.values()) {
        if (one.number > number || one.number === 0) return
        if (one.number < number) continue
        made.delete(one.id)
        past.add(pastOf(one, type))
        if (type === 'refused' && one.name !== voidName) setAside.set(one.id, setAsideOf(one, outcome))
      }
    },
    past,
    outcomeOf: ({ id, number }) => {
      const aside = setAside.get(id)
      if (aside) return { type: 'refused', code: aside.code, reason: aside.reason }
      const known = past.made.findLast((one) => one.id === id)
      // Who was away for so long that it is not remembered has heard of no refusal either.
      return (known ? known.name === voidName : !number) ? { type: 'refused', code: voidName, reason: 'Discarded.' } : { type: 'applied' }
    },
    whole: () => ({ identity, past: past.made, made: [...made.values()], setAside: [...setAside.values()] }),
    isContiguous: () => {
      let next = identity.confirmed
      return [...made.values()].every(({ number }) => !number || number === ++next)
    },
  }
}
