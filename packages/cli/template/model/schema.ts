// What is stored, said once for both sides. A table that is missing in the database is made, and a column that is missing is added.
import { boolean, defineSchema, enumeration, integer, ref, table, text, uuid } from '@headwater/schema'

export const schema = defineSchema({
  lists: table({
    id: uuid().primaryKey(),
    ownerId: text().max(100),
    title: text().max(200),
  }).in('list', 'id'),

  members: table({
    listId: ref('lists', { onDelete: 'cascade' }),
    userId: text().max(100),
    role: enumeration('editor', 'viewer'),
  })
    .primaryKey('listId', 'userId')
    .in('list', 'listId'),

  items: table({
    id: uuid().primaryKey(),
    listId: ref('lists', { onDelete: 'cascade' }),
    text: text().max(1000),
    done: boolean().default(false),
    position: integer(),
  }).in('list', 'listId'),
})
