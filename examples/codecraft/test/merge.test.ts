import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mergeText } from '../src/merge.ts'

describe('merging', () => {
  test.each([
    ['lines apart', 'a\nb\nc\n', 'A\nb\nc\n', 'a\nb\nC\n', 'A\nb\nC\n'],
    ['lines that touch', 'a\nb\n', 'A\nb\n', 'a\nB\n', 'A\nB\n'],
    ['words of one line', 'const a = 1 // one\n', 'const a = 2 // one\n', 'const b = 1 // one\n', 'const b = 2 // one\n'],
    ['the same change', 'a\n', 'b\n', 'b\n', 'b\n'],
    ['one side alone', 'a', 'a', 'b', 'b'],
    ['a file that was empty', '', 'a\n', '', 'a\n'],
    ['names that objects have', 'constructor\n__proto__\n', 'constructor\n__proto__\nx\n', 'y\nconstructor\n__proto__\n', 'y\nconstructor\n__proto__\nx\n'],
    ['a last line without an end', 'a\nb', 'a\nb\nc', 'x\na\nb', 'x\na\nb\nc'],
  ])('of %s', (_, base, theirs, mine, merged) => expect(mergeText(base, theirs, mine)).toBe(merged))

  test.each([
    ['the same word', 'a b c', 'a B c', 'a X c'],
    ['a line that the other deleted', 'a\nb\nc\n', 'a\nc\n', 'a\nb!\nc\n'],
    ['two things in one place', '', 'mine\n', 'theirs\n'],
    ['more than can be compared', 'x\n'.repeat(3_000), `a\n${'x\n'.repeat(3_000)}`, `${'x\n'.repeat(3_000)}b\n`],
  ])('is not tried by guessing: %s', (_, base, theirs, mine) => expect(mergeText(base, theirs, mine)).toBeNull())

  /** A text of words that are all different, and what somebody makes of it: words put in, taken out, and exchanged. */
  const change = fc.array(fc.record({ at: fc.nat(40), take: fc.nat(3), put: fc.nat(3), isLine: fc.boolean() }), { maxLength: 4 })
  type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

  function apply(base: string, changes: Change, name: string): string {
    const words = base.split(/(?<=\s)/)
    for (const [i, { at, take, put, isLine }] of changes.entries()) {
      const added = Array.from({ length: put }, (_, j) => `${name}${i}_${j}${isLine ? '\n' : ' '}`)
      words.splice(Math.min(at, words.length), take, ...added)
    }
    return words.join('')
  }
  const wordsOf = (text: string) => new Set(text.split(/\s+/).filter(Boolean))
  const without = (a: ReadonlySet<string>, b: ReadonlySet<string>) => [...a].filter((word) => !b.has(word))

  test('keeps every word that a side wrote and every one that both left, or answers null', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 40 }), change, change, (ends, first, second) => {
        const base = ends.map((isLine, i) => `w${i}${isLine ? '\n' : ' '}`).join('')
        const [theirs, mine] = [apply(base, first, 'T'), apply(base, second, 'M')]
        const merged = mergeText(base, theirs, mine)
        if (merged === null) return
        const [all, was, a, b] = [merged, base, theirs, mine].map(wordsOf)
        if (!all || !was || !a || !b) throw new Error('four texts')
        const expected = new Set([...without(a, was), ...without(b, was), ...[...was].filter((word) => a.has(word) && b.has(word))])
        expect(without(expected, all)).toEqual([])
        expect(without(all, new Set([...a, ...b]))).toEqual([])
        expect(mergeText(base, mine, theirs) === null).toBe(false)
      }),
      { numRuns: Number(process.env.MERGES ?? 1_000) },
    )
  })
})
