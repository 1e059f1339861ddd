import { limits, type ScopeKey } from '@headwater/protocol'
import { expect, test } from 'vitest'
import { checkFew } from '../src/session/roles.ts'

// Any text is a scope's name as far as counting goes.
const scopes = (count: number, name: (n: number) => string) => new Set(Array.from({ length: count }, (_, n) => name(n) as ScopeKey))

test('as many scopes as a greeting can name, and not one more', () => {
  checkFew(
    'Granted',
    scopes(limits.scopesPerMessageMax, (n) => `team:${n}`),
  )
  expect(() =>
    checkFew(
      'Granted',
      scopes(limits.scopesPerMessageMax + 1, (n) => `team:${n}`),
    ),
  ).toThrow(`Granted are ${limits.scopesPerMessageMax + 1} scopes`)
})

test('what counts of a name is its bytes as JSON', () => {
  const names = (letter: string) => scopes(5_000, (n) => String(n).padEnd(100, letter))
  checkFew('Granted', names('a'))
  expect(() => checkFew('Granted', names('"'))).toThrow('5000 scopes')
  expect(() => checkFew('Granted', names('ü'))).toThrow('5000 scopes')
})
