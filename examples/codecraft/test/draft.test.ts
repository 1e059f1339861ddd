import { describe, expect, test } from 'vitest'
import { createDraft, writeDelayMs } from '../src/web/project/editor/draft.ts'

function setUp(initial = '') {
  const written: string[] = []
  const timers: { afterMs: number; run: () => void }[] = []
  const draft = createDraft(initial, {
    write: (text) => written.push(text),
    timer: (afterMs, run) => {
      const timer = { afterMs, run }
      timers.push(timer)
      return () => timers.splice(timers.indexOf(timer), timers.includes(timer) ? 1 : 0)
    },
  })
  return { draft, written, timers, elapse: () => timers.shift()?.run() }
}

describe('a draft', () => {
  test('writes once, a moment after the last key', () => {
    const { draft, written, timers, elapse } = setUp()
    draft.type('a')
    draft.type('ab')
    expect(timers.map((timer) => timer.afterMs)).toEqual([writeDelayMs])
    expect(written).toEqual([])
    elapse()
    expect(written).toEqual(['ab'])
  })

  test('writes at once when it is left, and not again', () => {
    const { draft, written, timers } = setUp()
    draft.type('a')
    draft.flush()
    draft.flush()
    expect(written).toEqual(['a'])
    expect(timers).toEqual([])
  })

  test('follows the store while nothing is typed', () => {
    const { draft } = setUp('old')
    draft.follow('from elsewhere')
    expect(draft.get()).toBe('from elsewhere')
  })

  test('keeps what is being typed while the store changes', () => {
    const { draft, written, elapse } = setUp('old')
    draft.type('mine')
    draft.follow('from elsewhere')
    expect(draft.get()).toBe('mine')
    elapse()
    expect(written).toEqual(['mine'])
    draft.follow('from elsewhere')
    expect(draft.get()).toBe('from elsewhere')
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
