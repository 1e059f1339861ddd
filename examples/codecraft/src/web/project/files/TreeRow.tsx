// biome-ignore-all lint/a11y/useSemanticElements: a table's elements cannot be laid out as a tree is
// biome-ignore-all lint/a11y/useFocusableInteractive: rows are gone to by the button in their first cell
import { ChevronRight, FileCode2, FilePlus2, FileText, Folder, FolderInput, FolderOpen, FolderPlus, GitMerge, Pencil, Trash2 } from 'lucide-react'
import type { KeyboardEvent } from 'react'
import { InlineName } from '../../parts/InlineName.tsx'
import { Menu, type MenuItem } from '../../parts/Menu.tsx'
import type { Doing } from './doing.ts'
import type { TreeNode } from './tree.ts'

export interface TreeRowProps {
  readonly node: TreeNode
  readonly isOpen: boolean
  readonly isChosen: boolean
  readonly isTabStop: boolean
  readonly isRenaming: boolean
  /** Without, its menu is not offered. */
  readonly mayEdit: boolean
  readonly onDoing: (doing: Doing) => void
  readonly onRename: (name: string) => void
  readonly onFocus: () => void
  readonly onKey: (event: KeyboardEvent) => void
  readonly onChoose: () => void
}

export const indentOf = (depth: number) => ({ paddingLeft: 8 + depth * 14 })

export function TreeRow({ node, isOpen, isChosen, isTabStop, isRenaming, mayEdit, onDoing, onRename, onFocus, onKey, onChoose }: TreeRowProps) {
  const isDirectory = node.type === 'directory'
  return (
    <div
      role="row"
      aria-level={node.depth + 1}
      aria-selected={isChosen}
      {...(isDirectory && { 'aria-expanded': isOpen })}
      className={`group/row relative flex h-7 items-center pointer-coarse:h-10 rounded-md ${isChosen ? 'bg-accent-soft' : 'hover:bg-hover'}`}
    >
      <span role="gridcell" className="flex h-full min-w-0 flex-1 items-center">
        {isRenaming ? (
          <span style={indentOf(node.depth)} className="flex min-w-0 flex-1 items-center gap-1.5 pr-1.5">
            <RowIcon node={node} isOpen={isOpen} />
            <InlineName
              label="Name"
              name={node.name}
              selects={isDirectory ? 'all' : 'stem'}
              onName={onRename}
              onDone={() => onDoing(null)}
              className="h-6 flex-1 text-sm"
            />
          </span>
        ) : (
          // Enter and space are a button's own; the tree's other keys are handled for all rows alike.
          <button
            type="button"
            tabIndex={isTabStop ? 0 : -1}
            data-testid="file-row"
            data-path={node.path}
            data-type={node.type}
            style={indentOf(node.depth)}
            onClick={onChoose}
            onFocus={onFocus}
            onKeyDown={onKey}
            className={`flex h-full min-w-0 flex-1 items-center gap-1.5 rounded-md text-left text-sm focus-visible:-outline-offset-2 ${isChosen ? 'font-medium text-ink' : 'text-ink/90'}`}
          >
            <RowIcon node={node} isOpen={isOpen} />
            <span className="truncate">{node.name}</span>
            {node.isCopy && <GitMerge aria-label="Not merged" size={14} className="shrink-0 text-warn" />}
          </button>
        )}
      </span>
      {node.id !== null && !isRenaming && mayEdit && (
        <span role="gridcell" className="flex">
          <Menu
            label={`More for ${node.path}`}
            groups={itemsOf(node, onDoing)}
            className="opacity-0 group-focus-within/row:opacity-100 group-hover/row:opacity-100 aria-expanded:opacity-100 pointer-coarse:opacity-100"
          />
        </span>
      )}
    </div>
  )
}

function RowIcon({ node, isOpen }: { readonly node: TreeNode; readonly isOpen: boolean }) {
  const Icon = node.type === 'directory' ? (isOpen ? FolderOpen : Folder) : /\.(md|txt)$/.test(node.name) ? FileText : FileCode2
  return (
    <>
      <ChevronRight
        aria-hidden
        size={12}
        className={`shrink-0 text-faint transition-transform ${isOpen ? 'rotate-90' : ''} ${node.type === 'file' ? 'invisible' : ''}`}
      />
      <Icon aria-hidden size={15} className={`shrink-0 ${node.type === 'directory' ? 'text-accent' : 'text-faint'}`} />
    </>
  )
}

const icon = { size: 16, 'aria-hidden': true } as const

function itemsOf(node: TreeNode, onDoing: (doing: Doing) => void): readonly (readonly MenuItem[])[] {
  const create = (what: 'file' | 'directory') => () => onDoing({ type: 'create', what, directory: node.path })
  return [
    node.type === 'directory'
      ? [
          { label: 'New file here', icon: <FilePlus2 {...icon} />, onChoose: create('file') },
          { label: 'New folder here', icon: <FolderPlus {...icon} />, onChoose: create('directory') },
        ]
      : [],
    [
      { label: 'Rename', icon: <Pencil {...icon} />, onChoose: () => onDoing({ type: 'rename', path: node.path }), testId: 'rename-file' },
      { label: 'Move…', icon: <FolderInput {...icon} />, onChoose: () => onDoing({ type: 'move', node }), testId: 'move-file' },
      { label: 'Delete…', icon: <Trash2 {...icon} />, onChoose: () => onDoing({ type: 'delete', node }), isDangerous: true, testId: 'delete-file' },
    ],
  ]
}
