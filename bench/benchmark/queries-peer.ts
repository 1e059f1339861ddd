// The same questions to TanStack DB, as its documentation asks them. It keeps rows in memory alone. It has no indexes here: with those that it makes by itself (`autoIndex: 'eager'`,
// `BTreeIndex`), or with a live query of the top 50 above a bulk insert, its graph overflows the stack at 100,000 rows that come in order.
import { count, createCollection, createLiveQueryCollection, eq, gt, localOnlyCollectionOptions, sum } from '@tanstack/db'
import type { List, ListItem } from './queries.ts'

export interface Peer {
  /** All at once, into a collection that nobody asks: the milliseconds until it holds them. */
  readonly bulkMs: number
  top(round: number): Promise<void>
  join(round: number): Promise<void>
  group(round: number): Promise<void>
}

interface Live {
  preload(): Promise<void>
  cleanup(): Promise<void>
  readonly size: number
}

export async function createPeer(lists: readonly List[], items: readonly ListItem[]): Promise<Peer> {
  const plain = { autoIndex: 'off' as const }
  const listsHeld = createCollection(localOnlyCollectionOptions({ id: 'lists', getKey: (list: List) => list.id, initialData: [...lists], ...plain }))
  const optionsOf = (id: string, initialData: readonly ListItem[]) =>
    localOnlyCollectionOptions({ id, getKey: (item: ListItem) => item.id, initialData: [...initialData], ...plain })
  const filled = createCollection(optionsOf('filled', []))
  await filled.preload()
  const start = performance.now()
  filled.insert([...items])
  while (filled.size < items.length) await new Promise((resolve) => setImmediate(resolve))
  const bulkMs = performance.now() - start
  await filled.cleanup()
  const itemsHeld = createCollection(optionsOf('items', items))
  await Promise.all([listsHeld.preload(), itemsHeld.preload()])
  async function setUp(live: Live, least: number): Promise<void> {
    await live.preload()
    if (live.size < least) throw new Error(`The peer has ${live.size} of ${least} rows.`)
    await live.cleanup()
  }

  return {
    bulkMs,
    top: (round) =>
      setUp(
        createLiveQueryCollection({
          startSync: true,
          query: (q) =>
            q
              .from({ item: itemsHeld })
              .where(({ item }) => gt(item.rank, round))
              .orderBy(({ item }) => item.updatedAt, 'desc')
              .limit(50),
        }),
        50,
      ),
    join: (round) =>
      setUp(
        createLiveQueryCollection({
          startSync: true,
          query: (q) =>
            q
              .from({ item: itemsHeld })
              .join({ list: listsHeld }, ({ item, list }) => eq(item.listId, list.id))
              .where(({ item }) => gt(item.rank, round)),
        }),
        1_000,
      ),
    group: (round) =>
      setUp(
        createLiveQueryCollection({
          startSync: true,
          query: (q) =>
            q
              .from({ item: itemsHeld })
              .where(({ item }) => gt(item.rank, round))
              .groupBy(({ item }) => item.listId)
              .select(({ item }) => ({ listId: item.listId, n: count(item.id), total: sum(item.rank) })),
        }),
        1_000,
      ),
  }
}
