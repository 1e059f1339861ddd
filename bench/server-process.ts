// A server in a process of its own, as it is deployed.
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** A PostgreSQL by URL, or the directory of an embedded one. */
export type Where = { readonly database: string } | { readonly directory: string }

export interface ServerOptions {
  /** A page of HTML to serve at every path. */
  readonly page?: string
}

export interface ServerProcess {
  readonly url: string
  /** Resident memory after a garbage collection. */
  rssBytes(): Promise<number>
  /** Resident memory at its highest. */
  peakBytes(): Promise<number>
  stop(): Promise<void>
}

/** Where build.ts has put the program: beside the one that this is part of. */
const program = fileURLToPath(new URL('./server-main.mjs', import.meta.url))

export async function startServerProcess(where: Where, options: ServerOptions = {}): Promise<ServerProcess> {
  const child = fork(program, [JSON.stringify(where)], { execArgv: ['--expose-gc', ...profiling()], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const listening = answerOf(child, 'url')
  child.send(options)
  const url = String(await listening)
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const ask = async (question: string) => {
    const answer = answerOf(child, question)
    child.send(question)
    return Number(await answer)
  }
  return {
    url,
    rssBytes: () => ask('rssBytes'),
    peakBytes: () => ask('peakBytes'),
    stop: async () => {
      if (child.connected) child.send('stop')
      await ended
    },
  }
}

/** HEADWATER_BENCH_PROFILE names a folder for CPU profiles. */
export const profiling = (): readonly string[] =>
  process.env.HEADWATER_BENCH_PROFILE ? ['--cpu-prof', `--cpu-prof-dir=${process.env.HEADWATER_BENCH_PROFILE}`] : []

/** The member of that name of what the process says next. */
export function answerOf(child: ChildProcess, question: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const end = (code: number | null) => reject(new Error(`The process ended with ${code} before it answered ${question}.`))
    const hear = (answer: unknown) => {
      if (typeof answer !== 'object' || answer === null || !(question in answer)) return
      child.off('exit', end).off('message', hear)
      resolve(Reflect.get(answer, question))
    }
    child.on('exit', end).on('message', hear)
  })
}
