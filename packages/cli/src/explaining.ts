import { type Config, type Explain, openExplain } from '@headwater/server'
import { jsonArg } from './answer.ts'
import { appArgs, appFolder, loadConfig, openFor } from './app.ts'

/** Where the app is that is asked about, and how it is answered. */
export const explainingArgs = {
  ...appArgs,
  ...jsonArg,
} as const

interface Given {
  readonly app?: string | undefined
  readonly data?: string | undefined
  readonly database?: string | undefined
}

/** Asks about the app in a folder: by the rules and grants that its configuration has now, on the database that it runs on. */
export async function explaining<T>(given: Given, ask: (explain: Explain, schema: Config['schema']) => Promise<T>): Promise<T> {
  const app = appFolder(given.app, given.data)
  const config = await loadConfig(app)
  const database = await openFor(app, given.database)
  try {
    return await ask(await openExplain(database, config), config.schema)
  } finally {
    await database.close()
  }
}
