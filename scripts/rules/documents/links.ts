// Rules on links between documents: what is linked is there, with the heading that is named.
import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import type { Finding, SourceFile } from '../finding.ts'
import { readPage } from './markdown.ts'

/** Finds what `[text](target)` names and is not there. Addresses of other sites are not asked: a check that needs a network is none. */
export function checkLinks(documents: readonly SourceFile[], root: string): readonly Finding[] {
  const slugsByPath = new Map(documents.map(({ path, text }) => [path, new Set(readPage(text).headings.map(({ slug }) => slug))]))
  return documents.flatMap(({ path, text }) =>
    readPage(text).links.flatMap(({ target, line }) => {
      const what = problemOf(path, target)
      return what === null
        ? []
        : [{ path, line, what, why: 'Whoever follows it finds nothing: name the file relative to this one, and a heading that it has.' }]
    }),
  )

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
