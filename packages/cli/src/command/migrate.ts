import { join } from 'node:path'
import { HeadwaterError } from '@headwater/protocol'
import { type Config, type Database, type Migrated, type MigrateOptions, migrate as migrateDatabase } from '@headwater/server'
import { defineCommand } from 'citty'
import { answer, jsonArg } from '../answer.ts'
import { appArgs, appFolder, loadConfig, openFor } from '../app.ts'
import { confirmArgs, isConfirmed } from '../confirm.ts'
import { onLine, paint } from '../paint.ts'
import { createProgress } from '../progress.ts'

export const migrate = defineCommand({
  meta: { name: 'migrate', description: 'Brings the database to the app: its files in migrations/, what is missing of its schema, and what captures it.' },
  args: {
    ...appArgs,
    folder: { type: 'string', description: 'folder of the numbered SQL files (default: migrations in the app)' },
    'dry-run': { type: 'boolean', description: 'print the SQL; it is run and undone, with the locks that it takes' },
    ...confirmArgs,
    ...jsonArg,
  },
  run: async ({ args }) => {
    const app = appFolder(args.app, args.data)
    const config = await loadConfig(app)
    const database = await openFor(app, args.database)
    const progress = createProgress(args.json === true)
    try {
      const mayDestroy = await isConfirmed(database, args, null)
      const options = { folder: args.folder ?? join(app.folder, 'migrations'), isDryRun: args['dry-run'] === true, mayDestroy, onStep: progress }
      const migrated = await confirming(database, config, options, progress)
      answer(args.json, migrated, () => textOf(migrated, options.isDryRun))
    } finally {
      progress(null)
      await database.close()
    }
  },
})

/** Where it destroys something, and somebody is there to be asked, they are. */
async function confirming(database: Database, config: Config, options: MigrateOptions, progress: (step: null) => void): Promise<Migrated> {
  try {
    return await migrateDatabase(database, config, options)
  } catch (error) {
    progress(null)
    if (!(error instanceof HeadwaterError) || error.code !== 'destructive' || !(await isConfirmed(database, {}, error.message))) throw error
    return migrateDatabase(database, config, { ...options, mayDestroy: true })
  }
}

function textOf({ files, sql, destructive, loadedAgain }: Migrated, isDryRun: boolean): string {
  if (isDryRun)
    return `${sql === '' ? '-- Nothing is to be done.' : sql}\n${destructive.map(({ file, line, statement }) => `-- destroys: ${file}:${line} ${onLine(statement)}\n`).join('')}`
  const done =
    files.length === 0 && sql === '' ? 'Everything was in place.' : [...files, ...(sql.includes('\n') || files.length === 0 ? ['the schema'] : [])].join(', ')
  const again = loadedAgain.length === 0 ? '' : paint('dim', `  devices load again: ${loadedAgain.join(', ')}\n`)
  return `${paint('green', 'migrated')}  ${done}\n${again}`
}
