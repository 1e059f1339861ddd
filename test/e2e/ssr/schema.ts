import { defineMutators, defineSchema, table, text, uuid } from '@headwater/schema'

export const schema = defineSchema({
  tasks: table({ id: uuid().primaryKey(), ownerId: text(), title: text() }).in('person', 'ownerId'),
})
export const mutators = defineMutators(schema, {})
