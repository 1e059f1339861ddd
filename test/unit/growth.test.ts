// The verdict of `npm run soak`: a real leak is growth, and what a heap does by itself is not.
import { expect, test } from 'vitest'
import { growthOf } from '../faults/soak/growth.ts'
import { chanceOf } from '../harness/chance.ts'

const mebibyte = 1_048_576
const rounds = 40
/** What 20 MB look like that stay what they are: noise, and now and then a step up that goes down again. */
const flat = (seed: number) => {
  const chance = chanceOf(seed)
  return Array.from({ length: rounds }, (_, i) => 20 * mebibyte + chance() * 0.4 * mebibyte + (i % 7 === 3 ? 3 * mebibyte : 0))
}
const judge = (values: readonly number[]) => growthOf({ name: 'heap', growthMax: mebibyte, values })

test('what stays is flat, whatever its noise; what leaks a hundred bytes of each mutation grows', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const values = flat(seed)
    expect([seed, judge(values).isFlat]).toEqual([seed, true])
    const leaking = judge(values.map((value, i) => value + i * 480 * 100))
    expect([seed, leaking.isFlat]).toEqual([seed, false])
    expect(leaking.growth).toBeGreaterThan(1.4 * mebibyte)
  }
})

test('one step is none, wherever it is; a staircase and what shrinks are told apart', () => {
  for (let at = 1; at < rounds / 4; at++) expect(judge(Array.from({ length: rounds }, (_, i) => (i < at ? 0 : 8 * mebibyte))).isFlat).toBe(true)
  const stairs = judge(Array.from({ length: rounds }, (_, i) => Math.floor(i / 5) * mebibyte))
  expect([stairs.isFlat, stairs.growth > 6 * mebibyte]).toEqual([false, true])
  expect(judge(Array.from({ length: rounds }, (_, i) => -i * mebibyte)).isFlat).toBe(true)
})

test('nothing is said of a few measurements', () => {
  expect(() => judge([1, 2, 3])).toThrow('3 measurements of heap are too few to judge: 6 at least.')
})
