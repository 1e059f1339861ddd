import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { HeadwaterError } from '@headwater/protocol'
import { type Config, type Database, openEmbedded, openNative, openPostgres } from '@headwater/server'

const configNames = ['headwater.config.ts', 'headwater.config.js', 'headwater.config.mjs']

/** Which app and which database a command is about. */
export const appArgs = {
  app: { type: 'string', description: 'folder of the app (default: this one)' },
  data: { type: 'string', description: 'folder of the embedded database (default: .headwater in the app)' },
  database: { type: 'string', description: 'URL of the database (default: that of the running app)' },
} as const

/** The folder of an app, and where things are in it. */
export const appFolder = (given: string | undefined, data?: string) => {
  const folder = resolve(given ?? '.')
  const own = data === undefined ? join(folder, '.headwater') : resolve(data)
  return { folder, own, database: join(own, 'database'), running: join(own, 'running.json') }
}
export type AppFolder = ReturnType<typeof appFolder>

/** The default export of the app's headwater.config. */
export async function loadConfig({ folder }: AppFolder): Promise<Config> {
  const name = configNames.find((one) => existsSync(join(folder, one)))
  if (name === undefined) throw new HeadwaterError('config', `There is no headwater.config.ts in ${folder}.`, 'Run it in the folder of an app, or give --app.')
  const module: { default?: Config } = await import(pathToFileURL(join(folder, name)).href)
  const config = module.default
  if (config?.schema === undefined || config.authenticate === undefined || config.grants === undefined) {
    throw new HeadwaterError('config', `${name} exports no configuration.`, 'Write `export default defineConfig({ schema, authenticate, grants })`.')
  }
  return config
}

/** What a running `headwater dev` leaves for the other commands to find it by. */
export interface Running {
  readonly pid: number
  readonly url: string
  /** Where an SQL client can connect: the database's own URL, or the gateway of an embedded one. */
  readonly database: string
}

export async function saveRunning({ own, running }: AppFolder, info: Running): Promise<void> {
  await mkdir(own, { recursive: true })
  // A database's URL may hold a password.
  await writeFile(running, JSON.stringify(info), { mode: 0o600 })
}

/** Only this process's own: another may run on the same folder. */
export async function forgetRunning(app: AppFolder): Promise<void> {
  if ((await findRunning(app))?.pid === process.pid) await rm(app.running, { force: true })
}

export async function findRunning({ running }: AppFolder): Promise<Running | null> {
  try {
    // saveRunning wrote it; a dead process's is left where it was killed.
    const info = JSON.parse(await readFile(running, 'utf8')) as Running
    process.kill(info.pid, 0)
    return info
  } catch {
    return null
  }
}

/** The database that a command is about: the one given, or the one of the running app, or the app's own, embedded or native. */
export async function openFor(app: AppFolder, url: string | undefined): Promise<Database> {
  const running = url === undefined ? await findRunning(app) : null
  const given = url ?? running?.database ?? process.env.DATABASE_URL
  if (given === 'native' || (given === undefined && existsSync(join(app.database, 'postgres')))) return openNative({ directory: app.database })
  if (given !== undefined) return openPostgres(given)
  if (!existsSync(app.database))
    throw new HeadwaterError('no-database', `There is no database in ${app.own}.`, 'Run `headwater dev` first, or give --database.')
  return openEmbedded({ directory: app.database })
}
