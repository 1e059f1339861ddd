import { describe, expect, test } from 'vitest'
import { createDraft, writeDelayMs } from '../src/web/project/editor/draft.ts'

function setUp(initial = '') {
  const written: { base: string; text: string }[] = []
  const timers: { afterMs: number; run: () => void }[] = []
  const draft = createDraft(initial, {
    write: (base, text) => written.push({ base, text }),
    timer: (afterMs, run) => {
      const timer = { afterMs, run }
      timers.push(timer)
      return () => timers.splice(timers.indexOf(timer), timers.includes(timer) ? 1 : 0)
    },
  })
  return { draft, written, timers, elapse: () => timers.shift()?.run() }
}

describe('a draft', () => {
  test('writes once, a moment after the last key, with what it was made from', () => {
    const { draft, written, timers, elapse } = setUp('old')
    draft.type('a')
    draft.type('ab')
    expect(timers.map((timer) => timer.afterMs)).toEqual([writeDelayMs])
    expect(written).toEqual([])
    elapse()
    expect(written).toEqual([{ base: 'old', text: 'ab' }])
    draft.type('abc')
    elapse()
    expect(written.at(-1)).toEqual({ base: 'ab', text: 'abc' })
  })

  test('writes at once when it is left, and not again', () => {
    const { draft, written, timers } = setUp()
    draft.type('a')
    draft.flush()
    draft.flush()
    expect(written).toEqual([{ base: '', text: 'a' }])
    expect(timers).toEqual([])
  })

  test('writes nothing where nothing changed in the end', () => {
    const { draft, written, elapse } = setUp('a')
    draft.type('ab')
    draft.type('a')
    elapse()
    expect(written).toEqual([])
  })

  test('follows the store while nothing is typed', () => {
    const { draft } = setUp('old')
    draft.follow('from elsewhere')
    expect(draft.get()).toBe('from elsewhere')
  })

  test('merges what is being typed with what others write', () => {
    const { draft, written, elapse } = setUp('a\nb\nc\n')
    draft.type('a\nb\nmine\n')
    draft.follow('theirs\nb\nc\n')
    expect(draft.get()).toBe('theirs\nb\nmine\n')
    elapse()
    expect(written).toEqual([{ base: 'theirs\nb\nc\n', text: 'theirs\nb\nmine\n' }])
  })

  test('keeps what cannot be merged until it is written, then shows the file', () => {
    const { draft, written, elapse } = setUp('old')
    draft.type('mine')
    draft.follow('theirs')
    expect(draft.get()).toBe('mine')
    elapse()
    expect(written).toEqual([{ base: 'old', text: 'mine' }])
    expect(draft.get()).toBe('theirs')
    draft.type('theirs!')
    elapse()
    expect(written.at(-1)).toEqual({ base: 'theirs', text: 'theirs!' })
  })

  test('tells of a change, and of nothing else', () => {
    const { draft } = setUp('same')
    let told = 0
    draft.subscribe(() => told++)
    draft.follow('same')
    draft.type('other')
    expect(told).toBe(1)
  })
})
