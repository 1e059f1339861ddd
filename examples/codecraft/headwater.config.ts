import { fileURLToPath } from 'node:url'
import { defineConfig, sql } from '@headwater/server'
import { access } from './src/access.ts'
import { mutators } from './src/mutators.ts'
import { schema } from './src/schema.ts'
import { createRoutes } from './src/server/routes.ts'
import { seed } from './src/server/seed.ts'
import { createSessions } from './src/server/session.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const sessions = createSessions({ secretFile: here('.headwater/secret'), now: () => Date.now() })

export default defineConfig({
  schema,
  access,
  mutators,
  authenticate: (request) => sessions.personOf(request.headers),
  grants: {
    user: sql`select id as user, id as key, 'owner' as role from users`,
    project: sql`
      select owner_id as user, id as key, 'owner' as role from projects
      union all
      select user_id as user, project_id as key, role from project_members
    `,
  },
  web: here('dist'),
  fetch: createRoutes(sessions).fetch,
  seed,
})
