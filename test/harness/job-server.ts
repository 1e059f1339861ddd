// A server whose handler of `record` does its work and takes its process down before the job's end is written.
import { openPostgres } from '@headwater/server'
import { startServer } from './app.ts'

const database = await openPostgres(process.argv[2] ?? '')
await startServer(database, {
  jobLimits: { timeoutMs: 200 },
  jobs: {
    record: async (_, { key, attempt }) => {
      await database.query('insert into tries (key, attempt) values ($1, $2::int)', [key, attempt])
      process.kill(process.pid, 'SIGKILL')
      await new Promise(() => {})
    },
  },
})
