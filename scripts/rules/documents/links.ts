// Rules on links between documents: what is linked is there, with the heading that is named.
import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import type { Finding, SourceFile } from '../finding.ts'
import { readPage } from './markdown.ts'

/** Finds what `[text](target)` names and is not there. Addresses of other sites are not asked: a check that needs a network is none. */
export function checkLinks(documents: readonly SourceFile[], root: string): readonly Finding[] {
  const slugsByPath = new Map(documents.map(({ path, text }) => [path, new Set(readPage(text).headings.map(({ slug }) => slug))]))
  const linked = documents.flatMap(({ path, text }) =>
    readPage(text).links.flatMap(({ target, line }) => {
      const what = problemOf(path, target)
      return what === null
        ? []
        : [{ path, line, what, why: 'Whoever follows it finds nothing: name the file relative to this one, and a heading that it has.' }]
    }),
  )
  return [...linked, ...documents.filter(({ path }) => pages.test(path)).flatMap((page) => checkPaths(page, root))]

  function problemOf(path: string, target: string): string | null {
    if (/^(https?:|mailto:)/.test(target)) return null
    const [file = '', anchor] = target.split('#', 2)
    const linked =
      file === ''
        ? path
        : normalize(join(dirname(path), file))
            .replaceAll('\\', '/')
            .replace(/\/$/, '')
    if (linked.startsWith('..') || !(slugsByPath.has(linked) || existsSync(join(root, linked)))) return `a link to ${target}, which is not there`
    if (anchor !== undefined && slugsByPath.get(linked)?.has(anchor) === false) return `a link to ${target}, where no heading has that name`
    return null
  }
}

const pages = /^(docs\/[^/]+\.md|README\.md)$/

/** Files of the repository that a page names: `test/pg/rules.test.ts`. */
function checkPaths({ path, text }: SourceFile, root: string): readonly Finding[] {
  return text.split('\n').flatMap((content, at) =>
    Array.from(content.matchAll(/`((?:test|packages|scripts|deploy|bench|examples)\/[\w./-]+)`/g), ([, named = '']) => named)
      .filter((named) => !existsSync(join(root, named)) && !/\/(dist|\.headwater)(\/|$)/.test(named))
      .map((named) => ({ path, line: at + 1, what: `the file ${named}, which is not there`, why: 'Name it as it is called now.' })),
  )
}
