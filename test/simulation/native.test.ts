// The short form of `npm run simulate -- --database native`: some seeds on sessions that are there at once, judged by the same checkers.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, inject, test } from 'vitest'

test('W1 W2 W5 W11 R3 R4 R7 S1: on a real PostgreSQL, where commits come in any order, everything holds', { timeout: 300_000 }, async () => {
  // Two short ones, on one server and on three.
  const seeds = ['--seeds', process.env.SEEDS ?? '2', '--from', process.env.SEED ?? '1', '--every', '15']
  const args = ['run', '--silent', 'simulate', '--', '--database', 'native', '--workload', 'transfers', '--faults', 'mishaps,lose', ...seeds]
  const run = promisify(execFile)('npm', args, { env: { ...process.env, HEADWATER_NATIVE_URL: inject('nativeUrl') } })
  const { stdout } = await run.catch((error: { readonly stdout: string; readonly stderr: string }) => ({ stdout: `${error.stdout}${error.stderr}` }))
  process.stdout.write(stdout)
  expect(stdout).toContain('; 0 findings')
  // Otherwise it would say nothing that one connection does not.
  expect(Number(/^(\d+) of \d+ transactions were committed after/m.exec(stdout)?.[1])).toBeGreaterThan(0)
})
