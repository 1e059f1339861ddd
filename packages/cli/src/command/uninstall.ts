import { HeadwaterError } from '@headwater/protocol'
import { uninstall as uninstallFrom } from '@headwater/server'
import { defineCommand } from 'citty'
import { answer, jsonArg } from '../answer.ts'
import { appArgs, appFolder, findRunning, openFor } from '../app.ts'
import { confirmArgs, isConfirmed } from '../confirm.ts'
import { paint } from '../paint.ts'

export const uninstall = defineCommand({
  meta: { name: 'uninstall', description: 'Takes Headwater out of a database: triggers, functions and its schema. The tables of the app stay as they are.' },
  args: {
    ...appArgs,
    ...confirmArgs,
    ...jsonArg,
  },
  run: async ({ args }) => {
    const app = appFolder(args.app, args.data)
    const running = args.database === undefined ? await findRunning(app) : null
    if (running !== null) throw new HeadwaterError('in-use', `The app runs at ${running.url} (process ${running.pid}).`, 'Stop it first.')
    const database = await openFor(app, args.database)
    try {
      const question = 'The log of changes, what devices sent, and jobs that wait are removed for good. The tables of the app stay.'
      if (!(await isConfirmed(database, args, question)))
        throw new HeadwaterError('usage', 'Nobody has confirmed it.', 'Give --yes, or --confirm with the name of the database.')
      const done = await uninstallFrom(database)
      answer(args.json, done, () => `${paint('green', 'uninstalled')}  the tables stay: ${done.tables.join(', ')}\n`)
    } finally {
      await database.close()
    }
  },
})
