import { defineConfig, sql } from '@headwater/server'
import { access } from './model/access.ts'
import { mutators } from './model/mutators.ts'
import { schema } from './model/schema.ts'
import { seed } from './server/seed.ts'
import { personOf, signIn } from './server/session.ts'

export default defineConfig({
  schema,
  access,
  mutators,
  seed,
  authenticate: (request) => personOf(request.headers),
  // Who holds which list, in which role: a relation in SQL. When a table in it changes, devices gain and lose rows at once.
  grants: {
    list: sql`select owner_id as "user", id as key, 'owner' as role from lists
              union all
              select user_id as "user", list_id as key, role from members`,
  },
  // What is not Headwater's own, then the built pages.
  fetch: signIn,
  web: 'dist',
})
