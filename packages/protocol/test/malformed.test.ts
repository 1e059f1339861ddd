// F5: garbage from the other side is one typed error, and changes nothing.
import { decodeDown, decodeUp, encode, HeadwaterError, limits } from '@headwater/protocol'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { anyDown, anyUp, downFrames, upFrames } from './messages.ts'

const sides = [
  { name: 'up', decode: decodeUp, frames: upFrames, any: anyUp, bytesMax: limits.upBytesMax },
  { name: 'down', decode: decodeDown, frames: downFrames, any: anyDown, bytesMax: limits.downBytesMax },
] as const

const cleanPrototypes = [Object.prototype, Array.prototype, Map.prototype].map((prototype) => Reflect.ownKeys(prototype).length)
afterEach(() => {
  expect([Object.prototype, Array.prototype, Map.prototype].map((prototype) => Reflect.ownKeys(prototype).length)).toEqual(cleanPrototypes)
  expect(Reflect.get({}, 'polluted')).toBeUndefined()
})

/** The code of the error that decoding throws; 'decoded' if it does not. Anything but a HeadwaterError fails the test. */
function codeOf(decode: (frame: string) => unknown, frame: string): string {
  try {
    decode(frame)
    return 'decoded'
  } catch (error) {
    expect(error).toBeInstanceOf(HeadwaterError)
    return error instanceof HeadwaterError ? error.code : 'unknown'
  }
}

const garbage = [
  '',
  ' ',
  'null',
  'true',
  '0',
  '"hello"',
  '[]',
  '[{"type":"ping"}]',
  '{}',
  '{"type":null}',
  '{"type":1}',
  '{"type":["ping"]}',
  '{"type":{"toString":"ping"}}',
  '{"type":"nothing"}',
  '{"type":"PING"}',
  '{"type":"__proto__"}',
  '{"type":"constructor"}',
  '{"type":"toString"}',
  '{"type":"hasOwnProperty"}',
  '{"__proto__":{"type":"ping"}}',
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  "{type:'ping'}",
  '{"type":"ping"',
  '{"type":"ping"}}',
  '{"type":"ping"}\n{"type":"ping"}',
  '\0',
  '\ufeff{"type":"ping"}',
  '\ud800',
  'NaN',
  '<html>502 Bad Gateway</html>',
]

for (const { name, decode, frames, any, bytesMax } of sides) {
  describe(name, () => {
    test('F5: garbage is malformed', () => {
      for (const frame of garbage) expect({ frame, code: codeOf(decode, frame) }).toEqual({ frame, code: 'malformed' })
    })

    test('F5: a frame that was cut off at any place is malformed', () => {
      for (const frame of Object.values(frames)) {
        for (let length = 0; length < frame.length; length++) expect(codeOf(decode, frame.slice(0, length))).toBe('malformed')
      }
    })

    test('every member of a message is required, but those that may be null', () => {
      for (const frame of Object.values(frames)) {
        for (const path of pathsOf(JSON.parse(frame))) {
          const mayBeNull = path.at(-1) !== 'args' && codeOf(decode, replaced(frame, path, null)) === 'decoded'
          expect({ path, code: codeOf(decode, without(frame, path)) }).toEqual({ path, code: mayBeNull ? 'decoded' : 'malformed' })
        }
      }
    })

    test('F5: whatever stands in the place of any member, it is decoded as it stands or it is malformed', () => {
      fc.assert(
        fc.property(any, fc.nat(), fc.jsonValue(), (message, at, value) => {
          const frame = encode(message)
          const paths = pathsOf(JSON.parse(frame))
          const changed = replaced(frame, paths[at % paths.length] ?? ['type'], value)
          const code = codeOf(decode, changed)
          expect(['malformed', 'decoded']).toContain(code)
          if (code === 'decoded') expect(codeOf(decode, encode(decode(changed)))).toBe('decoded')
        }),
        { numRuns: 500 },
      )
    })

    test('F6: a frame that is too large is not even read', () => {
      const frame = `{"type":"ping","padding":"${'x'.repeat(bytesMax)}"}`
      expect(codeOf(decode, frame)).toBe('too-large')
    })

    test('a frame of brackets, however deep, is malformed and does not overflow the stack', () => {
      const depth = 100_000
      expect(codeOf(decode, '['.repeat(depth))).toBe('malformed')
      expect(codeOf(decode, '['.repeat(depth) + ']'.repeat(depth))).toBe('malformed')
      expect(codeOf(decode, `${'{"type":'.repeat(depth)}1${'}'.repeat(depth)}`)).toBe('malformed')
    })
  })
}

/** Where a message has members that it cannot do without: not inside of `args`, rows and maps, whose content is free. */
type Path = readonly (string | number)[]
const freeMembers = ['args', 'value', 'rows', 'gone', 'put', 'columns', 'roles']
function pathsOf(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, member]) => {
    const here = [...path, Array.isArray(value) ? Number(key) : key]
    const isEntry = Array.isArray(value) || path.at(-1) === 'tables'
    return [...(isEntry ? [] : [here]), ...(freeMembers.includes(key) ? [] : pathsOf(member, here))]
  })
}

function change(frame: string, path: Path, edit: (parent: Record<string, unknown>, key: string) => void): string {
  const message: unknown = JSON.parse(frame)
  let parent = message
  for (const key of path.slice(0, -1)) parent = Reflect.get(Object(parent), key)
  // The path leads through objects and arrays of this very message.
  edit(parent as Record<string, unknown>, String(path.at(-1)))
  return JSON.stringify(message)
}
const without = (frame: string, path: Path) => change(frame, path, (parent, key) => Reflect.deleteProperty(parent, key))
const replaced = (frame: string, path: Path, value: unknown) =>
  change(frame, path, (parent, key) => Reflect.defineProperty(parent, key, { value, enumerable: true, writable: true, configurable: true }))

describe('values', () => {
  const hello = (member: string, value: string) => upFrames.hello.replace(new RegExp(`"${member}":("[^"]*"|\\d+|\\[[^\\]]*\\])`), `"${member}":${value}`)
  const args = (value: string) => upFrames.push.replace('{"row":{"id":"1"}}', value)
  const up = (frame: string) => codeOf(decodeUp, frame)

  test('a count is a whole number that JavaScript holds exactly', () => {
    for (const value of ['0', '1', '9007199254740991', '1e3', '-0']) expect({ value, code: up(hello('confirmed', value)) }).toEqual({ value, code: 'decoded' })
    for (const value of ['-1', '1.5', '9007199254740992', '9007199254740993', '1e999', '"1"', 'null', 'true', '[1]']) {
      expect({ value, code: up(hello('confirmed', value)) }).toEqual({ value, code: 'malformed' })
    }
  })

  test('W12: no text of a message holds what the database cannot store', () => {
    for (const member of ['user', 'device', 'nonce', 'cursor']) {
      for (const value of ['"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\udc00a"'])
        expect({ member, value, code: up(hello(member, value)) }).toEqual({ member, value, code: 'malformed' })
    }
    expect(up(hello('granted', '["user:\\u0000"]'))).toBe('malformed')
    expect(up(hello('user', '"\\ud83d\\ude00"'))).toBe('decoded')
  })

  test('W12: arguments are JSON that the database can store', () => {
    for (const value of ['"\\u0000"', '{"\\u0000":1}', '["\\ud800"]', '{"a":{"b":["\\udfff"]}}', '1e999', '[-1e999]']) {
      expect({ value, code: up(args(value)) }).toEqual({ value, code: 'malformed' })
    }
    for (const value of ['null', '0', '"a"', '[]', '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}', '9007199254740993']) {
      expect({ value, code: up(args(value)) }).toEqual({ value, code: 'decoded' })
    }
  })

  test('W12: arguments are nested at most as deep as the limit', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    expect(up(args(nested(limits.jsonDepthMax)))).toBe('decoded')
    expect(up(args(nested(limits.jsonDepthMax + 1)))).toBe('malformed')
    expect(up(args(nested(50_000)))).toBe('malformed')
    expect(up(args(`${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`))).toBe('malformed')
  })

  test('lists and texts have their limits', () => {
    const text = (length: number) => JSON.stringify('x'.repeat(length))
    expect(up(hello('user', text(limits.idLengthMax)))).toBe('decoded')
    expect(up(hello('user', text(limits.idLengthMax + 1)))).toBe('malformed')
    expect(up(hello('cursor', text(limits.cursorLengthMax)))).toBe('decoded')
    expect(up(hello('cursor', text(limits.cursorLengthMax + 1)))).toBe('malformed')
    const scopes = (length: number) => JSON.stringify(Array.from({ length }, (_, i) => `a:${i}`))
    expect(up(hello('held', scopes(limits.scopesPerMessageMax)))).toBe('decoded')
    expect(up(hello('held', scopes(limits.scopesPerMessageMax + 1)))).toBe('malformed')
    const mutation = upFrames.push.slice(upFrames.push.indexOf('[') + 1, -2)
    const push = (length: number) => `{"type":"push","mutations":[${Array.from({ length }, () => mutation)}]}`
    expect(up(push(limits.mutationsPerPushMax))).toBe('decoded')
    expect(up(push(limits.mutationsPerPushMax + 1))).toBe('malformed')
  })

  test('the error says where, and nothing of what was there', () => {
    const frame = upFrames.push.replace('"number":1', '"number":"secret"')
    expect(() => decodeUp(frame)).toThrow('mutations[0].number is not a count')
  })
})
