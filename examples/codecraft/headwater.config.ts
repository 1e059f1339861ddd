import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig, sql } from '@headwater/server'
import { mutators } from './src/mutators.ts'
import { schema } from './src/schema.ts'
import { createRoutes } from './src/server/routes.ts'
import { seed } from './src/server/seed.ts'
import { createSessions } from './src/server/session.ts'

/** Everything this app keeps on this machine: the embedded database, and the secret that signs its sessions. */
const home = process.env.CODECRAFT_HOME ?? fileURLToPath(new URL('.headwater', import.meta.url))
mkdirSync(home, { recursive: true, mode: 0o700 })

const sessions = createSessions({ secretFile: join(home, 'secret'), now: () => Date.now() })
const databaseUrl = process.env.DATABASE_URL

export default defineConfig({
  schema,
  mutators,
  ...(databaseUrl !== undefined && { database: databaseUrl }),
  directory: join(home, 'database'),
  authenticate: (request) => sessions.personOf(request.headers),
  grants: {
    user: sql`select id as user, id as key, 'owner' as role from users`,
    project: sql`
      select owner_id as user, id as key, 'owner' as role from projects
      union all
      select user_id as user, project_id as key, role from project_members
    `,
  },
  web: 'dist',
  fetch: createRoutes(sessions).fetch,
  seed,
})
