import { fileURLToPath } from 'node:url'
import { defineConfig } from '@headwater/server'
import { access } from './src/access.ts'
import { mutators } from './src/mutators.ts'
import { createAnswers } from './src/server/assistant/answers.ts'
import { grants } from './src/server/grants.ts'
import { serverMutators } from './src/server/mutators.ts'
import { createRoutes } from './src/server/routes.ts'
import { serverSchema } from './src/server/schema.ts'
import { seed } from './src/server/seed.ts'
import { createSessions } from './src/server/session.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const sessions = createSessions({ secretFile: here('.headwater/secret'), now: () => Date.now() })
const answers = createAnswers({ now: () => Date.now(), wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)) })

export default defineConfig({
  schema: serverSchema,
  access,
  mutators,
  serverMutators,
  jobs: { answer: answers.handler },
  // An answer takes 10 seconds at most; one whose server died says so when its job comes due again.
  jobLimits: { timeoutMs: 15_000 },
  authenticate: (request) => sessions.sessionOf(request.headers),
  grants,
  web: here('dist'),
  fetch: createRoutes(sessions, answers).fetch,
  seed,
})
