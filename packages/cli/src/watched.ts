// `headwater dev --watch`: the server in a process of its own, started anew whenever a file that its configuration is made of has changed.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { type FSWatcher, watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { paint } from './paint.ts'

/** What the server's process says once it listens, or with `url: null` when it could not start. */
export interface Told {
  readonly url: string | null
  /** Files of the app that were loaded. */
  readonly files: readonly string[]
}

/** Set in the server's process: `vite` where Vite's own server gives the pages. */
export const watchedVariable = 'HEADWATER_WATCHED'

const settleMs = 60

interface Watching {
  /** Of the first start; null: as without one. It stays the same over the others: pages and Vite know it. */
  readonly port: number | null
  readonly isBehindVite: boolean
  /** Each start. */
  readonly onTold: (told: Told) => void
  /** Ends it. */
  readonly signal: AbortSignal
}

/** Runs until a signal comes; resolves then, with the server stopped. */
export async function runWatched(args: readonly string[], { port: firstPort, isBehindVite, onTold, signal: ended }: Watching): Promise<void> {
  const watchers = new Map<string, FSWatcher>()
  const stopping = new AbortController()
  let child: ChildProcess | null = null
  let files: ReadonlySet<string> = new Set()
  let port = firstPort === null ? null : String(firstPort)
  let changed = () => {}

  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => (stopping.signal.aborted ? process.exit(1) : stopping.abort()))
  ended.addEventListener('abort', () => stopping.abort())

  /** Folders are watched, not files: an editor puts a new file in the place of the old one. */
  function follow(told: readonly string[]): void {
    // A file that fails to load tells nothing of what it would have loaded.
    files = new Set([...files, ...told])
    for (const folder of new Set([...files].map(dirname))) {
      if (watchers.has(folder)) continue
      const watcher = watch(folder, (_, name) => {
        if (name !== null && [...files].some((file) => dirname(file) === folder && basename(file) === basename(name))) changed()
      })
      watcher.on('error', () => watchers.delete(folder))
      watchers.set(folder, watcher)
    }
  }

  function start(): void {
    const [, script = ''] = process.argv
    child = fork(script, [...args, ...(port === null ? [] : ['--port', port])], {
      env: { ...process.env, [watchedVariable]: isBehindVite ? 'vite' : 'server' },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    child.on('message', (told: Told) => {
      follow(told.files)
      if (told.url !== null) port = new URL(told.url).port
      onTold(told)
    })
  }

  async function stop(): Promise<void> {
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    await ended
  }

  start()
  while (!stopping.signal.aborted) {
    await new Promise<void>((resolve) => {
      changed = resolve
      stopping.signal.addEventListener('abort', () => resolve(), { once: true })
    })
    if (stopping.signal.aborted) break
    // Several files are often saved at once.
    await new Promise((resolve) => setTimeout(resolve, settleMs))
    process.stdout.write(`${paint('dim', 'changed: starting again')}\n`)
    await stop()
    start()
  }
  for (const watcher of watchers.values()) watcher.close()
  await stop()
}

/** The app's own files among what was loaded. */
export const ownFiles = (urls: Iterable<string>): readonly string[] =>
  [...new Set(urls)].flatMap((url) => (url.startsWith('file:') && !url.includes('/node_modules/') ? [fileURLToPath(url.replace(/[?#].*$/, ''))] : []))
