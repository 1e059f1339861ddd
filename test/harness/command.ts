// The command line in this process: what it writes, and the exit code that the process would end with.
import { vi } from 'vitest'
import { main } from '../../packages/cli/src/main.ts'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** One at a time: the process has one output and one exit code. */
export async function command(...args: readonly string[]): Promise<Ran> {
  const written = { out: '', err: '' }
  const into = (name: keyof typeof written) => (text: string | Uint8Array) => {
    written[name] += String(text)
    return true
  }
  const before = process.exitCode
  const spies = [vi.spyOn(process.stdout, 'write').mockImplementation(into('out')), vi.spyOn(process.stderr, 'write').mockImplementation(into('err'))]
  process.exitCode = undefined
  try {
    await main(args)
    return { code: Number(process.exitCode ?? 0), ...written }
  } finally {
    for (const spy of spies) spy.mockRestore()
    process.exitCode = before
  }
}
