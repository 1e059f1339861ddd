// PgBouncer, which hands every transaction to any of a few server processes. Debian's package: 1.18 knows no prepared statements.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unprivilegedOwner } from '../../packages/server/src/database/native/binaries.ts'
import { freePort } from '../../packages/server/src/database/native/process.ts'

export interface Pooler {
  /** The same database through the pooler. */
  url(database: string): string
  stop(): Promise<void>
}

/** `processes`: server processes per database, which all clients share. */
export async function startPooler(serverUrl: string, processes = 3): Promise<Pooler> {
  const server = new URL(serverUrl)
  const directory = await mkdtemp(join(tmpdir(), 'hw-pooler-'))
  await chmod(directory, 0o755)
  const port = await freePort()
  const ini = join(directory, 'pgbouncer.ini')
  await writeFile(
    ini,
    `[databases]
* = host=${server.hostname} port=${server.port} user=${server.username}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = ${processes}
max_client_conn = 500
`,
  )
  const child = spawn('pgbouncer', [ini], { ...unprivilegedOwner(), stdio: ['ignore', 'ignore', 'pipe'] })
  const said: string[] = []
  child.stderr.on('data', (chunk) => said.push(String(chunk)))
  child.on('error', (error) => said.push(error.message))
  await untilOpen(port, child, said)
  return {
    url: (database) => `postgres://${server.username}@127.0.0.1:${port}/${database}`,
    stop: async () => {
      if (child.exitCode === null && child.kill('SIGINT')) await once(child, 'exit')
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function untilOpen(port: number, child: ChildProcess, said: readonly string[]): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (child.exitCode !== null) break
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
      socket.unref().setTimeout(1_000, () => socket.destroy())
      socket.once('connect', () => socket.destroy())
    })
    if (isOpen) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`pgbouncer does not run: ${said.join('')}`)
}
