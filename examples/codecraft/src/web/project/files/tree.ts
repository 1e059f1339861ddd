// Files are stored flat, each by its path; here they become the tree that is shown: directories first, then by name.
import { compareText } from '@headwater/schema'
import { directoryOf, nameOf } from '../../../path.ts'
import type { ProjectFile } from '../../../schema.ts'

export interface TreeNode {
  readonly path: string
  readonly name: string
  readonly type: ProjectFile['type']
  /** null: a directory that only follows from the paths below it and has no row of its own. */
  readonly id: string | null
  /** What somebody wrote that could not be merged. */
  readonly isCopy: boolean
  readonly depth: number
  readonly children: readonly TreeNode[]
}

type Listed = Pick<ProjectFile, 'id' | 'path' | 'type'> & { readonly conflictOf?: string | null }

export function treeOf(files: readonly Listed[]): readonly TreeNode[] {
  const filesByDirectory = new Map<string, Listed[]>()
  for (const file of withParents(files)) {
    const directory = directoryOf(file.path)
    const siblings = filesByDirectory.get(directory)
    if (siblings) siblings.push(file)
    else filesByDirectory.set(directory, [file])
  }
  const below = (directory: string, depth: number): readonly TreeNode[] =>
    (filesByDirectory.get(directory) ?? []).sort(compareListed).map((file) => ({
      path: file.path,
      name: nameOf(file.path),
      type: file.type,
      id: file.id === '' ? null : file.id,
      isCopy: typeof file.conflictOf === 'string',
      depth,
      children: file.type === 'directory' ? below(file.path, depth + 1) : [],
    }))
  return below('', 0)
}

/** The rows of the tree that are in sight, from top to bottom. */
export const visibleNodes = (nodes: readonly TreeNode[], isOpen: (path: string) => boolean): readonly TreeNode[] =>
  nodes.flatMap((node) => [node, ...(isOpen(node.path) ? visibleNodes(node.children, isOpen) : [])])

/** A file can be here before its directory is, and must not be out of sight until then. */
function withParents(files: readonly Listed[]): readonly Listed[] {
  const listedByPath = new Map(files.map((file) => [file.path, file]))
  for (const file of files) {
    for (let path = directoryOf(file.path); path !== '' && !listedByPath.has(path); path = directoryOf(path))
      listedByPath.set(path, { id: '', path, type: 'directory' })
  }
  return [...listedByPath.values()]
}

const byName = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })

function compareListed(a: Listed, b: Listed): number {
  if (a.type !== b.type) return a.type === 'directory' ? -1 : 1
  return byName.compare(nameOf(a.path), nameOf(b.path)) || compareText(a.path, b.path)
}
