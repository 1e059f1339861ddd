// The short form of `npm run trials`: each thing that can happen to a PostgreSQL, once. Embedded databases are in identity.test.ts.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { chanceOf } from '../harness/chance.ts'
import { type Ground, openGround } from '../trials/cluster.ts'
import { kinds, wrongOf } from '../trials/kinds.ts'

let ground: Ground
beforeAll(async () => {
  ground = await openGround(false)
})
afterAll(() => ground.close())

const short = kinds.filter(({ name, isComplete }) => !isComplete && !name.startsWith('embedded'))

test.each(short)('F3 $name: it is $expected, nothing is written to what is held, and what was lost comes back (F4)', async (kind) => {
  const seed = Date.now() % 1_000_000
  const found = await kind.run({ ground, chance: chanceOf(seed) }).finally(() => ground.clear())
  expect([wrongOf(kind, found), seed, found]).toEqual([null, seed, found])
})
