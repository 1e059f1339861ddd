// Changes of more than one row, or with thought in them: run on the device at once, and in the database for good.
// Plain insert, update and delete need none: `mutate.items.update({ id, done: true })`.
import { defineMutators, mutator } from '@headwater/schema'
import { z } from 'zod'
import { schema } from './schema.ts'

export const mutators = defineMutators(schema, {
  addItem: mutator(z.object({ listId: z.uuid(), text: z.string().min(1).max(1000) }), async (tx, { listId, text }) => {
    const last = await tx.query.items.where({ listId }).orderBy('position', 'desc').first()
    await tx.items.insert({ id: tx.id(), listId, text, position: (last?.position ?? 0) + 1 })
  }),
})
