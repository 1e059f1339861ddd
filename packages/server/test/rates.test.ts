import { expect, test } from 'vitest'
import { createRates } from '../src/http/rates.ts'

function ratesAt(keysMax = 10) {
  let now = 1_000
  const clock = { now: () => now, timer: () => () => {} }
  const rates = createRates(clock, { perSecond: 10, burst: 3, keysMax })
  const taken = (key: string, times: number) => Array.from({ length: times }, () => rates.take(key))
  const pass = (ms: number) => {
    now += ms
  }
  return { taken, pass }
}

test('after a pause so many at once, then one in its time, and being refused costs nothing', () => {
  const { taken, pass } = ratesAt()
  expect(taken('ada', 5)).toEqual([0, 0, 0, 100, 100])
  pass(99)
  expect(taken('ada', 1)).toEqual([1])
  pass(1)
  expect(taken('ada', 2)).toEqual([0, 100])
  pass(3_600_000)
  expect(taken('ada', 4)).toEqual([0, 0, 0, 100])
})

test('keys do not share, a clock set back gives nothing, and what is remembered is bounded', () => {
  const { taken, pass } = ratesAt(2)
  expect(taken('ada', 4).at(-1)).toBe(100)
  expect(taken('bob', 1)).toEqual([0])
  pass(-5_000)
  expect(taken('ada', 1)).toEqual([100])
  // bob and then ada are the longest silent.
  taken('eve', 1)
  taken('joe', 1)
  expect(taken('ada', 1)).toEqual([0])
})
