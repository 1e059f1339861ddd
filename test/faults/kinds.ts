// What is killed, each kind as something that can be written to, hit, and asked.
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../packages/server/src/database/native/process.ts'
import { startNative } from '../harness/native.ts'
import { type Child, type Program, startSpare } from './child.ts'

export interface Victim {
  readonly url: string
  /** kill -9 of something. */
  hit(chance: () => number): Promise<void>
  /** Resolves when it serves again. */
  rise(): Promise<void>
  /** Asked again until it is answered: of statements that may run twice. */
  query(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]>
  close(): Promise<void>
}

export const kinds = ['server', 'postgres', 'embedded'] as const
export type Kind = (typeof kinds)[number]

const answerMsMax = 120_000

/** On the real disk, with fsync. */
export async function openVictim(kind: Kind, program: Program): Promise<Victim> {
  const folder = await mkdtemp(join(tmpdir(), 'hw-faults-'))
  // A PostgreSQL does not run as root: whoever it runs as must get to its own directory in it.
  await chmod(folder, 0o755)
  const native = kind === 'server' ? await startNative({ durable: true }) : null
  const port = await freePort()
  const where = native === null ? join(folder, 'database') : native.url(await native.createDatabase())
  const how = { server: 'url', postgres: 'native', embedded: 'embedded' }[kind]
  /** Processes take their time to start, and that is not what is tried: the next one is there before it is needed. */
  let spare = startSpare(program)
  const start = () => {
    const next = spare
    spare = startSpare(program)
    return next.serve([how, where, String(port), join(folder, 'state')])
  }
  let child: Child | null = await start()

  /** The process that started all others of the PostgreSQL. */
  const postmaster = async () => Number((await readFile(join(where, 'postgres', 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')[0])
  let killed = 0

  async function killPostgres(): Promise<void> {
    killed = await postmaster()
    process.kill(killed, 'SIGKILL')
  }

  const once = (sql: string) => (child === null ? Promise.reject(new Error('it was killed')) : child.query(sql))

  /** Sessions of a PostgreSQL that was killed end one after the other, some of them after the next has started: what they do not answer is asked again. */
  async function query(sql: string): ReturnType<Victim['query']> {
    for (const giveUpAt = performance.now() + answerMsMax; ; ) {
      try {
        return await once(sql)
      } catch (error) {
        if (performance.now() > giveUpAt) throw error
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
  }

  return {
    url: `http://127.0.0.1:${port}`,
    hit: async (chance) => {
      if (kind === 'postgres') await killPostgres()
      // And now and then both at once.
      if (kind === 'postgres' && chance() > 0.2) return
      await child?.kill()
      child = null
    },
    rise: async () => {
      child ??= await start()
      // A session of the one that was killed would still answer.
      for (const giveUpAt = performance.now() + answerMsMax; kind === 'postgres' && (await postmaster()) === killed; ) {
        if (performance.now() > giveUpAt) throw new Error('PostgreSQL was not started again.')
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      await query('select 1')
    },
    query,
    close: async () => {
      spare.end()
      if (kind === 'postgres') await killPostgres().catch(() => {})
      await child?.kill()
      await native?.stop()
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
