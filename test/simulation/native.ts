// A real PostgreSQL behind the same plans: sessions at once, with locks, races, deadlocks and a way of their own, and commits in whatever order they come.
// Time stands still while it works. It goes on while all that was asked waits for locks: whoever has them waits for time to go on.
import { openPostgres } from '../../packages/server/src/database/postgres.ts'
import { startNative } from '../harness/native.ts'
import { createAsked, type Look } from './asked.ts'
import type { Postgres } from './database.ts'
import { openInSessions } from './sessions.ts'

/** What a database held, as another database of the same server. */
interface Template {
  readonly name: string
}

/** Who waits for a lock is looked at for a deadlock after so long. Only then it is known that they wait for somebody. */
const deadlockMs = 5

/** `url`: of a server that runs, as its superuser; undefined: one of its own. */
export async function openNative(url?: string): Promise<Postgres<Template>> {
  const own = url === undefined ? await startNative({ durable: false }) : null
  const server = new URL(url ?? own?.url('postgres') ?? '')
  server.searchParams.set('sslmode', 'disable')
  const admin = await openPostgres(server.href, { sessionsMax: 3 })
  const name = `simulation_${process.pid}`
  const made = new Set<string>()
  const asked = createAsked(look)
  let looking = await openPostgres(addressOf(name))

  function addressOf(database: string, port = server.port): string {
    const address = new URL(server)
    address.pathname = `/${database}`
    address.port = port
    return address.href
  }

  /** Who waits for a lock for longer than it takes to find a deadlock waits for somebody; everybody else who has something to do is at work, whatever the time is. */
  async function look(): Promise<Look> {
    const [row] = await admin.query(
      `select count(*) filter (where not waits)::int as busy, count(*) filter (where waits)::int as waiting
       from (
         select a.state is not null and a.state = 'active'
           and exists (select from pg_locks l where l.pid = a.pid and not l.granted and clock_timestamp() - l.waitstart > interval '${4 * deadlockMs} ms') as waits
         from pg_stat_activity a where a.datname is not distinct from $1 and a.backend_type = 'client backend' and a.pid <> pg_backend_pid()
           and (a.state is null or a.state = 'starting' or a.state = 'active' and a.wait_event_type is distinct from 'Client')
       ) s`,
      [name],
    )
    return { busy: Number(row?.busy), waiting: Number(row?.waiting) }
  }

  /** Nobody may have a database open that is copied or takes another one's place. */
  async function copy(from: string, to: string): Promise<void> {
    await looking.close()
    if (made.has(from)) await admin.query(`alter database ${from} with allow_connections false`)
    for (const one of [from, to]) await end(one)
    await admin.query(`drop database if exists ${to} with (force)`)
    await admin.query(`create database ${to} template ${from}`)
    made.add(to)
    for (const one of [from, to]) if (made.has(one)) await admin.query(`alter database ${one} with allow_connections true`)
    await admin.query(`alter database ${to} set deadlock_timeout = '${deadlockMs}ms'`)
    looking = await openPostgres(addressOf(name), { sessionsMax: 2 })
  }

  /** `who`: of one server alone. */
  const end = (database: string, who: string | null = null) =>
    admin.query('select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1 and ($2::text is null or application_name = $2)', [
      database,
      who,
    ])

  let templates = 0
  return {
    kind: 'native',
    open: (world, owner, random) =>
      openInSessions(world, owner, random, {
        asked,
        port: Number(server.port),
        addressOf: (port, application) => `${addressOf(name, String(port))}&application_name=${encodeURIComponent(application)}`,
        end: async (application) => void (await end(name, application)),
      }),
    ask: (text) => asked.surely(() => looking.query(text)),
    look: (texts) => asked.surely(() => looking.batch(texts.map((text) => ({ text, parameters: [] })))),
    rest: asked.rest,
    statements: asked.count,
    take: () =>
      asked.surely(async () => {
        const template = { name: `${name}_${++templates}` }
        await copy(made.has(name) ? name : 'template0', template.name)
        return template
      }),
    putBack: (template) => asked.surely(() => copy(template.name, name)),
    setReadOnly: (isReadOnly) =>
      asked.surely(async () => {
        await admin.query(`alter database ${name} set default_transaction_read_only = ${isReadOnly ? 'on' : 'off'}`)
        // It holds for sessions that begin.
        await end(name)
      }),
    close: async () => {
      await looking.close()
      for (const one of made) await admin.query(`drop database if exists ${one} with (force)`)
      await admin.close()
      await own?.stop()
    },
  }
}
