// Who may write what, judged in the database, and known beforehand on the device. What is not allowed here is denied.
import { defineAccess, eq, role } from '@headwater/schema'
import { schema } from './schema.ts'

const editors = role('list', 'editor')
const owners = role('list', 'owner')

export const access = defineAccess(
  schema,
  {
    lists: { insert: ({ row, person }) => eq(row.ownerId, person), update: { columns: { title: editors } }, delete: owners },
    members: { insert: owners, update: { columns: { role: owners } }, delete: owners },
    items: { insert: editors, update: { columns: { text: editors, done: editors, position: editors } }, delete: editors },
  },
  // Each can what those before it can.
  { roles: { list: ['viewer', 'editor', 'owner'] } },
)
