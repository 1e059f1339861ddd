// What the panel of sync says: per kind of data, of what was refused, and line by line.
import type { TraceEntry } from '@headwater/client'
import { describe, expect, test } from 'vitest'
import { editableOf, withText } from '../src/web/sync/editable.ts'
import { describeKind, kindOf, kindsOf } from '../src/web/sync/kinds.ts'
import { filtered, linesOf } from '../src/web/trace/lines.ts'
import { createTraceStore } from '../src/web/trace/store.ts'

describe('sync by kind of data', () => {
  test('counts what waits and what was refused of each', () => {
    const kinds = kindsOf({
      pending: [{ name: 'sendMessage' }, { name: 'stopAnswer' }, { name: 'editFile' }],
      setAside: [{ name: 'renameDirectory' }, { name: 'projects.update' }],
      held: { projects: 'here', messages: 'loading', files: 'loading' },
      rows: { projects: 9, messages: 2, files: 0 },
    })
    expect(kinds.map((kind) => `${kind.name}: ${describeKind(kind)}`)).toEqual([
      'projects: 1 refused · loaded',
      'messages: 2 waiting · loading',
      'files: 1 refused · 1 waiting · loading',
    ])
  })

  test.each([
    ['projectMembers.delete', 'projects'],
    ['messages.update', 'messages'],
    ['resolveCopy', 'files'],
    ['one of a later version', 'projects'],
  ])('%s is about %s', (name, kind) => expect(kindOf(name)).toBe(kind))
})

describe('a refused mutation', () => {
  test.each([
    ['a new file', { name: 'createFile', args: { id: '1', path: 'a.ts' } }, { field: 'path', label: 'Path', text: 'a.ts' }],
    ['a title', { name: 'projects.update', args: { row: { id: '1', title: 'Old' } } }, { field: 'title', label: 'Title', text: 'Old' }],
    ['a message', { name: 'sendMessage', args: { content: 'Hello' } }, { field: 'content', label: 'Text', text: 'Hello' }],
    ['the place of an edited file', { name: 'editFile', args: { path: 'a.ts', base: '', content: 'x' } }, { field: 'path', label: 'Path', text: 'a.ts' }],
    ['nothing of a copy that was made by comparing', { name: 'resolveCopy', args: { id: '1', base: '', content: 'x' } }, null],
    ['nothing of one without text', { name: 'deleteFile', args: { id: '1' } }, null],
    ['nothing of what is no object', { name: 'later', args: null }, null],
  ])('can be changed in %s', (_, refused, editable) => expect(editableOf(refused)).toEqual(editable))

  test('keeps all else that it says', () => {
    expect(withText({ id: '1', path: 'a.ts' }, 'path', 'b.ts')).toEqual({ id: '1', path: 'b.ts' })
    expect(withText({ row: { id: '1', title: 'Old' }, expect: null }, 'title', 'New')).toEqual({ row: { id: '1', title: 'New' }, expect: null })
    expect(withText(null, 'title', 'New')).toBeNull()
  })
})

const entry = (kind: TraceEntry['kind'], text: string, ms: number | null = null): TraceEntry => ({
  at: Date.UTC(2026, 10, 21, 4, 5, 6, 7),
  kind,
  text,
  characters: 0,
  ms,
})
const entries = [entry('connection', 'connects to codecraft.test'), entry('mutation', 'pushes sendMessage, number 1'), entry('disk', 'writes 2 records', 4.4)]

describe('the trace', () => {
  test('is filtered by kind and by words', () => {
    const texts = (kinds: readonly TraceEntry['kind'][], text: string) => filtered(entries, { kinds: new Set(kinds), text }).map(({ kind }) => kind)
    expect(texts([], '')).toEqual(['connection', 'mutation', 'disk'])
    expect(texts(['mutation', 'disk'], '')).toEqual(['mutation', 'disk'])
    expect(texts([], 'NUMBER pushes')).toEqual(['mutation'])
    expect(texts(['disk'], 'number')).toEqual([])
  })

  test('is copied as lines, with what each took', () => {
    expect(linesOf(entries.slice(1))).toBe('04:05:06.007  mutation    pushes sendMessage, number 1\n04:05:06.007  disk        writes 2 records  4 ms')
  })

  test('tells once per frame, and forgets what was cleared', () => {
    const frames: (() => void)[] = []
    const trace = createTraceStore((run) => frames.push(run))
    let told = 0
    trace.subscribe(() => told++)
    const { openSocket, clock } = trace.ports({
      clock: { now: () => 0, timer: () => () => {} },
      openSocket: (_, events) => {
        events.onOpen()
        return { send: () => {}, close: () => {} }
      },
    })
    expect(clock.now()).toBe(0)
    const events = { onOpen: () => {}, onMessage: () => {}, onClose: () => {} }
    openSocket('ws://codecraft.test/headwater/socket', events)
    expect([trace.get(), frames.length, told]).toEqual([[], 1, 0])
    frames.shift()?.()
    expect(trace.get().map(({ text }) => text)).toEqual(['connects to codecraft.test', 'is connected'])
    trace.clear()
    expect(trace.get()).toEqual([])
    openSocket('ws://codecraft.test/headwater/socket', events)
    frames.shift()?.()
    expect([trace.get().length, told]).toEqual([2, 3])
  })
})
