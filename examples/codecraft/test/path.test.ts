import { describe, expect, test } from 'vitest'
import { directoriesOf, directoryOf, isBelow, join, languageOf, nameOf, pathProblem } from '../src/path.ts'

describe('paths in a project', () => {
  test.each(['a', 'src/main.ts', 'äöü/日本語.md', 'a b/c d.txt', '.env', '...'])('%j can be used', (path) => expect(pathProblem(path)).toBeNull())

  test.each(['', '/', '/a', 'a/', 'a//b', '.', '..', 'a/../b', ' a', 'a /b', 'a\\b', 'a\u0000b', 'a\nb', 'x'.repeat(121), 'x/'.repeat(300)])(
    '%j cannot',
    (path) => expect(pathProblem(path)).toEqual(expect.any(String)),
  )

  test('a path is a directory and a name', () => {
    expect([directoryOf('a/b/c.ts'), nameOf('a/b/c.ts')]).toEqual(['a/b', 'c.ts'])
    expect([directoryOf('c.ts'), nameOf('c.ts')]).toEqual(['', 'c.ts'])
    expect([join('', 'c.ts'), join('a/b', 'c.ts')]).toEqual(['c.ts', 'a/b/c.ts'])
    expect(directoriesOf('a/b/c.ts')).toEqual(['a', 'a/b'])
  })

  test('what only begins alike is not below', () => {
    expect(isBelow('src/a', 'src')).toBe(true)
    expect(isBelow('src2/a', 'src')).toBe(false)
    expect(isBelow('src', 'src')).toBe(false)
  })

  test('a language follows from the name', () => {
    expect([languageOf('src/App.TSX'), languageOf('Dockerfile'), languageOf('notes')]).toEqual(['TSX', 'Dockerfile', null])
  })
})
