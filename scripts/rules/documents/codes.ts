// Invariant: docs/errors.md says of every code of an error what to do, and of none that there is not.
import { type Finding, lineAt, type SourceFile } from '../finding.ts'
import { isNode, type Node, nameOf, parse, walk } from '../syntax.ts'

export const errorsPage = 'docs/errors.md'
const productFiles = /^packages\/[^/]+\/src\/.*\.tsx?$/
/** What makes an error, and at which of its arguments the code stands. */
const makers: Readonly<Record<string, number>> = { HeadwaterError: 0, asError: 1, problem: 1, failure: 0 }
const codePattern = /^[a-z][a-z-]*$/

export function checkCodes(files: readonly SourceFile[]): readonly Finding[] {
  const page = files.find(({ path }) => path === errorsPage)
  if (page === undefined) return []
  const sources = files.filter(({ path }) => productFiles.test(path))
  const documented = documentedCodes(page.text)
  const thrown = sources.flatMap((source) => codesOf(source).map((one) => ({ ...one, path: source.path })))
  const missing = thrown.filter(({ code }, at) => !documented.has(code) && thrown.findIndex((other) => other.code === code) === at)
  const stale = [...documented].filter(([code]) => !sources.some(({ text }) => new RegExp(`['"\`]${code}['"\`]`).test(text)))
  return [
    ...missing.map(({ code, path, line }) => ({ path, line, what: `the code ${code}`, why: `Say in ${errorsPage} what it means and what to do.` })),
    ...stale.map(([code, line]) => ({ path: errorsPage, line, what: `the code ${code}`, why: 'Nothing in packages/ makes it: take it out.' })),
  ]
}

/** Rows of the page's tables begin with a code, or with several. */
function documentedCodes(text: string): ReadonlyMap<string, number> {
  const codes = new Map<string, number>()
  for (const [at, line] of text.split('\n').entries()) {
    for (const [, code = ''] of (/^\| (`[^|]+) \|/.exec(line)?.[1] ?? '').matchAll(/`([^`]+)`/g)) codes.set(code, at + 1)
  }
  return codes
}

export function codesOf({ path, text }: SourceFile): readonly { readonly code: string; readonly line: number }[] {
  const found: { code: string; line: number }[] = []
  const add = (node: unknown) => {
    for (const { value, start } of isNode(node) ? textsOf(node) : []) {
      if (typeof value === 'string' && codePattern.test(value)) found.push({ code: value, line: lineAt(text, start) })
    }
  }
  walk(parse(path, text).program, (node) => {
    const argument = makers[nameOf(node.callee)]
    if (argument !== undefined && Array.isArray(node.arguments)) add(node.arguments[argument])
    // `{ type: 'refused', code: 'void' }`, and what a status says is the problem.
    if (node.type === 'Property' && nameOf(node.key) === 'code') add(node.value)
  })
  return found
}

/** The texts that an expression can be: itself, or the arms of a condition. */
function textsOf(node: Node): readonly Node[] {
  if (node.type === 'Literal') return [node]
  if (node.type !== 'ConditionalExpression') return []
  return [node.consequent, node.alternate].filter(isNode).flatMap(textsOf)
}
