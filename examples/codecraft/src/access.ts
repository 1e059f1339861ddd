// Who may write what. Devices have it too: what is refused is not offered.
import { and, defineAccess, eq, isNull, type Judged, or, role } from '@headwater/schema'
import { schema } from './schema.ts'

const editors = role('project', 'editor')
const owners = role('project', 'owner')
type Judging = Judged<typeof schema, (typeof schema)['tables']['projects']>
const isOwn = ({ row, person }: Judging) => eq(row.ownerId, person)
const editing = (judged: Judging) => or(editors, isOwn(judged))

export const access = defineAccess(
  schema,
  {
    // Whose it is stands in the row itself: a device knows it before the database has heard of the project.
    projects: {
      insert: isOwn,
      // The owner, the slug and the day it was made stay as they are.
      update: { columns: { title: editing, description: editing, framework: editing, status: editing, updatedAt: editing } },
      delete: isOwn,
    },
    projectMembers: {
      insert: owners,
      update: { columns: { role: owners } },
      // Who is in it may leave.
      delete: ({ row, person }) => or(owners, eq(row.userId, person)),
    },
    messages: {
      // In one's own name, or in the assistant's.
      insert: ({ row, person }) => and(editors, or(eq(row.authorId, person), and(isNull(row.authorId), eq(row.role, 'assistant')))),
      // What a message says stays as it is; an answer can be stopped, and continued.
      update: { columns: { state: editors } },
      delete: owners,
    },
    files: {
      insert: editors,
      update: { columns: { path: editors, content: editors, language: editors, updatedAt: editors, conflictOf: editors, conflictBy: editors } },
      delete: editors,
    },
  },
  { roles: { project: ['viewer', 'editor', 'owner'] } },
)
