import type { ProjectFile } from '../../../schema.ts'
import type { TreeNode } from './tree.ts'

/** What is being done to the tree, in place. */
export type Doing =
  | { readonly type: 'create'; readonly what: ProjectFile['type']; readonly directory: string }
  | { readonly type: 'rename'; readonly path: string }
  | { readonly type: 'move'; readonly node: TreeNode }
  | { readonly type: 'delete'; readonly node: TreeNode }
  | null
