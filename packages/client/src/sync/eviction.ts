// Which of the on-demand scopes that nobody uses stay on a device. An app that wants them to stay passes this in; one that does not, loads
// none of it.
import { check, count, map, nullable, type ScopeKey, scopeKey } from '@headwater/protocol'
import type { Eviction, HeldRows } from '../api.ts'
import type { DiskRecord } from '../ports.ts'
import { usesMark } from '../store/record.ts'

/** A greeting names every scope that is held, and is one message. */
const scopesMax = 10_000

/** When each scope was last used, in milliseconds since 1970 by this device's clock; null: it is kept. */
const usesShape = map(nullable(count))

/**
 * Rows of on-demand scopes stay after the last use, over restarts of the app as well, for as long as there is room: at most `rows` of them on
 * this device, those in use included (default 50,000), in at most 10,000 scopes, and for at most `days` since the last use (default 7).
 * Beyond, the least recently used scope goes first, as a whole. `client.preload`, `client.keep` and `client.drop` come with it.
 *
 *     createClient({ schema, mutators, url: '/', user, eviction: leastRecentlyUsed({ rows: 20_000 }) })
 */
export function leastRecentlyUsed({ rows = 50_000, days = 7 }: { readonly rows?: number; readonly days?: number } = {}): Eviction {
  return ({ store, ports, usedAt, journal, report, onWanted, readyOf }) => {
    const kept = new Set<ScopeKey>()
    // What is loaded ahead, until all of a call is answered.
    const ahead = new Set<readonly ScopeKey[]>()
    const recordOf = (scopes: Iterable<ScopeKey>) => {
      const uses = Object.fromEntries([...scopes].map((scope) => [scope, kept.has(scope) ? null : usedAt.get(scope)]))
      return `${usesMark}${JSON.stringify(uses)}}`
    }
    // It may be lost: then the scope seems to be unused for longer than it is.
    const used = (scopes: Iterable<ScopeKey>) => void journal()?.cache(recordOf(scopes), 1)

    function choose(idle: readonly ScopeKey[], nowMs: number): readonly ScopeKey[] {
      const { held } = store.scopes()
      const rowsByScope = countRows(store)
      let scopesOver = held.size - scopesMax
      let rowsOver = -rows
      for (const scope of held) rowsOver += rowsByScope.get(scope) ?? 0
      return idle
        .map((scope) => ({ scope, ageMs: Math.abs(nowMs - (usedAt.get(scope) ?? 0)) }))
        .sort((a, b) => b.ageMs - a.ageMs)
        .filter(({ scope, ageMs }) => {
          if (ageMs <= days * 86_400_000 && rowsOver <= 0 && scopesOver <= 0) return false
          scopesOver--
          rowsOver -= rowsByScope.get(scope) ?? 0
          return true
        })
        .map(({ scope }) => scope)
    }

    /** What was used or kept before the disk was read is newer than what lay there. */
    function restore(records: readonly DiskRecord[]): void {
      const early = new Set([...usedAt.keys(), ...kept])
      for (const record of records) hear(record, early)
      if (early.size > 0) used(early)
    }

    function hear(record: DiskRecord, early?: ReadonlySet<ScopeKey>): void {
      if (!record.startsWith(usesMark)) return
      try {
        for (const [scope, atMs] of parse(record)) {
          if (early?.has(scope)) continue
          if (atMs === null) kept.add(scope)
          else kept.delete(scope)
          usedAt.set(scope, atMs ?? 0)
        }
      } catch (error) {
        report(error)
      }
    }

    function touch(scopes: readonly ScopeKey[]): void {
      for (const scope of scopes) usedAt.set(scope, ports.clock.now())
      used(scopes)
      onWanted()
    }

    async function preload(kind: string, keys: readonly string[]): Promise<void> {
      const scopes = keys.map((key) => scopeKey(kind, key))
      ahead.add(scopes)
      onWanted()
      await Promise.allSettled(scopes.map(readyOf))
      ahead.delete(scopes)
      touch(scopes)
    }

    function keep(kind: string, key: string, isKept: boolean): void {
      const scope = scopeKey(kind, key)
      if (isKept) kept.add(scope)
      else kept.delete(scope)
      touch([scope])
    }

    return {
      api: { preload, keep: (kind, key) => keep(kind, key, true), drop: (kind, key) => keep(kind, key, false) },
      wanted: () => [...kept, ...[...ahead].flat()],
      used,
      choose,
      restore,
      hear: (record) => hear(record),
      records: () => [recordOf(new Set([...[...usedAt.keys()].filter((scope) => store.scopes().held.has(scope)), ...kept]))],
    }
  }
}

// Its keys were scopes when they were written.
const parse = (record: DiskRecord) => check(usesShape, JSON.parse(record).uses) as ReadonlyMap<ScopeKey, number | null>

/** A row that is in two scopes is counted in both: it goes with the last one. */
function countRows({ tables }: HeldRows): ReadonlyMap<ScopeKey, number> {
  const rowsByScope = new Map<ScopeKey, number>()
  for (const { definition, rows } of tables.values())
    for (const { kind, column, load } of definition.memberships)
      if (load === 'onDemand')
        rows.forEach((row, _key) => {
          const scope = scopeKey(kind, String(row[column]))
          rowsByScope.set(scope, (rowsByScope.get(scope) ?? 0) + 1)
        }, null)
  return rowsByScope
}
