// Invariant: whatever has happened to a store, every mutation that can still be read is kept. Rows and cursor are given up as
// soon as anything is not as it was written: they are loaded again.
import { HeadwaterError, type Welcome } from '@headwater/protocol'
import type { RowsOption } from '../api.ts'
import type { DiskRecord } from '../ports.ts'
import { type Entry, formatVersion, headerRecord, parseRecord, weightOf } from '../store/record.ts'
import type { Store } from '../store/store.ts'
import type { Heard } from './heard.ts'

export interface Restored {
  readonly welcome: Welcome | null
  /** Rows in the records, as a measure of the log. One of an older format is to be written anew, whatever is in it. */
  readonly weight: number
  /** False: rows and cursor were dropped, and numbers cannot be relied on. */
  readonly isWhole: boolean
}

/** Hears the records of a disk into an empty store; who hears is of device '' where the disk was empty, or its identity cannot be read. Throws `store-version` for a store that a newer app wrote, before anything is changed. */
export function restore(records: readonly DiskRecord[], store: Store, heard: Heard, report: (error: unknown) => void, rows?: RowsOption): Restored {
  let welcome: Welcome | null = null
  let isWhole = true
  let isLevel = true
  let weight = formatVersion > 1 && !records.includes(headerRecord) ? Infinity : 0

  function hear(entry: Entry): void {
    if (entry === null) return
    if (entry.type === 'outbox') {
      isWhole &&= entry.isWhole
      return heard.hear(entry.outbox)
    }
    weight += weightOf(entry)
    switch (entry.type) {
      case 'welcome':
        welcome = entry
        store.dropLoads(entry.continued)
        heard.welcomed(entry)
        isLevel &&= !store.lacks(entry.columns)
        return store.setColumns(entry.columns)
      case 'load':
        return store.stage(entry)
      case 'checkpoint':
        for (const outcome of entry.outcomes) heard.settle(outcome)
        store.restore(store.prepare(entry, store.takeLoads(entry.loads)))
        isLevel ||= entry.replace
        return
      default:
        isWhole = false
    }
  }

  for (const record of records) {
    try {
      if (!rows?.hear(record, store.tables)) hear(parseRecord(record))
    } catch (error) {
      if (error instanceof HeadwaterError && error.code === 'store-version') throw error
      isWhole = false
      report(error)
    }
  }
  isWhole &&= heard.isContiguous()
  // Otherwise pieces of a load stay: another tab may be talking to the server that sends the rest. The next welcome drops them.
  if (!isWhole) {
    store.dropLoads()
    report(new HeadwaterError('corrupt', 'This store is damaged.'))
    store.restore(store.nothing())
  } else if (!isLevel) store.forgetCursor()
  return { welcome, weight, isWhole }
}
