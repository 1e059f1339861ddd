// Invariant: docs/limits.md has every limit of the code by its name and value, and none that there is not.
import { type Finding, lineAt, type SourceFile } from '../finding.ts'
import { isNode, type Node, nameOf, parse, walk } from '../syntax.ts'

export const limitsPage = 'docs/limits.md'
const limitFiles = /^packages\/(protocol\/src|server\/src|server\/src\/database)\/limits\.ts$/

export interface Limit {
  readonly name: string
  readonly value: number
  readonly line: number
}

export function checkLimits(files: readonly SourceFile[]): readonly Finding[] {
  const page = files.find(({ path }) => path === limitsPage)
  if (page === undefined) return []
  const rows = rowsOf(page.text)
  const sources = files.filter(({ path }) => limitFiles.test(path))
  const wrong = sources.flatMap((source) =>
    limitsOf(source)
      .filter(({ name, value }) => !rows.some((row) => row.name === name && row.values.includes(value)))
      .map(({ name, value, line }) => ({ path: source.path, line, what: `the limit ${name}, ${value}`, why: `${limitsPage} has no row that says so.` })),
  )
  const known = new Set(sources.flatMap(limitsOf).map(({ name }) => name))
  const stale = rows
    .filter(({ name }) => !known.has(name))
    .map(({ name, line }) => ({ path: limitsPage, line, what: `the limit ${name}`, why: 'There is none.' }))
  return [...wrong, ...stale]
}

/** Rows begin with a limit's name, then its value; digits in groups of three, whatever stands beside them. */
function rowsOf(text: string): readonly { readonly name: string; readonly values: readonly number[]; readonly line: number }[] {
  return text.split('\n').flatMap((content, at) => {
    const [, name, said = ''] = /^\| `([\w.]+)` \| ([^|]*)\|/.exec(content) ?? []
    if (name === undefined) return []
    return [{ name, values: Array.from(said.matchAll(/\d[\d,]*/g), ([digits]) => Number(digits.replaceAll(',', ''))), line: at + 1 }]
  })
}

/** Exported constants, and members of `limits` by the path to them: `log.minutes`. */
export function limitsOf({ path, text }: SourceFile): readonly Limit[] {
  const found: Limit[] = []
  const add = (name: string, node: unknown) => {
    if (!isNode(node)) return
    if (node.type === 'Literal' && typeof node.value === 'number') found.push({ name, value: node.value, line: lineAt(text, node.start) })
    if (node.type === 'ObjectExpression') for (const [inner, value] of membersOf(node)) add(name === 'limits' ? inner : `${name}.${inner}`, value)
    if (node.type === 'TSAsExpression') add(name, node.expression)
  }
  walk(parse(path, text).program, (node, [, around]) => {
    if (node.type === 'VariableDeclarator' && /^(Program|ExportNamedDeclaration)$/.test(around?.type ?? '')) add(nameOf(node.id), node.init)
  })
  return found
}

const membersOf = ({ properties }: Node): readonly (readonly [string, unknown])[] =>
  (Array.isArray(properties) ? properties : []).filter(isNode).map((property) => [nameOf(property.key), property.value])
