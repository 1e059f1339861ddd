import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished } from 'vitest'

export interface Writer {
  readonly pid: number | undefined
  /** The last row that was acknowledged. */
  last(): number
  /** Waits until so many have been acknowledged. */
  acknowledged(count: number): Promise<void>
  /** kill -9. Answers the last row that had been acknowledged. */
  kill(): Promise<number>
}

/** A process of its own that commits one row after the other, and says so. It ends with the test at the latest. */
export function startWriter(kind: 'embedded' | 'native', directory: string): Writer {
  const script = fileURLToPath(new URL('database-writer.ts', import.meta.url))
  const child: ChildProcess = spawn(process.execPath, ['--conditions=@headwater/source', '--import', 'tsx', script, kind, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  onTestFinished(() => void child.kill('SIGKILL'))
  let last = 0
  if (child.stdout) createInterface({ input: child.stdout }).on('line', (line) => (last = Number(line)))
  return {
    pid: child.pid,
    last: () => last,
    acknowledged: (wanted) => expect.poll(() => last, { timeout: 60_000 }).toBeGreaterThanOrEqual(wanted),
    kill: async () => {
      child.kill('SIGKILL')
      await ended
      return last
    },
  }
}
