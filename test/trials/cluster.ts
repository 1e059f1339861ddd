// PostgreSQL servers whose files are copied, put back and promoted: as many as a trial wants, each on a port of its own.
import { execFileSync, spawn } from 'node:child_process'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { type Binaries, findBinaries, type Owner, unprivilegedOwner } from '../../packages/server/src/database/native/binaries.ts'
import { initdbArguments } from '../../packages/server/src/database/native/cluster.ts'
import { freePort, lastWords, runToEnd, type ServerProcess, startServer } from '../../packages/server/src/database/native/process.ts'
import { rootOf } from '../harness/native.ts'

export type Settings = Readonly<Record<string, string>>

export interface Cluster {
  readonly binaries: Binaries
  readonly port: number
  readonly data: string
  start(settings?: Settings): Promise<void>
  /** In order, or as if the machine had stopped. */
  stop(signal?: 'SIGINT' | 'SIGKILL'): Promise<void>
  sql(statement: string, database?: string): Promise<readonly Readonly<Record<string, unknown>>[]>
  /** As superuser of the machine: a file in the folder of its data. */
  write(file: string, text: string): Promise<void>
}

/** Where the clusters of one run are; all that is in it goes in the end. */
export interface Ground {
  readonly owner: Owner | null
  readonly binaries: Binaries
  /** A new one with an empty database `app`; with `version`, of that major version of npm's. */
  create(version?: number): Promise<Cluster>
  /** The one whose files are at a path, of the ground's own version. */
  at(data: string): Promise<Cluster>
  /** A copy of the files of one that is stopped, or between pg_backup_start and pg_backup_stop. */
  copy(from: Cluster): Promise<Cluster>
  /** Exchanges the files of one that is stopped. */
  putBack(cluster: Cluster, from: Cluster): Promise<void>
  folder(name: string): Promise<string>
  /** Runs one of PostgreSQL's own programs; rejects with what it says. */
  run(program: string, args: readonly string[]): Promise<void>
  /** Stops all that runs, and removes its files: a trial leaves nothing to the next. */
  clear(): Promise<void>
  close(): Promise<void>
}

/** `isComplete`: the installed PostgreSQL that `pg_config` names, with pg_dump and pg_upgrade. Otherwise that of npm. */
export async function openGround(isComplete: boolean): Promise<Ground> {
  const owner = unprivilegedOwner()
  const binaries = isComplete ? installed() : await findBinaries(owner, tmpdir())
  const root = await mkdtemp(join(tmpdir(), 'hw-trials-'))
  if (owner) await chown(root, owner.uid, owner.gid)
  const clusters: Cluster[] = []
  let folders = 0

  const newPath = (name: string) => join(root, `${name}-${++folders}`)

  async function clusterAt(data: string, of = binaries): Promise<Cluster> {
    const cluster = createCluster({ owner, binaries: of, data, root, port: await freePort() })
    clusters.push(cluster)
    return cluster
  }

  // initdb takes longer than everything else: once.
  const templates = new Map<string, string>()

  async function templateOf(of: Binaries): Promise<string> {
    const known = templates.get(of.folder)
    if (known !== undefined) return known
    const template = newPath('template')
    await runToEnd(join(of.folder, 'initdb'), [...initdbArguments(template, of), '--auth', 'trust', '--no-sync'], owner)
    const first = await clusterAt(template, of)
    await first.start()
    await first.sql('create database app', 'postgres')
    await first.stop()
    templates.set(of.folder, template)
    return template
  }
  await templateOf(binaries)

  async function clear(): Promise<void> {
    const kept = [...templates.values()]
    for (const cluster of clusters.splice(0)) {
      await cluster.stop('SIGKILL')
      if (!kept.includes(cluster.data)) await rm(cluster.data, { recursive: true, force: true, maxRetries: 5 })
    }
  }

  async function copyOf(data: string, of: Binaries): Promise<Cluster> {
    const path = newPath('data')
    execFileSync('cp', ['-a', data, path])
    await rm(join(path, 'postmaster.pid'), { force: true })
    return clusterAt(path, of)
  }

  async function create(version?: number): Promise<Cluster> {
    const of = version === undefined ? binaries : await findBinaries(owner, tmpdir(), rootOf(version))
    return copyOf(await templateOf(of), of)
  }

  return {
    owner,
    binaries,
    create,
    at: clusterAt,
    copy: ({ data, binaries: of }) => copyOf(data, of),
    putBack: async ({ data }, from) => {
      await rm(data, { recursive: true })
      execFileSync('cp', ['-a', from.data, data])
      await rm(join(data, 'postmaster.pid'), { force: true })
    },
    folder: async (name) => {
      const path = newPath(name)
      execFileSync('mkdir', ['-m', '700', path])
      if (owner) await chown(path, owner.uid, owner.gid)
      return path
    },
    run: (program, args) => runIn(root, join(binaries.folder, program), args, owner),
    clear,
    close: async () => {
      await clear()
      await rm(root, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

function installed(): Binaries {
  const ask = (flag: string) => execFileSync('pg_config', [flag], { encoding: 'utf8' }).trim()
  return { folder: ask('--bindir'), version: Number(/\d+/.exec(ask('--version'))?.[0]) }
}

const silenceMsMax = 60_000

interface ClusterDeps {
  readonly owner: Owner | null
  readonly binaries: Binaries
  readonly data: string
  readonly root: string
  readonly port: number
}

function createCluster({ owner, binaries, data, root, port }: ClusterDeps): Cluster {
  const startLog = join(root, `start-${port}.log`)
  let server: ServerProcess | null = null

  async function sql(statement: string, database = 'app') {
    const client = postgres(`postgres://postgres@127.0.0.1:${port}/${database}`, { max: 1, onnotice: () => undefined, connect_timeout: 5, fetch_types: false })
    // Who answers a connection at its port and never says anything is not ours: the driver would wait for ever.
    const silence = setTimeout(() => void client.end({ timeout: 0 }), silenceMsMax)
    try {
      return await client.unsafe(statement)
    } finally {
      clearTimeout(silence)
      await client.end({ timeout: 1 })
    }
  }

  async function start(settings: Settings = {}): Promise<void> {
    const all = { port: String(port), listen_addresses: '127.0.0.1', unix_socket_directories: root, timezone: 'UTC', ...settings }
    server = await startServer({ postgres: join(binaries.folder, 'postgres'), data, owner, settings: all, livesOn: false, startLog })
    for (const giveUpAt = performance.now() + 60_000; ; ) {
      if (
        await sql('select 1', 'postgres').then(
          () => true,
          () => false,
        )
      )
        return
      if (!server.isAlive()) throw new Error(`PostgreSQL did not start: ${await lastWords(startLog, data)}`)
      if (performance.now() > giveUpAt) throw new Error(`PostgreSQL did not answer: ${await lastWords(startLog, data)}`)
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
  }

  return {
    binaries,
    port,
    data,
    start,
    stop: async (signal = 'SIGINT') => {
      await server?.end(signal)
      server = null
    },
    sql,
    write: async (file, text) => {
      await writeFile(join(data, file), text)
      if (owner) await chown(join(data, file), owner.uid, owner.gid)
    },
  }
}

function runIn(cwd: string, program: string, args: readonly string[], owner: Owner | null): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...owner, cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += String(text)))
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${program} ended with ${code}: ${said}`))))
  })
}
