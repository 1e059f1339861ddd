// Who holds what: each person themselves, their projects, and those that they were let into.
import { sql } from '@headwater/server'

export const grants = {
  user: sql`select id as user, id as key, 'owner' as role from users`,
  project: sql`
    select owner_id as user, id as key, 'owner' as role from projects
    union all
    select user_id as user, project_id as key, role from project_members
  `,
}
