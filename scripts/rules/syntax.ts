// Reading TypeScript as a tree. TypeScript 7 has no API for that; Vite's parser has, and is installed anyway.
import { parseSync } from 'vite'

export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [member: string]: unknown
}
export interface Comment {
  readonly start: number
  readonly end: number
  readonly value: string
}
export interface Tree {
  readonly program: Node
  readonly comments: readonly Comment[]
}

/** Throws if the file is not TypeScript: the compiler says more about it. */
export function parse(path: string, text: string): Tree {
  const { program, comments, errors } = parseSync(path, text)
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`)
  // Every node of the parser has a type and a place.
  return { program: program as unknown as Node, comments }
}

/** Every node below, parents first, with its parents from the nearest on. */
export function walk(node: Node, visit: (node: Node, parents: readonly Node[]) => void, parents: readonly Node[] = []): void {
  visit(node, parents)
  const inner = [node, ...parents]
  for (const member of Object.values(node)) {
    for (const child of Array.isArray(member) ? member : [member]) if (isNode(child)) walk(child, visit, inner)
  }
}

export const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && 'type' in value && 'start' in value

export const isFunction = (node: Node): boolean => /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type)

/** The name of an identifier, or of `a.b` as `a.b`; empty for anything else. */
export function nameOf(node: unknown): string {
  if (!isNode(node)) return ''
  if (node.type === 'Identifier') return String(node.name)
  if (node.type === 'MemberExpression' && node.computed !== true) return `${nameOf(node.object)}.${nameOf(node.property)}`
  return ''
}
