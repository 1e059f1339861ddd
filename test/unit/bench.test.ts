import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { type Figure, latencies, percentile, ratioOf } from '../../bench/figure.ts'
import { type Goals, judge, readGoals } from '../../bench/goals.ts'
import { tableOf } from '../../bench/table.ts'

const figure: Figure = { name: 'load', unit: 'ms', value: 30, limit: 10 }
const goals = (goalRatio: number): Goals => ({ load: { benchmark: 'first', limit: 'COPY', goalRatio, goal: '', why: '' } })

test('a ratio of 1 is the limit, and more is worse, of times and of rates', () => {
  expect(ratioOf(figure)).toBe(3)
  expect(ratioOf({ ...figure, unit: 'per second', value: 10, limit: 30 })).toBe(3)
})

test('percentiles are of the values in order, and their limits are of the same part', () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i)
  expect(percentile(values, 0.5)).toBe(51)
  expect(percentile(values, 0.95)).toBe(96)
  expect(percentile([7], 0.95)).toBe(7)
  expect(latencies('a', [3, 1, 2], [1, 1, 1])).toEqual([
    { name: 'a, p50', unit: 'ms', value: 2, limit: 1 },
    { name: 'a, p95', unit: 'ms', value: 3, limit: 1 },
  ])
})

test('a figure beyond its goal is missed, and so is one that is no number', () => {
  expect(judge([figure], goals(3), ['first'])[0]?.isMissed).toBe(false)
  expect(judge([figure], goals(2.9), ['first'])[0]?.isMissed).toBe(true)
  expect(judge([{ ...figure, value: Number.NaN }], goals(3), ['first'])[0]?.isMissed).toBe(true)
})

test('a figure without a goal and a goal without a figure are mistakes', () => {
  expect(() => judge([{ ...figure, name: 'other' }], goals(3), [])).toThrow('no goal for "other"')
  expect(() => judge([], goals(3), ['first'])).toThrow('No benchmark measured "load"')
  expect(judge([], goals(3), ['second'])).toEqual([])
})

test('the table has one line per figure, and says which are missed', () => {
  const lines = tableOf(judge([figure, figure], goals(2), ['first'])).split('\n')
  expect(lines).toHaveLength(4)
  expect(lines[2]).toMatch(/^load +30\.0 ms +10\.0 ms +3\.00 +<= 2\.00 +MISS$/)
})

test('every goal says what its limit is, and why it is where it is', () => {
  const all = Object.entries(readGoals())
  expect(all.length).toBeGreaterThan(20)
  for (const [name, { benchmark, limit, goalRatio, why }] of all) {
    expect({ name, isWhole: benchmark !== '' && limit !== '' && why !== '' && goalRatio > 0 }).toEqual({ name, isWhole: true })
  }
})

test('a name that is no benchmark ends the bench with 2 and the names that are, before anything is measured', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--conditions=@headwater/source', '--import', 'tsx', 'bench/run.ts', 'nothing'], {
    encoding: 'utf8',
  })
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(stderr).toContain('commit-to-visible')
})
