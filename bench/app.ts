// The app that is measured, as devices and servers share it: one table of rows of about 320 bytes as they travel, in the scope of their owner.
import type { Client } from '@headwater/client'
import { defineMutators, defineSchema, enumeration, integer, mutator, type Row, table, text, timestamp, uuid } from '@headwater/schema'
import { z } from 'zod'

export const schema = defineSchema({
  items: table({
    id: uuid().primaryKey(),
    ownerId: text(),
    title: text().max(200),
    status: enumeration('open', 'done').default('open'),
    rank: integer(),
    createdAt: timestamp(),
    updatedAt: timestamp(),
    body: text(),
  }).in('user', 'ownerId'),
})
export type Item = Row<(typeof schema)['tables']['items']>

const item = z.object({
  id: z.uuid(),
  ownerId: z.string(),
  title: z.string(),
  status: z.enum(['open', 'done']),
  rank: z.int(),
  createdAt: z.string(),
  updatedAt: z.string(),
  body: z.string(),
})

export const mutators = defineMutators(schema, {
  importItems: mutator(z.object({ items: z.array(item) }), async (tx, { items }) => {
    for (const one of items) await tx.items.insert(one)
  }),
})

export type BenchClient = Client<typeof schema, typeof mutators>

/** The person of every benchmark that needs but one. */
export const person = 'ada'

export const itemId = (i: number) => `00000000-0000-4000-8000-${i.toString(16).padStart(12, '0')}`

/** The ith row. Its body is as long as in `fillSql`, and as little alike from row to row. */
export function itemOf(i: number, ownerId = person): Item {
  const at = new Date(Date.UTC(2026, 10, 21, 3, 43, 43) + i * 1_000).toISOString().replace('Z', '000Z')
  const word = (salt: number) => (Math.imul(i * 5 + salt, 2_654_435_761) >>> 0).toString(16).padStart(8, '0').repeat(4)
  const body = [word(1), word(2), word(3), word(4), word(5)].join(' ')
  return { id: itemId(i), ownerId, title: `Item ${i} of the list`, status: 'open', rank: i, createdAt: at, updatedAt: at, body }
}
