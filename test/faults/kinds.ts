// What is killed, each kind as something that can be written to, hit, and asked.
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../packages/server/src/database/native/process.ts'
import { startNative } from '../harness/native.ts'
import { type Child, type Program, startChild } from './child.ts'

export interface Victim {
  readonly url: string
  /** kill -9 of something. */
  hit(chance: () => number): Promise<void>
  /** Resolves when it serves again. */
  rise(): Promise<void>
  query(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]>
  close(): Promise<void>
}

export const kinds = ['server', 'postgres', 'embedded'] as const
export type Kind = (typeof kinds)[number]

/** On the real disk, with fsync. */
export async function openVictim(kind: Kind, program: Program): Promise<Victim> {
  const folder = await mkdtemp(join(tmpdir(), 'hw-faults-'))
  // A PostgreSQL does not run as root: whoever it runs as must get to its own directory in it.
  await chmod(folder, 0o755)
  const native = kind === 'server' ? await startNative({ durable: true }) : null
  const port = await freePort()
  const where = native === null ? join(folder, 'database') : native.url(await native.createDatabase())
  const how = { server: 'url', postgres: 'native', embedded: 'embedded' }[kind]
  const start = () => startChild(program, [how, where, String(port), join(folder, 'state')])
  let child: Child | null = await start()

  /** The process that started all others of the PostgreSQL. */
  async function killPostgres(): Promise<void> {
    const [pid] = (await readFile(join(where, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')
    process.kill(Number(pid), 'SIGKILL')
  }

  const query = (sql: string) => (child === null ? Promise.reject(new Error('it was killed')) : child.query(sql))

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
      for (const giveUpAt = performance.now() + 60_000; ; ) {
        const error = await query('select 1').then(
          () => null,
          (failure: unknown) => failure,
        )
        if (error === null) return
        if (performance.now() > giveUpAt) throw error
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    },
    query,
    close: async () => {
      if (kind === 'postgres') await killPostgres().catch(() => {})
      await child?.kill()
      await native?.stop()
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
