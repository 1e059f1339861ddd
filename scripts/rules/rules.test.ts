import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { checkCode } from './code.ts'
import { checkFile } from './files.ts'
import { printed } from './finding.ts'
import { avoidedWords, checkWords } from './words.ts'

const core = 'packages/client/src/store/row.ts'
const said = (findings: readonly { readonly line: number; readonly what: string }[]) => findings.map(({ line, what }) => `${line} ${what}`)
const code = (text: string, path = core) => said(checkCode({ path, text }))
const file = (text: string, path = core) => said(checkFile({ path, text }))
const times = (count: number, line: string) => Array.from({ length: count }, () => line).join('\n')

describe('files', () => {
  test('a name that says nothing is found, in files and folders', () => {
    for (const path of ['a/utils.ts', 'a/util/b.ts', 'a/helpers.ts', 'types.ts', 'a/common/b.ts', 'a/shared/b.tsx', 'a/misc.ts']) {
      expect(file('', path)).toEqual(['1 a name that says nothing'])
    }
    for (const path of ['a/retry.ts', 'a/typeset.ts', 'a/commonplace.ts', 'packages/schema/test/types.test.ts']) expect(file('', path)).toEqual([])
  })

  test('a file of more than 400 lines needs a reason in its first line', () => {
    expect(file(times(400, 'a()'))).toEqual([])
    expect(file(`${times(401, 'a()')}\n`)).toEqual(['400 401 lines'])
    expect(file(`// Size: one table, which is easier to read whole\n${times(500, 'a()')}`)).toEqual([])
    expect(file(`// Size:\n${times(500, 'a()')}`)).toEqual(['400 500 lines'])
    expect(file(times(500, 'text'), 'README.md')).toEqual([])
  })

  test('unfinished work and hidden errors are found', () => {
    expect(file('a()\n// TODO: the rest')).toEqual(['2 unfinished work (TODO)'])
    expect(file('<!-- FIXME -->', 'docs/a.md')).toEqual(['1 unfinished work (FIXME)'])
    expect(file('// @ts-ignore\na()')).toEqual(['1 an error hidden from the compiler (@ts-ignore)'])
    expect(file('// todos are an example\nconst todoList = 1')).toEqual([])
  })

  test('paths of one machine and addresses of registries are found, in the lockfile too', () => {
    expect(file("read('/home/ada/headwater/a.ts')")).toEqual(['1 a path of one machine (/home/ada/headwater)'])
    expect(file('/Users/ada/code', 'docs/a.md')).toEqual(['1 a path of one machine (/Users/ada/code)'])
    expect(file('"/work/main/a"')).toEqual(['1 a path of one machine (/work/main)'])
    expect(file('registry=https://registry.example.org/npm/', '.npmrc')).toEqual(['1 the address of a registry (https://registry.example.org/)'])
    expect(file('{\n"resolved": "https://packages.example.org/a.tgz" }', 'package-lock.json')).toEqual([
      '2 the address of a registry ("resolved": "https://packages.example.org/a.tgz")',
    ])
    expect(file('{"resolved": "packages/client"}', 'package-lock.json')).toEqual([])
    expect(file("'./work/a' + 'https://example.org/home/ada/x' + '/usr/bin/chromium' + '/api/work/a'")).toEqual([])
  })
})

describe('functions', () => {
  const body = (count: number) => times(count, '  a()')

  test('a function of more than 70 lines is found, under its name', () => {
    expect(code(`function small() {\n${body(68)}\n}`)).toEqual([])
    expect(code(`\nfunction large() {\n${body(69)}\n}`)).toEqual(['2 large has 71 lines'])
    expect(code(`const large = () => {\n${body(69)}\n}`)).toEqual(['1 large has 71 lines'])
    expect(code(`const it = {\n  large() {\n${body(69)}\n  },\n}`)).toEqual(['2 large has 71 lines'])
  })

  test('functions inside a function count for themselves', () => {
    const inner = (name: string) => `  const ${name} = () => {\n${body(40)}\n  }`
    expect(code(`function createPair() {\n${inner('one')}\n${inner('two')}\n}`)).toEqual([])
    expect(code(`function createPair() {\n  function inner() {\n${body(70)}\n  }\n}`)).toEqual(['2 inner has 72 lines'])
  })

  test('a factory is limited as a whole besides', () => {
    const many = Array.from({ length: 10 }, (_, i) => `  const f${i} = () => {\n${body(30)}\n  }`).join('\n')
    expect(code(`function createEverything() {\n${many}\n}`)).toEqual(['1 createEverything has 322 lines'])
  })
})

describe('calls', () => {
  test('the core takes clock and chance from its ports', () => {
    expect(code('const a = Date.now()')).toEqual(['1 Date.now()'])
    expect(code('Math.random()\nsetTimeout(run, 1)\nglobalThis.setInterval(run, 1)')).toEqual(['1 Math.random()', '2 setTimeout()', '3 setInterval()'])
    expect(code('new Date()\ncrypto.randomUUID()')).toEqual(['1 new Date()', '2 crypto.randomUUID()'])
    expect(code("new Date('2026-11-21')\nclock.now()\nconst text = 'Date.now()' // Math.random()")).toEqual([])
    expect(code('Date.now()', 'packages/client/src/browser.ts')).toEqual([])
    expect(code('Date.now()', 'packages/cli/src/main.ts')).toEqual([])
  })

  test('the core never logs, its ports included', () => {
    expect(code("console.error('a')")).toEqual(['1 console.error()'])
    expect(code('console.log(1)', 'packages/server/src/database/embedded.ts')).toEqual(['1 console.log()'])
  })

  test('a test that is alone or left out is found', () => {
    const path = 'packages/client/test/a.test.ts'
    expect(code("test.only('a', run)\ndescribe.skip('b', run)\nit.todo('c')", path)).toEqual(['1 test.only()', '2 describe.skip()', '3 it.todo()'])
    expect(code("test.runIf(isLinux)('a', run)\nlist.skip(1)\ntest('.only(', run)", path)).toEqual([])
  })
})

describe('casts', () => {
  test('a cast says why it is true, on its line or above it', () => {
    expect(code('const a = b as Row')).toEqual(['1 a cast without a reason'])
    expect(code('// Every row has one.\nconst a = b as Row')).toEqual([])
    expect(code('const a = b as Row // Every row has one.')).toEqual([])
    expect(code('// Far away.\n\nconst a = b as Row')).toEqual(['3 a cast without a reason'])
    expect(code('// The shape was checked.\nreturnIt(\n  one,\n  two as Row,\n)')).toEqual([])
    expect(code('// Both are rows.\nconst a = b as Row\nconst c = d as Row\n\nconst e = f as Row')).toEqual(['5 a cast without a reason'])
    expect(code('const a = ["x"] as const')).toEqual([])
    expect(code('const a = b as Row', 'packages/client/test/a.test.ts')).toEqual([])
  })

  test('as any is found everywhere, whatever stands above it', () => {
    expect(code('// It is.\nconst a = b as any', 'packages/client/test/a.test.ts')).toEqual(['2 as any'])
  })
})

describe('words', () => {
  const words = avoidedWords(readFileSync(new URL('../../docs/WORDS.md', import.meta.url), 'utf8'))
  const found = (text: string, path = core) => said(checkWords({ path, text }, words))

  test('every form of an avoided word is found, and the word to say is named', () => {
    expect(found('a dead letter, deadLetters and\nDeadLetter or dead_letter')).toEqual([
      '1 the word "dead letter"',
      '1 the word "deadLetters"',
      '2 the word "DeadLetter"',
      '2 the word "dead_letter"',
    ])
    const [finding] = checkWords({ path: core, text: 'myDeadLetter' }, words)
    expect(finding && printed(finding)).toBe(`${core}:1 the word "DeadLetter": Here it is called refused, set aside (docs/WORDS.md).`)
  })

  test('a word that merely contains the letters, and the files that must name it, are left alone', () => {
    expect(found('undead letters, dead lettering, a deadline')).toEqual([])
    expect(found('dead letter', 'docs/WORDS.md')).toEqual([])
  })

  test('a table that has lost its last column is an error, and not a check of nothing', () => {
    expect(() => avoidedWords('| word | meaning | avoid |\n|---|---|---|\n| row | | record |')).toThrow('no words')
  })
})
