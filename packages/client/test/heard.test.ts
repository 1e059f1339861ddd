// What the records say of mutations is the same for everybody who hears them, in pieces or at once, from the beginning or from a snapshot.
import { mutationId } from '@headwater/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createHeard, type Heard } from '../src/outbox/heard.ts'
import type { Identity, OutboxRecord } from '../src/store/record.ts'

const identity: Identity = { device: 'd1', database: 'db', nonce: 'n', confirmed: 0 }
const idOf = (n: number) => mutationId(`018bcfe5-6800-7000-8000-${String(n).padStart(12, '0')}`)
const madeOf = (n: number) => ({ number: 0, id: idOf(n), name: 'bump', args: { n }, at: '', after: null })
const asideOf = (n: number) => ({ id: idOf(n), name: 'bump', args: { n }, code: 'dependency', reason: '', at: '', after: idOf(0) })

/** A record, or the outcome of the mutation that stands first; as text, so that no two share an object. */
type Word = { readonly record: OutboxRecord } | { readonly refused: boolean }

const word = fc.oneof(
  { weight: 5, arbitrary: fc.nat(12).map((n) => ({ record: { made: [madeOf(n)] } })) },
  // In the form of a newer build.
  { weight: 2, arbitrary: fc.nat(12).map((n) => ({ record: { made: [{ ...madeOf(n), name: 'rename' }] } })) },
  { weight: 3, arbitrary: fc.nat(3).map((numbered) => ({ record: { numbered } })) },
  { weight: 2, arbitrary: fc.nat(12).map((n) => ({ record: { discarded: [idOf(n)] } })) },
  { weight: 1, arbitrary: fc.nat(12).map((n) => ({ record: { setAside: [asideOf(n)] } })) },
  { weight: 3, arbitrary: fc.boolean().map((refused) => ({ refused })) },
  { weight: 1, arbitrary: fc.nat(5).map((n) => ({ record: { forked: { ...identity, device: `fork ${n}`, nonce: null } } })) },
)

function say(heard: Heard, one: Word): void {
  // A copy: as if it had been read from a disk.
  if ('record' in one) return heard.hear(JSON.parse(JSON.stringify(one.record)))
  const number = heard.identity().confirmed + 1
  if (number > heard.last()) return
  heard.settle({ number, type: one.refused ? 'refused' : 'applied', code: one.refused ? 'unique' : null, reason: one.refused ? 'exists' : null })
}

const stateOf = (heard: Heard) => ({ ...heard.whole(), last: heard.last(), aside: heard.setAside() })

test('W3, F8: whoever hears the records comes to the same, also behind a snapshot taken anywhere; numbers have no gap and stand in front', () => {
  fc.assert(
    fc.property(fc.array(word, { maxLength: 60 }), fc.nat(60), (words, at) => {
      const [one, late] = [createHeard(), createHeard()]
      one.hear({ identity, made: [], setAside: [] })
      for (const [i, next] of words.entries()) {
        if (i === Math.min(at, words.length - 1)) late.hear(JSON.parse(JSON.stringify(one.whole())))
        say(one, next)
        if (i >= at || i === words.length - 1) say(late, next)
        expect(one.isContiguous()).toBe(true)
        const numbers = [...one.made.values()].map(({ number }) => number)
        expect(numbers.slice(numbers.indexOf(0)).every((number) => number === 0) || !numbers.includes(0)).toBe(true)
      }
      if (words.length > 0) expect(stateOf(late)).toEqual(stateOf(one))
    }),
    { numRuns: 2_000 },
  )
})

test('HC20: what was given up before it had a number leaves no trace; behind it, it is a void, whoever says so and in whatever order', () => {
  for (const isFirst of [true, false]) {
    const heard = createHeard()
    const words: OutboxRecord[] = [{ numbered: 1 }, { discarded: [idOf(1)] }]
    heard.hear({ identity, made: [madeOf(1), madeOf(2)], setAside: [] })
    for (const one of isFirst ? words : words.toReversed()) heard.hear(one)
    expect([...heard.made.values()].map(({ number, name }) => [number, name])).toEqual(
      isFirst
        ? [
            [1, 'void'],
            [0, 'bump'],
          ]
        : [[1, 'bump']],
    )
  }
})

test('W10: a form that is said again is taken before there is a number, and not after: it may have been sent', () => {
  const heard = createHeard()
  heard.hear({ made: [madeOf(1), madeOf(2)] })
  heard.hear({ made: [{ ...madeOf(2), name: 'rename' }] })
  heard.hear({ numbered: 1 })
  heard.hear({ made: [{ ...madeOf(1), name: 'rename' }] })
  expect([...heard.made.values()].map(({ name, number }) => [name, number])).toEqual([
    ['bump', 1],
    ['rename', 0],
  ])
})
