import { type Down, decodeDown, decodeUp, encode, type Up } from '@headwater/protocol'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { downFrames, downs, upFrames, ups } from './messages.ts'

describe('a message comes out as it went in', () => {
  for (const [type, arbitrary] of Object.entries<fc.Arbitrary<Up>>(ups)) {
    test(`up: ${type}`, () => {
      fc.assert(
        fc.property(arbitrary, (message) => {
          expect(decodeUp(encode(message))).toEqual(message)
        }),
      )
    })
  }
  for (const [type, arbitrary] of Object.entries<fc.Arbitrary<Down>>(downs)) {
    test(`down: ${type}`, () => {
      fc.assert(
        fc.property(arbitrary, (message) => {
          expect(decodeDown(encode(message))).toEqual(message)
        }),
      )
    })
  }

  test('a frame that was decoded encodes to the same frame', () => {
    for (const frame of Object.values(upFrames)) expect(encode(decodeUp(frame))).toBe(frame)
    for (const frame of Object.values(downFrames)) expect(encode(decodeDown(frame))).toBe(frame)
  })
})

test('what a newer peer sends besides is dropped, and what it leaves undefined is not sent', () => {
  expect(decodeUp('{"type":"ping","since":"version 9","__proto__":{"a":1}}')).toEqual({ type: 'ping' })
  expect(encode({ type: 'ping', since: undefined } as Up)).toBe('{"type":"ping"}')
})

test('the keys of a map are keys, whatever they are called', () => {
  const welcome = decodeDown(downFrames.welcome.replace('"projects"', '"__proto__"'))
  expect(welcome.type === 'welcome' && [...welcome.columns]).toEqual([['__proto__', ['id', 'title']]])
  expect(encode(welcome)).toContain('"columns":{"__proto__":["id","title"]}')
})

test('of a key that is there twice the last one counts, for the type as for all else', () => {
  expect(decodeUp('{"type":"hello","type":"ping"}')).toEqual({ type: 'ping' })
  expect(decodeUp('{"type":"hold","scopes":["a:1"],"scopes":["a:2"]}')).toEqual({ type: 'hold', scopes: ['a:2'] })
})
