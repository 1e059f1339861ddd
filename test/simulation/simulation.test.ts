// The short form of `npm run simulate`: some seeds, as they are bundled and run there, in a process whose clock and chance are the simulation's.
import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'

test('W1 W2 W3 R1 R2 R3 R4 R5 S1: whatever a seed has happen, everything holds, and the same seed is the same run', { timeout: 300_000 }, async () => {
  const seeds = ['--kept', '--seeds', process.env.SEEDS ?? '3', '--from', process.env.SEED ?? '2']
  const child = spawn('npm', ['run', '--silent', 'simulate', '--', ...seeds], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.on('data', (piece) => {
    said += piece
  })
  const code = await new Promise((resolve) => child.on('exit', resolve))
  process.stdout.write(said)
  expect(code, said).toBe(0)
  expect(said).toContain('1 seeds run twice came to the same; 0 findings')
})
