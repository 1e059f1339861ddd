// What `headwater doctor` looks at: each a question that somebody asks when an app does not do what it should.
import { statfs } from 'node:fs/promises'
import { HeadwaterError } from '@headwater/protocol'
import { type Config, type Database, type DatabaseStatus, readStatus } from '@headwater/server'
import { type AppFolder, findRunning, loadConfig, openFor } from './app.ts'
import { version } from './version.ts'

export interface Finding {
  readonly about: string
  /** `bad`: something does not work. `doubtful`: it may soon not, or may not be meant. */
  readonly state: 'good' | 'doubtful' | 'bad'
  readonly says: string
  /** What to do; empty: nothing. */
  readonly hint: string
}

const skewMsMax = 2_000
const transactionMinutesMax = 60
const freeBytesMin = 1_073_741_824

const good = (about: string, says: string): Finding => ({ about, state: 'good', says, hint: '' })
const finding = (state: 'doubtful' | 'bad', about: string, says: string, hint: string): Finding => ({ about, state, says, hint })

export async function diagnose(app: AppFolder, url: string | undefined): Promise<readonly Finding[]> {
  const machine = [ofNode(process.versions.node), await ofDisk(app), await ofConfig(app), await ofServer(app)]
  let database: Database
  try {
    database = await openFor(app, url)
  } catch (error) {
    return [...machine, failed('database', error)]
  }
  try {
    return [...machine, ...(await ofDatabase(database))]
  } finally {
    await database.close()
  }
}

function failed(about: string, error: unknown): Finding {
  // Not made yet is nothing that is wrong.
  if (error instanceof HeadwaterError && error.code === 'no-database') return finding('doubtful', about, error.message, error.hint)
  const { message, hint = '' } = error instanceof HeadwaterError ? error : { message: String(error) }
  return finding('bad', about, message, hint)
}

export function ofNode(running: string): Finding {
  const [major = 0, minor = 0] = running.split('.').map(Number)
  const isEnough = major > 20 || (major === 20 && minor >= 19)
  return isEnough ? good('node', `${running}, headwater ${version}`) : finding('bad', 'node', `${running} is too old.`, 'Install Node 20.19 or later.')
}

async function ofDisk({ folder }: AppFolder): Promise<Finding> {
  try {
    const { bavail, bsize } = await statfs(folder)
    const says = `${((Number(bavail) * Number(bsize)) / 1_073_741_824).toFixed(1)} GB free`
    return Number(bavail) * Number(bsize) >= freeBytesMin
      ? good('disk', says)
      : finding('doubtful', 'disk', says, 'Free some space: a database that cannot write stops.')
  } catch (error) {
    return failed('disk', error)
  }
}

async function ofConfig(app: AppFolder): Promise<Finding> {
  try {
    const { schema }: Config = await loadConfig(app)
    return good('configuration', `${Object.keys(schema.definitions).length} tables`)
  } catch (error) {
    return failed('configuration', error)
  }
}

/** The app's own server, if it runs here. */
async function ofServer(app: AppFolder): Promise<Finding> {
  const running = await findRunning(app)
  if (running === null) return good('server', 'not running here')
  try {
    const response = await fetch(`${running.url}/headwater/ready`, { signal: AbortSignal.timeout(5_000) })
    if (response.status === 200) return good('server', `${running.url} is ready`)
    // Headwater's own answer, or that of whatever took its place: then there are none.
    const { reasons = [] } = (await response.json().catch(() => ({}))) as { readonly reasons?: readonly { readonly message: string }[] }
    return finding('bad', 'server', `${running.url} is not ready: ${reasons.map(({ message }) => message).join(' ') || response.status}`, '')
  } catch (error) {
    return finding(
      'bad',
      'server',
      `${running.url} does not answer: ${error instanceof Error ? error.message : error}`,
      'Its process runs: stop it and start it again.',
    )
  }
}

async function ofDatabase(database: Database): Promise<readonly Finding[]> {
  try {
    const askedAt = Date.now()
    const [row] = await database.query(
      `select current_setting('server_version_num')::int / 10000 as major, current_setting('server_version') as version, pg_is_in_recovery() as standby,
         current_setting('default_transaction_read_only') as read_only, (extract(epoch from clock_timestamp()) * 1000)::bigint::text as now,
         coalesce((select extract(epoch from now() - min(xact_start)) / 60 from pg_stat_activity where xact_start is not null and pid <> pg_backend_pid()), 0)::int as minutes,
         (select count(*) from pg_prepared_xacts)::int as prepared`,
    )
    const skewMs = Number(row?.now) - (askedAt + Date.now()) / 2
    return [
      Number(row?.major) >= 14
        ? good('database', `PostgreSQL ${row?.version}`)
        : finding('bad', 'database', `PostgreSQL ${row?.version} is too old.`, 'PostgreSQL 14 or later is needed.'),
      ...(row?.standby === true ? [finding('bad', 'database', 'It is a standby in recovery.', 'Give the URL of the primary.')] : []),
      ...(row?.read_only === 'on' ? [finding('bad', 'database', 'Transactions are read-only by default.', 'What is pushed waits until that ends.')] : []),
      Math.abs(skewMs) <= skewMsMax
        ? good('clock', `within ${Math.ceil(Math.abs(skewMs))} ms of the database’s`)
        : finding(
            'doubtful',
            'clock',
            `${Math.round(skewMs / 1_000)} s apart from the database’s.`,
            'Nothing relies on it, but times that are shown do: set one of them right.',
          ),
      Number(row?.minutes) < transactionMinutesMax && Number(row?.prepared) === 0
        ? good('transactions', 'none is old')
        : finding(
            'doubtful',
            'transactions',
            `One is open since ${row?.minutes} minutes, ${row?.prepared} are prepared.`,
            'The log cannot be pruned behind it: see pg_stat_activity and pg_prepared_xacts.',
          ),
      await ofNotifications(database),
      // What else was found is said all the same.
      ...(await readStatus(database).then(ofStatus, (error) => [failed('database', error)])),
    ]
  } catch (error) {
    return [failed('database', error)]
  }
}

/** Servers are told of what others commit, and who is here, by NOTIFY. */
async function ofNotifications(database: Database): Promise<Finding> {
  const tail = await database.openTail()
  try {
    return tail.isDirect
      ? good('notifications', 'are heard')
      : finding(
          'doubtful',
          'notifications',
          'This URL leads through a pooler, where nobody can be notified: changes of others are looked for every 15 ms, and people on other servers are not seen.',
          'Give the server the URL of PostgreSQL itself as directUrl, if it does not have it.',
        )
  } finally {
    await tail.close()
  }
}

export function ofStatus({ database, log, troubles, withheld, servers, jobs }: DatabaseStatus): readonly Finding[] {
  const versions = [...new Set(servers.map((server) => server.version))]
  const tables = Object.entries(troubles)
  return [
    good('identity', `${database.id}, history ${database.history}`),
    log.heldBy === null
      ? good('log', `${log.rows} rows, ${(log.bytes / 1_048_576).toFixed(1)} MB`)
      : finding('doubtful', 'log', `${log.rows} rows that cannot be pruned: ${log.heldBy} needs them.`, 'It grows until that ends.'),
    versions.length <= 1
      ? good('servers', servers.length === 0 ? 'none says that it is there' : `${servers.length}, version ${versions[0]}`)
      : finding('doubtful', 'servers', `They run different versions: ${versions.join(', ')}.`, 'Fine while new ones take over; not for long.'),
    ...tables.map(([name, trouble]) => finding('bad', `table ${name}`, trouble, 'Run headwater migrate.')),
    ...(withheld.length > 0
      ? [
          finding(
            'doubtful',
            'rows',
            `${withheld.length} reach no device, because they are too large.`,
            '`headwater status` names them. Keep what is large in a store for files.',
          ),
        ]
      : []),
    ...(jobs.setAside > 0 ? [finding('doubtful', 'jobs', `${jobs.setAside} were given up.`, 'server.jobs.list() has them, with what they said.')] : []),
  ]
}
