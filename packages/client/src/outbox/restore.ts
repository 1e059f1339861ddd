// Invariant: whatever has happened to a store, every mutation that can still be read is kept. Rows and cursor are given up as
// soon as anything is not as it was written: they are loaded again.
import { HeadwaterError, type Outcome, type Welcome } from '@headwater/protocol'
import type { SetAside } from '../api.ts'
import type { DiskRecord } from '../ports.ts'
import { type Entry, type Identity, type Made, type OutboxRecord, parseRecord, setAsideOf, weightOf } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import { voidName } from './entry.ts'
import { pastOf } from './past.ts'

export interface Restored {
  /** null: an empty disk, or one whose identity cannot be read. */
  readonly identity: Identity | null
  readonly made: readonly Made[]
  /** What was confirmed, as far as the disk still has it. */
  readonly past: readonly Made[]
  readonly setAside: readonly SetAside[]
  readonly welcome: Welcome | null
  /** Rows in the records, as a measure of the log. */
  readonly weight: number
  /** False: rows and cursor were dropped, and numbers cannot be relied on. */
  readonly isWhole: boolean
}

/** Hears the records of a disk into an empty store. Throws `store-version` for a store that a newer app wrote, before anything is changed. */
export function restore(records: readonly DiskRecord[], store: Store, report: (error: unknown) => void): Restored {
  const outbox = createHeardOutbox()
  let welcome: Welcome | null = null
  let isWhole = true
  let isLevel = true
  let weight = 0

  function hear(entry: Entry): void {
    if (entry === null) return
    if (entry.type === 'outbox') {
      isWhole &&= entry.isWhole
      return outbox.hear(entry.outbox)
    }
    weight += weightOf(entry)
    switch (entry.type) {
      case 'welcome':
        welcome = entry
        store.dropLoads(entry.continued)
        outbox.welcomed(entry)
        isLevel &&= !store.lacks(entry.columns)
        return store.setColumns(entry.columns)
      case 'load':
        return store.stage(entry)
      case 'checkpoint':
        for (const outcome of entry.outcomes) outbox.settle(outcome)
        store.restore(store.prepare(entry, store.takeLoads(entry.loads)))
        isLevel ||= entry.replace
        return
      default:
        isWhole = false
    }
  }

  for (const record of records) {
    try {
      hear(parseRecord(record))
    } catch (error) {
      if (error instanceof HeadwaterError && error.code === 'store-version') throw error
      isWhole = false
      report(error)
    }
  }
  const heard = outbox.heard()
  isWhole &&= heard.isContiguous
  store.dropLoads(isWhole)
  if (!isWhole) store.restore(store.nothing())
  else if (!isLevel) store.forgetCursor()
  return { ...heard, welcome, weight, isWhole }
}

/** What the records say of mutations. */
function createHeardOutbox() {
  let identity: Identity | null = null
  let confirmed = 0
  let past: Made[] = []
  const made = new Map<number, Made>()
  const setAside = new Map<string, SetAside>()

  return {
    hear: (record: OutboxRecord) => {
      if (record.identity) {
        identity = record.identity
        confirmed = identity.confirmed
        past = record.past ?? []
        made.clear()
        setAside.clear()
      }
      for (const one of record.setAside ?? []) setAside.set(one.id, one)
      for (const id of record.discarded ?? []) setAside.delete(id)
      // A snapshot may hold a mutation that is appended behind it as well.
      for (const one of record.made ?? []) if (one.number > confirmed) made.set(one.number, one)
    },
    welcomed: ({ database, nonce }: Welcome) => {
      if (identity) identity = { ...identity, database, nonce }
    },
    settle: (outcome: Outcome) => {
      const { number, type } = outcome
      const one = made.get(number)
      if (one && type === 'refused' && one.name !== voidName) setAside.set(one.id, setAsideOf(one, outcome))
      if (one) past.push(pastOf(one, type))
      made.delete(number)
      confirmed = Math.max(confirmed, number)
    },
    heard: () => {
      const inOrder = [...made.values()].sort((a, b) => a.number - b.number)
      const isContiguous = inOrder.every(({ number }, at) => number === confirmed + 1 + at)
      return { identity: identity && { ...identity, confirmed }, made: inOrder, past, setAside: [...setAside.values()], isContiguous }
    },
  }
}
