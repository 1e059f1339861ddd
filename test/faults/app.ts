// The app whose server, database or browser is killed: rows that are inserted once, and a number that is counted up.
import { defineMutators, defineSchema, integer, mutator, refuse, table, text, uuid } from '@headwater/schema'
import { z } from 'zod'

export const schema = defineSchema({
  notes: table({ id: uuid().primaryKey(), ownerId: text(), line: text() }).in('user', 'ownerId'),
  counters: table({ id: uuid().primaryKey(), ownerId: text(), n: integer().default(0) }).in('user', 'ownerId'),
})

export const mutators = defineMutators(schema, {
  count: mutator(z.object({ id: z.uuid() }), async (tx, { id }) => {
    const counter = await tx.query.counters.where({ id }).first()
    if (counter === undefined) refuse('absent', 'There is no such counter.')
    await tx.counters.update({ id, n: counter.n + 1 })
  }),
})

/** One for each device: what many count at once waits for itself. */
export const counters = [0, 1, 2].map((i) => `00000000-0000-4000-8000-00000000000${i}`)
