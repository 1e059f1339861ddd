// Rules on code, read as a tree: sizes of functions, calls that only ports may make, and casts that say why they are true.
import { type Finding, lineAt, type SourceFile } from './finding.ts'
import { isFunction, isNode, type Node, nameOf, parse, type Tree, walk } from './syntax.ts'

const functionLinesMax = 70
const factoryLinesMax = 250
/** Where clock, chance and timers are allowed: these files are the ports' real side. */
const portFiles = /^packages\/(client\/src\/(browser|node|testClock)\.ts|client\/src\/disk\/|server\/src\/database\/|server\/src\/server\.ts)/
const coreFiles = /^packages\/(protocol|schema|client|server|react)\/src\//
const productFiles = /^(packages|examples)\/[^/]+\/src\/|^scripts\//

export function checkCode(file: SourceFile): readonly Finding[] {
  const tree = parse(file.path, file.text)
  return [...checkFunctions(file, tree), ...checkCalls(file, tree), ...checkCasts(file, tree)]
}

/**
 * A function's size is its lines without those of functions inside it. A factory (`createX`) holds the functions of one life, and so
 * has a limit as a whole besides.
 */
function checkFunctions({ path, text }: SourceFile, { program }: Tree): readonly Finding[] {
  const findings: Finding[] = []
  // A test file's `describe` is a list of tests, and each of those counts for itself.
  walk(program, (node, parents) => {
    if (!isFunction(node)) return
    const name = functionName(node, parents)
    const [own, whole] = [ownLines(text, node), lines(text, node)]
    const add = (count: number, max: number) =>
      findings.push({
        path,
        line: lineAt(text, node.start),
        what: `${name} has ${count} lines`,
        why: `At most ${max}: leave the branches here, and move the plain work into functions of its own (STYLE 7, 8).`,
      })
    if (own > functionLinesMax) add(own, functionLinesMax)
    else if (/^create[A-Z]/.test(name) && whole > factoryLinesMax) add(whole, factoryLinesMax)
  })
  return findings
}

function functionName(node: Node, [parent]: readonly Node[]): string {
  const named = nameOf(node.id) || (parent?.type === 'VariableDeclarator' ? nameOf(parent.id) : '') || (parent?.type === 'Property' ? nameOf(parent.key) : '')
  return named || 'a function'
}

const lines = (text: string, { start, end }: Node) => text.slice(start, end).split('\n').length

function ownLines(text: string, node: Node): number {
  let inner = 0
  walk(node, (child, parents) => {
    const isDirect = child !== node && isFunction(child) && parents.find(isFunction) === node
    if (isDirect) inner += lines(text, child) - 1
  })
  return lines(text, node) - inner
}

const impureCalls = new Set([
  'Date.now',
  'Math.random',
  'performance.now',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'crypto.randomUUID',
  'crypto.getRandomValues',
])

function checkCalls({ path, text }: SourceFile, { program }: Tree): readonly Finding[] {
  const findings: Finding[] = []
  const add = (node: Node, what: string, why: string) => findings.push({ path, line: lineAt(text, node.start), what, why })
  const isCore = coreFiles.test(path)
  walk(program, (node) => {
    const name = nameOf(node.callee).replace(/^(globalThis|window|self)\./, '')
    if (node.type === 'CallExpression' && /^(test|it|describe|suite)\.(.*\.)?(only|skip|todo)$/.test(name))
      add(node, `${name}()`, 'Every test runs, every time.')
    if (!isCore) return
    if (node.type === 'CallExpression' && name.startsWith('console.')) add(node, `${name}()`, 'Return or throw; never log and go on (STYLE 22).')
    if (portFiles.test(path)) return
    if (node.type === 'CallExpression' && impureCalls.has(name)) add(node, `${name}()`, 'Clock and chance come through ports.ts (STYLE 10).')
    const isNow = node.type === 'NewExpression' && name === 'Date' && Array.isArray(node.arguments) && node.arguments.length === 0
    if (isNow) add(node, 'new Date()', 'The clock comes through ports.ts (STYLE 10).')
  })
  return findings
}

/** `as const` states nothing. Every other cast has a comment on its line, or above it, its statement, or the casts on the lines before it. */
function checkCasts({ path, text }: SourceFile, { program, comments }: Tree): readonly Finding[] {
  const findings: Finding[] = []
  const explained = new Set(comments.flatMap(({ start, end }) => [lineAt(text, start), lineAt(text, end)]))
  walk(program, (node, parents) => {
    if (node.type !== 'TSAsExpression' && node.type !== 'TSTypeAssertion') return
    const type = isNode(node.typeAnnotation) ? node.typeAnnotation : null
    if (type?.type === 'TSTypeReference' && nameOf(type.typeName) === 'const') return
    const line = lineAt(text, type?.start ?? node.start)
    if (type?.type === 'TSAnyKeyword') findings.push({ path, line, what: 'as any', why: 'Say what it is, or unknown (STYLE 15).' })
    else if (productFiles.test(path) && !placesOf(text, node, parents).some((place) => explained.has(place))) {
      findings.push({ path, line, what: 'a cast without a reason', why: 'A comment line above says why it is true (STYLE 15).' })
    } else explained.add(line)
  })
  return findings
}

/** The lines on which the reason for a cast may stand. */
function placesOf(text: string, node: Node, parents: readonly Node[]): readonly number[] {
  const around = parents.slice(0, parents.findIndex((parent) => /Statement|Declaration$|Property$|^Program/.test(parent.type)) + 1)
  const starts = [node, ...around].map((one) => lineAt(text, one.start))
  return [lineAt(text, node.end), ...starts, ...starts.map((line) => line - 1), lineAt(text, node.end) - 1]
}
