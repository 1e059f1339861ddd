import { type Aside, decodeAside, decodeDown, decodeUp, encode, limits, scopeKey } from '@headwater/protocol'
import { expect, test } from 'vitest'

const gathered: Aside = {
  type: 'presence',
  scope: scopeKey('project', '1'),
  granted: true,
  whole: true,
  count: 1,
  here: [{ id: 'd', user: 'ada', value: { at: 3 } }],
  gone: ['e'],
}
const said = (value: unknown) => JSON.stringify({ type: 'presence', says: [{ scope: 'project:1', as: 'here', value }] })

test('who is in a scope comes out as it went in, and only for a device that has presence', () => {
  expect(decodeAside(encode(gathered))).toEqual(gathered)
  expect(() => decodeDown(encode(gathered))).toThrow(expect.objectContaining({ code: 'malformed' }))
})

test('a device finds both frames by how they begin', () => {
  expect(encode(gathered)).toMatch(/^\{"type":"presence",/)
  expect(decodeAside('{"type":"welcome","version":1}')).toEqual({ type: 'welcome', presence: null })
})

test('F5: what is too long, too deep or too many is malformed', () => {
  expect(decodeUp(said('x'.repeat(limits.presenceLengthMax - 2)))).toMatchObject({ type: 'presence' })
  for (const value of ['x'.repeat(limits.presenceLengthMax - 1), JSON.parse('['.repeat(40) + ']'.repeat(40)), 'a\0', '\ud800'])
    expect(() => decodeUp(said(value))).toThrow(expect.objectContaining({ code: 'malformed' }))
  const says = Array.from({ length: limits.presenceScopesMax + 1 }, () => ({ scope: 'project:1', as: 'away' }))
  expect(() => decodeUp(JSON.stringify({ type: 'presence', says }))).toThrow(expect.objectContaining({ code: 'malformed' }))
  expect(() => decodeUp('{"type":"presence","says":[{"scope":"project:1","as":"hiding"}]}')).toThrow(expect.objectContaining({ code: 'malformed' }))
  const here = Array.from({ length: limits.presenceToldMax + 1 }, (_, i) => ({ id: `${i}`, user: 'ada' }))
  expect(() => decodeAside(JSON.stringify({ ...gathered, here }))).toThrow(expect.objectContaining({ code: 'malformed' }))
})
