// What queries cost to set up on a device that holds 100,000 rows in 1,000 lists, beside TanStack DB with the same rows in the same process. The device is offline and
// has made the rows itself. The limits are the same answers worked out by hand, with a map and a loop; those of the peer are our own figures.
import { tmpdir } from 'node:os'
import { type Client, count, createClient, many, one, sum } from '@headwater/client'
import { createMemoryDisks, nodePorts } from '@headwater/client/node'
import { defineMutators, defineSchema, enumeration, gt, integer, mutator, ref, table, text, timestamp, uuid } from '@headwater/schema'
import WebSocket from 'ws'
import { z } from 'zod'
import { type Item, itemOf } from '../app.ts'
import { type Figure, median, timed } from '../figure.ts'
import { pause, until } from '../wait.ts'
import { createPeer, type Peer } from './queries-peer.ts'

const schema = defineSchema({
  lists: table({ id: text().primaryKey(), name: text() }).in('user', 'id'),
  items: table({
    id: uuid().primaryKey(),
    ownerId: text(),
    listId: ref('lists'),
    title: text().max(200),
    status: enumeration('open', 'done').default('open'),
    rank: integer(),
    createdAt: timestamp(),
    updatedAt: timestamp(),
    body: text(),
  }).in('user', 'ownerId'),
})
export type ListItem = Item & { readonly listId: string }
export interface List {
  readonly id: string
  readonly name: string
}

const mutators = defineMutators(schema, {
  importItems: mutator<typeof schema, { items: ListItem[] }>(z.object({ items: z.array(z.any()) }), async (tx, { items }) => {
    for (const item of items) await tx.items.insert(item)
  }),
})
type QueryClient = Client<typeof schema, typeof mutators>

const rows = 100_000
const lists: readonly List[] = Array.from({ length: 1_000 }, (_, i) => ({ id: `list-${i}`, name: `List ${i}` }))
const items: readonly ListItem[] = Array.from({ length: rows }, (_, i) => ({ ...itemOf(i + 1), listId: `list-${i % lists.length}` }))
const setUps = 5

export async function queries(): Promise<readonly Figure[]> {
  const device = await openDevice()
  const bulkMs = await fill(device)
  const ours = [...(await setUpsOf(device)), { name: 'bulk insert', value: bulkMs, limit: bulkMs }]
  await device.close()
  const peer = await createPeer(lists, items)
  const theirs = new Map([['bulk insert', peer.bulkMs], ...(await peerSetUpsOf(peer))])
  return [
    ...ours.slice(0, 4).map(({ name, value, limit }): Figure => ({ name: `queries, ${name}`, unit: 'ms', value, limit })),
    ...ours.flatMap(({ name, value }): readonly Figure[] => {
      const their = theirs.get(name)
      return their === undefined ? [] : [{ name: `queries, ${name}, TanStack DB`, unit: 'ms', value: their, limit: value }]
    }),
  ]
}

interface Measured {
  readonly name: string
  readonly value: number
  readonly limit: number
}

async function openDevice(): Promise<QueryClient> {
  const ports = { ...nodePorts({ directory: tmpdir(), WebSocket }), openDisk: createMemoryDisks().open }
  const device = createClient({ schema, mutators, url: 'http://127.0.0.1:1', user: 'ada', ports })
  await device.ready
  return device
}

/** As an app moves its rows in: until the last of them is shown. */
async function fill(device: QueryClient): Promise<number> {
  for (const list of lists) device.mutate.lists.insert(list)
  const top = device.query.items.orderBy('rank', 'desc').limit(50).live()
  const start = performance.now()
  for (let at = 0; at < rows; at += 500) device.mutate.importItems({ items: items.slice(at, at + 500) })
  await until(top, () => top.result().rows[0]?.rank === rows)
  return performance.now() - start
}

/** Each time another question: equal ones share what was set up. */
async function setUpsOf({ query }: QueryClient): Promise<readonly Measured[]> {
  const asked = (round: number) => query.items.where({ rank: gt(round) })
  const named = new Map(lists.map((list) => [list.id, list]))
  return [
    {
      name: 'top 50',
      value: await setUp((round) => asked(round).orderBy('updatedAt', 'desc').limit(50), 50),
      limit: await byHand((round) => sortedByTime(items.filter(({ rank }) => rank > round)).slice(0, 50)),
    },
    {
      name: '100k rows with the row they refer to',
      value: await setUp((round) => asked(round).with({ list: one(query.lists, 'listId') }), rows - setUps),
      limit: await byHand((round) => items.filter(({ rank }) => rank > round).map((item) => ({ ...item, list: named.get(item.listId) }))),
    },
    {
      name: '1k rows with the 100k that refer to them',
      value: await setUp((round) => query.lists.with({ items: many(asked(round), 'listId') }), lists.length),
      limit: await byHand((round) => {
        const groups = groupsOf(items.filter(({ rank }) => rank > round))
        return lists.map((list) => ({ ...list, items: groups.get(list.id) ?? [] }))
      }),
    },
    {
      name: '1k groups of 100k rows',
      value: await setUp((round) => asked(round).aggregate({ n: count(), total: sum('rank') }, 'listId'), lists.length),
      limit: await byHand((round) => {
        const totals = new Map<string, { n: number; total: number }>()
        for (const { listId, rank } of items) {
          if (rank <= round) continue
          const group = totals.get(listId) ?? { n: 0, total: 0 }
          group.n++
          group.total += rank
          totals.set(listId, group)
        }
        return [...totals.values()]
      }),
    },
  ]
}

const sortedByTime = (found: ListItem[]) => found.sort((a, b) => (a.updatedAt < b.updatedAt ? 1 : -1))

function groupsOf(found: readonly ListItem[]): Map<string, ListItem[]> {
  const groups = new Map<string, ListItem[]>()
  for (const item of found) {
    const group = groups.get(item.listId)
    if (group) group.push(item)
    else groups.set(item.listId, [item])
  }
  return groups
}

async function setUp(
  ask: (round: number) => { live(): { result(): { readonly rows: readonly unknown[] }; subscribe(run: () => void): () => void } },
  least: number,
) {
  const times = await timed(setUps, async (round) => {
    const live = ask(round).live()
    const unsubscribe = live.subscribe(() => {})
    if (live.result().rows.length < least) throw new Error(`The query has ${live.result().rows.length} of ${least} rows.`)
    unsubscribe()
    await pause(1)
  })
  // The pause lets what was set up go.
  return median(times) - 1
}

async function byHand(answer: (round: number) => readonly unknown[]): Promise<number> {
  return median(
    await timed(setUps, (round) => {
      if (answer(round).length === 0) throw new Error('There is no answer.')
    }),
  )
}

/** Once each: it takes seconds. */
async function peerSetUpsOf(peer: Peer): Promise<readonly (readonly [string, number])[]> {
  const once = async (work: (round: number) => Promise<void>) => {
    const start = performance.now()
    await work(0)
    return performance.now() - start
  }
  return [
    ['top 50', await once(peer.top)],
    ['100k rows with the row they refer to', await once(peer.join)],
    ['1k groups of 100k rows', await once(peer.group)],
  ]
}
