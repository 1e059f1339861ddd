import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { llmsFull, llmsIndex } from '../../docs/site/llms.ts'
import { pageGroups, siteLink } from '../../docs/site/pages.ts'
import { checkBlocks } from './documents/blocks.ts'
import { checkCodes } from './documents/codes.ts'
import { checkLimits } from './documents/limits.ts'
import { checkLinks } from './documents/links.ts'
import { readPage, slugOf } from './documents/markdown.ts'
import { checkPackages } from './documents/packages.ts'
import type { Finding } from './finding.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const said = (findings: readonly Finding[]) => findings.map(({ path, line, what }) => `${path}:${line} ${what}`)

describe('links between documents', () => {
  const found = (text: string) =>
    said(
      checkLinks(
        [
          { path: 'docs/a.md', text },
          { path: 'docs/scopes.md', text: '## On demand\n## On demand' },
        ],
        root,
      ),
    )

  test('a file or a heading that is not there is found, and the others are not', () => {
    expect(found('# A\n[x](none.md) [y](scopes.md#nowhere)')).toEqual([
      'docs/a.md:2 a link to none.md, which is not there',
      'docs/a.md:2 a link to scopes.md#nowhere, where no heading has that name',
    ])
    expect(found('# A b\n[x](scopes.md#on-demand-1) [y](#a-b) [z](../README.md) [w](https://example.org/none) `[v](none.md)`\n```\n[u](none.md)\n```')).toEqual(
      [],
    )
    expect(found('[x](../../elsewhere.md)')).toEqual(['docs/a.md:1 a link to ../../elsewhere.md, which is not there'])
  })

  test('a file of the repository that a page names is there', () => {
    expect(found('It is in `test/pg/none.test.ts` and in `test/pg/rules.test.ts`.')).toEqual(['docs/a.md:1 the file test/pg/none.test.ts, which is not there'])
  })

  test('anchors are those that GitHub makes', () => {
    expect(slugOf('Who may do what, and why?')).toBe('who-may-do-what-and-why')
    expect(slugOf('`headwater migrate` & [more](x.md)')).toBe('headwater-migrate--more')
  })
})

describe('blocks of code', () => {
  const tests = [
    { path: 'packages/x/test/a-page.test.ts', text: "import './a-page.schema.ts'\nrun()\n" },
    { path: 'packages/x/test/a-page.schema.ts', text: 'declare()\n' },
    { path: 'packages/x/test/a-page.other.ts', text: 'other()\n' },
    { path: 'test/pg/http.test.ts', text: "read('docs/a.md')" },
  ]
  const found = (info: string, text: string) =>
    said(checkBlocks([{ path: 'docs/a.md', text: `\`\`\`${info}\n${text}\n\`\`\`` }, ...tests])).map((one) => one.slice('docs/a.md:1 '.length))

  test('a block is run, or says why not', () => {
    expect(found('ts', 'run()')).toEqual([])
    expect(found('ts', 'declare()')).toEqual([])
    expect(found('ts', 'run(1)')).toEqual(['a block that is not run'])
    expect(found('ts', 'other()')).toEqual(['a block that is not run'])
    expect(found('sh', 'ls')).toEqual(['a block that is not run'])
    expect(found('json', '{}')).toEqual([])
    expect(found('', 'text')).toEqual([])
    expect(found('sh not run: it serves', 'npm start')).toEqual([])
    expect(found('sh not run:', 'npm start')).toEqual(['a block without a reason'])
    expect(found('sh run by test/pg/http.test.ts', 'curl')).toEqual([])
    expect(found('sh run by test/pg/none.test.ts', 'curl')).toEqual(['a block run by test/pg/none.test.ts'])
    expect(found('ts from packages/x/test/a-page.other.ts', 'other()')).toEqual([])
    expect(found('ts from packages/x/test/a-page.other.ts', 'another()')).toEqual(['a block from packages/x/test/a-page.other.ts'])
    expect(found('ts twoslash', 'run()')).toEqual(['a block of "ts twoslash"'])
  })

  test('of a page that no test is named after', () => {
    expect(said(checkBlocks([{ path: 'docs/b.md', text: '```ts\nrun()\n```' }, ...tests]))).toEqual(['docs/b.md:1 a block that is not run'])
    expect(readPage('```ts\nrun()\n```').blocks).toEqual([{ info: 'ts', text: 'run()\n', line: 1 }])
  })
})

test('codes of errors that the page does not have are found, and those that nothing makes', () => {
  const source = `throw new HeadwaterError(isFull ? 'disk-full' : 'disk', message)\nasError(error, 'internal')\nproblem(404, 'not-found', 'x')\nconst x = { code: 'void' }\nconst y = { code: 'HW001' }`
  const page = '| code | |\n|---|---|\n| `disk`, `void` | `other` |\n| `gone` | |'
  expect(
    said(
      checkCodes([
        { path: 'packages/x/src/a.ts', text: source },
        { path: 'docs/errors.md', text: page },
      ]),
    ),
  ).toEqual([
    'packages/x/src/a.ts:1 the code disk-full',
    'packages/x/src/a.ts:2 the code internal',
    'packages/x/src/a.ts:3 the code not-found',
    'docs/errors.md:4 the code gone',
  ])
})

test('limits that the page does not have, or with another number, are found, and those that there are not', () => {
  const source = 'export const limits = {\n  a: 1_000,\n  b: { c: 2, d: 3 },\n} as const\nexport const e = 4\nfunction f() { const g = 5 }'
  const page = '| `a` | 1,000 | |\n| `b.c` | 20 | |\n| `b.d` | 3 ms | |\n| `h` | 6 | |'
  expect(
    said(
      checkLimits([
        { path: 'packages/server/src/limits.ts', text: source },
        { path: 'docs/limits.md', text: page },
      ]),
    ),
  ).toEqual(['packages/server/src/limits.ts:3 the limit b.c, 2', 'packages/server/src/limits.ts:5 the limit e, 4', 'docs/limits.md:4 the limit h'])
})

test('every page is on the site once, has a title, and llms.txt says what it is about', () => {
  const groups = pageGroups()
  const pages = groups.flatMap(({ pages: some }) => some)
  expect(new Set(pages.map(({ link }) => link)).size).toBe(pages.length)
  expect(pages.filter(({ title, path }) => title === path)).toEqual([])
  const index = llmsIndex(groups)
  for (const { link, title } of pages)
    expect(index).toMatch(new RegExp(`^- \\[${title.replace(/[.*+?^${'$'}{}()|[\\]\\\\]/g, '\\\\$&')}\\]\\(${link}\\.md\\): \\S`, 'm'))
  const full = llmsFull(groups)
  for (const { path } of pages) expect(full).toContain(`<!-- ${path} -->`)
})

test('a package that says something else of the repository, or leaves out what publishing needs, is found', () => {
  const manifest = { license: 'Apache-2.0', repository: { url: 'git+https://example.org/x.git' }, engines: { node: '>=20' } }
  const whole = {
    ...{ ...manifest, description: 'A package for the test of a rule.', sideEffects: false, files: ['dist'] },
    ...{ repository: { ...manifest.repository, directory: 'packages/x' }, publishConfig: { access: 'public', provenance: true } },
  }
  const found = (one: object) =>
    checkPackages([
      { path: 'package.json', text: JSON.stringify(manifest) },
      { path: 'packages/x/package.json', text: JSON.stringify(one) },
    ]).map(({ what }) => what)
  expect(found(whole)).toEqual([])
  expect(found({ ...whole, repository: { url: 'git+https://example.org/y.git', directory: 'packages/x' }, publishConfig: { access: 'public' } })).toEqual([
    'repository.url',
    'publishConfig.provenance',
  ])
  expect(found({})).toHaveLength(9)
})

test('every link of a page on the site leads to a page of the site', () => {
  const pages = pageGroups().flatMap(({ pages: some }) => some)
  const links = new Set(pages.map(({ link }) => link))
  const dead = pages.flatMap(({ path, text }) =>
    readPage(text)
      .links.map(({ target }) => ({ path, target, link: siteLink(path, target) }))
      .filter(({ link }) => link === null || (link.startsWith('/') && !links.has(link.split('#', 1)[0] ?? '')))
      .map(({ target }) => `${path} ${target}`),
  )
  expect(dead).toEqual([])
})
