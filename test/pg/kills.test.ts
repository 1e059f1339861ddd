// The short form of `npm run faults`: kill -9 of a server, of a PostgreSQL and of an embedded database, under load and while their log is pruned. That of a browser is the command alone.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildServer, type Program } from '../faults/child.ts'
import { startCycles } from '../faults/cycle.ts'
import { kinds, openVictim } from '../faults/kinds.ts'
import { chanceOf } from '../harness/chance.ts'

let program: Program
beforeAll(async () => {
  program = await buildServer()
})
afterAll(() => program.remove())

test('the harness finds what is lost, and what is counted twice', { timeout: 300_000 }, async () => {
  const victim = await openVictim('server', program)
  const rise = async () => {
    await victim.rise()
    await victim.query('delete from notes where ctid in (select ctid from notes limit 1)')
    await victim.query('update counters set n = n + 1 where n = (select max(n) from counters)')
  }
  const cycles = await startCycles({ ...victim, rise }, chanceOf(1))
  try {
    const wrong = (await cycles.run()).join()
    expect(wrong).toContain('that were confirmed are not there')
    expect(wrong).toContain('counted')
  } finally {
    await cycles.close()
    await victim.close()
  }
})

test.each(kinds)('F1 F12 W2 W3 W5 kill -9 of the %s: what was confirmed is there, and everything once and in order', { timeout: 300_000 }, async (kind) => {
  const seed = Date.now() % 1_000_000
  const chance = chanceOf(seed)
  const victim = await openVictim(kind, program)
  const cycles = await startCycles(victim, chance)
  try {
    expect([await cycles.run(), seed]).toEqual([[], seed])
    expect(cycles.counts().confirmedBefore).toBeGreaterThan(0)
  } finally {
    await cycles.close()
    await victim.close()
  }
})
