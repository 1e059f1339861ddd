import type { KeyboardEvent } from 'react'
import { directoryOf } from '../../../path.ts'
import type { Doing } from './doing.ts'
import type { TreeNode } from './tree.ts'

export interface TreeKeys {
  readonly rows: readonly TreeNode[]
  readonly node: TreeNode
  readonly isOpen: (path: string) => boolean
  readonly setOpen: (path: string, open: boolean) => void
  readonly focus: (path: string) => void
  readonly onDoing: (doing: Doing) => void
}

/** The keys of a tree, as the ARIA practices describe them; F2 renames, F6 moves, Insert makes a file beside it, and Delete deletes. Enter is the row's own click. */
export function moveInTree(event: KeyboardEvent, keys: TreeKeys): void {
  if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return
  const act = actionOf(event.key, keys)
  if (!act) return
  event.preventDefault()
  act()
}

function actionOf(key: string, { rows, node, isOpen, setOpen, focus, onDoing }: TreeKeys): (() => void) | null {
  const at = rows.indexOf(node)
  const to = (target: TreeNode | undefined) => (target ? () => focus(target.path) : null)
  const isOpenDirectory = node.type === 'directory' && isOpen(node.path)
  switch (key) {
    case 'ArrowDown':
      return to(rows[at + 1])
    case 'ArrowUp':
      return to(rows[at - 1])
    case 'Home':
      return to(rows[0])
    case 'End':
      return to(rows.at(-1))
    case 'ArrowRight':
      if (node.type === 'file') return null
      return isOpenDirectory ? to(node.children[0]) : () => setOpen(node.path, true)
    case 'ArrowLeft':
      return isOpenDirectory ? () => setOpen(node.path, false) : to(rows.find((row) => row.path === directoryOf(node.path)))
    case 'Insert':
      return () => onDoing({ type: 'create', what: 'file', directory: node.type === 'directory' ? node.path : directoryOf(node.path) })
    case 'F6':
      return node.id === null ? null : () => onDoing({ type: 'move', node })
    case 'F2':
      return node.id === null ? null : () => onDoing({ type: 'rename', path: node.path })
    case 'Delete':
      return node.id === null ? null : () => onDoing({ type: 'delete', node })
    default:
      return null
  }
}
