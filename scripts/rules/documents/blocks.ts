// Invariant: a block of code on a page is run by a test, or says by whom it is not, and why.
//
// Three ways, told by the words behind the language of a block:
//
//     ```ts                                  part, as it stands, of a test file named after the page: docs/queries.md of queries-page.test.ts, or of a file
//                                            beside it that it loads: readme-page.config.ts
//     ```sh run by test/pg/http.test.ts      that test takes the block from the page and runs it
//     ```ini from examples/deploy/x.service  part, as it stands, of that file
//     ```ts not run: <reason>                what cannot be run, and why
import { basename } from 'node:path'
import type { Finding, SourceFile } from '../finding.ts'
import { type Block, readPage } from './markdown.ts'

const pages = /^(docs\/[^/]+\.md|README\.md)$/
/** What is shown in these languages could be run, and so it is. The others show what is said, not what is done. */
const languages = /^(ts|tsx|js|jsx|mjs|sh|bash|sql|html)$/

export function checkBlocks(files: readonly SourceFile[]): readonly Finding[] {
  const textByPath = new Map(files.map(({ path, text }) => [path, text]))
  return files
    .filter(({ path }) => pages.test(path))
    .flatMap((page) =>
      readPage(page.text).blocks.flatMap((block) => {
        const problem = problemOf(page.path, block)
        return problem === null ? [] : [{ path: page.path, line: block.line, ...problem }]
      }),
    )

  function problemOf(page: string, { info, text }: Block): Pick<Finding, 'what' | 'why'> | null {
    const [, language = '', how = ''] = /^(\S*) *(.*)$/.exec(info) ?? []
    const [, verb, rest = ''] = /^(run by|from|not run:) *(.*)$/.exec(how) ?? []
    const said = textByPath.get(rest)
    if (how !== '' && verb === undefined)
      return { what: `a block of "${info}"`, why: 'Say `run by <test>`, `from <file>` or `not run: <reason>` behind its language.' }
    if (verb === 'not run:') return rest === '' ? { what: 'a block without a reason', why: 'Say why it is not run.' } : null
    if (verb === 'run by') return said?.includes(page) ? null : { what: `a block run by ${rest}`, why: `There is no such test, or it does not name ${page}.` }
    if (verb === 'from') return said?.includes(text.trimEnd()) ? null : { what: `a block from ${rest}`, why: 'It is not part of that file as it stands.' }
    if (!languages.test(language)) return null
    const named = files.filter(({ path }) => basename(path).startsWith(`${stem(page)}-page.`))
    const test = named.find(({ path }) => /\.test\.tsx?$/.test(path))
    if (test === undefined) return { what: 'a block that is not run', why: `It belongs into ${stem(page)}-page.test.ts, which is not there.` }
    const isRun = (one: SourceFile) => (one === test || test.text.includes(basename(one.path))) && one.text.includes(text)
    if (named.some(isRun)) return null
    return { what: 'a block that is not run', why: `It is not part, as it stands, of ${test.path}. See scripts/rules/documents/blocks.ts for other ways.` }
  }
}

const stem = (page: string) => basename(page, '.md').toLowerCase()
