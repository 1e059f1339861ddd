// Invariant: a tab comes to what the log says, record by record in its order, or by reading all of it anew and showing that in one step.
import type { Down, Welcome } from '@headwater/protocol'
import type { EngineOptions } from '../engine.ts'
import { createHeard } from '../outbox/heard.ts'
import { restore } from '../outbox/restore.ts'
import type { DiskRecord } from '../ports.ts'
import type { Delta } from '../store/delta.ts'
import { type OutboxRecord, parseRecord } from '../store/record.ts'
import type { Row } from '../store/row.ts'
import { createStore, type Store } from '../store/store.ts'
import { forgotten } from './parting.ts'
import type { Hold } from './standing.ts'

export interface Hearing {
  /** What others have appended. Throws if it does not go on from what is here. */
  hear(records: readonly DiskRecord[]): Promise<void>
  /**
   * All there is. Throws `store-version` if a newer build wrote it, and `forgotten` if it is of another device: this one was signed out. `isNew`: nothing of this
   * one was ever there, so that another tab was the first, and both are one device. False: it was not begun yet, by either.
   */
  reread(records: readonly DiskRecord[], isNew: boolean): Promise<boolean>
  /** True if rows lack columns that this build knows: who leads loads them again. */
  lacks(): boolean
  /** What a server said last to who led; null: not since this tab is not alone. */
  welcome(): Welcome | null
}

export interface HearingDeps extends Pick<Hold, 'store' | 'outbox' | 'sync' | 'report' | 'schema' | 'clock'> {
  readonly rows?: EngineOptions['rows']
  /** A mutation of another tab was heard of. */
  readonly onMade: () => void
}

export function createHearing(deps: HearingDeps): Hearing {
  const { store, outbox, sync, report } = deps
  let lacks = false
  let welcome: Welcome | null = null

  async function hear(records: readonly DiskRecord[]): Promise<void> {
    let said: OutboxRecord[] = []
    const follow = async () => {
      const together = said
      said = []
      if (together.length === 0) return
      await outbox.follow(() => {
        for (const record of together) outbox.hear(record)
        return null
      })
      deps.onMade()
    }
    for (const record of records) {
      sync.holds.eviction?.hear(record)
      const entry = parseRecord(record)
      if (entry?.type === 'outbox') {
        said.push(entry.outbox)
        continue
      }
      await follow()
      if (entry) await apply(entry)
    }
    await follow()
  }

  async function apply(frame: Down): Promise<void> {
    if (frame.type === 'welcome') {
      lacks ||= store.lacks(frame.columns)
      store.dropLoads(frame.continued)
      store.setColumns(frame.columns)
      outbox.welcomed(frame)
      welcome = frame
    }
    if (frame.type === 'load') store.stage(frame)
    if (frame.type !== 'checkpoint') return
    await outbox.receive(frame, store.takeLoads(frame.loads), () => Promise.resolve())
    sync.holds.follow(false)
    if (frame.replace) lacks = false
  }

  async function reread(records: readonly DiskRecord[], isNew: boolean): Promise<boolean> {
    const { schema, clock, rows } = deps
    const next = createStore({ schema, clock, report, rows, stateOf: () => 'loading' })
    const heard = createHeard()
    const restored = restore(records, next, heard, report, rows)
    const mine = outbox.identity()
    const { device } = heard.identity()
    // In a log that knows this device it has become another one; otherwise it is of somebody who has signed in after this person had signed out.
    if (!isNew && !records.some((record) => record.includes(mine.device))) throw forgotten()
    // Nobody has begun the log yet.
    const whole = device ? heard.whole() : { ...heard.whole(), identity: mine }
    lacks = restored.isWhole && next.cursor() === null && store.cursor() !== null
    for (const record of records) sync.holds.eviction?.hear(record)
    await outbox.follow(() => {
      outbox.hear(whole)
      welcome = restored.welcome
      take(next)
      return differences(store, next)
    })
    sync.holds.follow(false)
    deps.onMade()
    return device !== ''
  }

  function take(next: Store): void {
    if (welcome) store.setColumns(welcome.columns)
    store.dropLoads()
    for (const piece of next.staged()) store.stage(piece)
  }

  return { hear, reread, lacks: () => lacks, welcome: () => welcome }
}

/** What makes one store of the other. */
function differences(store: Store, next: Store): Delta {
  store.settle()
  const layer: Delta['layer'] = new Map()
  for (const [name, { rows }] of next.tables) {
    const changes = new Map<string, Row | null>()
    for (const key of store.tables.get(name)?.rows.keys() ?? []) if (!rows.has(key)) changes.set(key, null)
    rows.forEach((row, key) => changes.set(key, row), null)
    layer.set(name, changes)
  }
  return { layer, scopes: next.scopes(), cursor: next.cursor() }
}
