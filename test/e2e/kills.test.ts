// The short form of `npm run faults -- --kind browser`.
import { expect, test } from 'vitest'
import { startBrowserCycles } from '../faults/browser.ts'
import { chanceOf } from '../harness/chance.ts'

test('W1 kill -9 of a browser that writes: what it said was saved is there when it is back, and once', { timeout: 300_000 }, async () => {
  const seed = Date.now() % 1_000_000
  const cycles = await startBrowserCycles(chanceOf(seed))
  try {
    expect([await cycles.run(), seed]).toEqual([[], seed])
    expect(cycles.counts().confirmedBefore).toBeGreaterThan(0)
  } finally {
    await cycles.close()
  }
})
