import { defineMutators, defineSchema, table, text } from '@headwater/schema'

export const schema = defineSchema({
  members: table({ boardId: text(), person: text() }).primaryKey('boardId', 'person').in('board', 'boardId'),
  notes: table({ id: text().primaryKey(), boardId: text() }).in('board', 'boardId'),
})
export const mutators = defineMutators(schema, {})
