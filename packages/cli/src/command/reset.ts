import { HeadwaterError } from '@headwater/protocol'
import { resetDatabase, tablesToReset } from '@headwater/server'
import { defineCommand } from 'citty'
import { answer, jsonArg } from '../answer.ts'
import { appArgs, appFolder, findRunning, openFor } from '../app.ts'
import { confirmArgs, isConfirmed } from '../confirm.ts'
import { onLine, paint } from '../paint.ts'
import { createProgress } from '../progress.ts'

export const reset = defineCommand({
  meta: {
    name: 'reset',
    description: 'Empties a database: all tables, views, functions and types of its schema public, and Headwater, go for good. Asks for its name.',
  },
  args: { ...appArgs, ...confirmArgs, ...jsonArg },
  run: async ({ args }) => {
    const app = appFolder(args.app, args.data)
    const running = args.database === undefined ? await findRunning(app) : null
    if (running !== null) throw new HeadwaterError('in-use', `The app runs at ${running.url} (process ${running.pid}).`, 'Stop it first.')
    const database = await openFor(app, args.database)
    const progress = createProgress(args.json === true)
    try {
      const tables = await tablesToReset(database)
      const question = `All rows go for good, and these ${tables.length} tables: ${onLine(tables.join(', '))}.`
      if (!(await isConfirmed(database, args, question)))
        throw new HeadwaterError('usage', 'Nobody has confirmed it.', 'Give --yes, or --confirm with the name of the database.')
      progress(`removing ${tables.length} tables`)
      const done = await resetDatabase(database)
      answer(
        args.json,
        done,
        () => `${paint('green', 'reset')}  ${done.tables.length} tables are gone.\nNext: headwater dev, or headwater migrate and headwater seed.\n`,
      )
    } finally {
      progress(null)
      await database.close()
    }
  },
})
