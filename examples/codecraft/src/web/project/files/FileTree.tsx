// biome-ignore-all lint/a11y/useSemanticElements: a table's elements cannot be laid out as a tree is
// biome-ignore-all lint/a11y/useFocusableInteractive: rows are gone to by the button in their first cell
import { FilePlus2, Files as FilesIcon, FolderPlus } from 'lucide-react'
import { useMemo, useRef, useState } from 'react'
import type { ProjectFile } from '../../../schema.ts'
import { useStatus } from '../../headwater.ts'
import { Button, IconButton } from '../../parts/Button.tsx'
import { EmptyState } from '../../parts/EmptyState.tsx'
import { Skeleton } from '../../parts/Skeleton.tsx'
import { useMayEdit } from '../../useMayEdit.ts'
import { DeleteFileDialog } from './DeleteFileDialog.tsx'
import type { Doing } from './doing.ts'
import { MoveFileDialog } from './MoveFileDialog.tsx'
import { NewName } from './NewName.tsx'
import { TreeRow } from './TreeRow.tsx'
import { treeOf, visibleNodes } from './tree.ts'
import { moveInTree } from './treeKeys.ts'
import { useFileActions } from './useFileActions.ts'

export interface FileTreeProps {
  readonly projectId: string
  readonly files: readonly ProjectFile[]
  readonly openId: string | null
  readonly isLoading: boolean
  readonly onOpen: (id: string) => void
}

export function FileTree({ projectId, files, openId, isLoading, onOpen }: FileTreeProps) {
  const [doing, setDoing] = useState<Doing>(null)
  const actions = useFileActions(projectId, onOpen)
  const mayEdit = useMayEdit(projectId)
  const create = (what: ProjectFile['type']) => setDoing({ type: 'create', what, directory: '' })
  return (
    <>
      <header className="flex h-10 shrink-0 items-center gap-1 border-b border-line pr-2 pl-4">
        <h2 className="mr-auto text-sm font-semibold">Files</h2>
        <IconButton label="New file" data-testid="new-file" disabled={!mayEdit} onClick={() => create('file')}>
          <FilePlus2 aria-hidden size={16} />
        </IconButton>
        <IconButton label="New folder" data-testid="new-directory" disabled={!mayEdit} onClick={() => create('directory')}>
          <FolderPlus aria-hidden size={16} />
        </IconButton>
      </header>
      <div className="scroll-quiet min-h-0 flex-1 overflow-y-auto p-1.5">
        {doing?.type === 'create' && doing.directory === '' && (
          <div role="treegrid" aria-label="New">
            <NewName doing={doing} onName={actions.create} onDone={() => setDoing(null)} depth={0} />
          </div>
        )}
        {files.length === 0 && doing === null ? (
          <NoFiles isLoading={isLoading} onCreate={() => create('file')} />
        ) : (
          <Rows files={files} openId={openId} doing={doing} mayEdit={mayEdit} onDoing={setDoing} onOpen={onOpen} actions={actions} />
        )}
      </div>
      {doing?.type === 'move' && <MoveFileDialog node={doing.node} onMove={(path) => actions.move(doing.node, path)} onClose={() => setDoing(null)} />}
      {doing?.type === 'delete' && <DeleteFileDialog node={doing.node} onDelete={() => actions.remove(doing.node)} onClose={() => setDoing(null)} />}
    </>
  )
}

interface RowsProps extends Pick<FileTreeProps, 'files' | 'openId' | 'onOpen'> {
  readonly doing: Doing
  readonly mayEdit: boolean
  readonly onDoing: (doing: Doing) => void
  readonly actions: ReturnType<typeof useFileActions>
}

function Rows({ files, openId, doing, mayEdit, onDoing, onOpen, actions }: RowsProps) {
  const tree = useRef<HTMLDivElement>(null)
  const [closed, setClosed] = useState<ReadonlySet<string>>(() => new Set())
  const nodes = useMemo(() => treeOf(files), [files])
  const isOpen = (path: string) => !closed.has(path)
  const setOpen = (path: string, open: boolean) => setClosed(new Set(open ? [...closed].filter((one) => one !== path) : [...closed, path]))
  const rows = visibleNodes(nodes, isOpen)
  const [focused, setFocused] = useState<string | null>(null)
  const tabStop = rows.find((node) => node.path === focused)?.path ?? rows[0]?.path
  const focus = (path: string) => {
    setFocused(path)
    tree.current?.querySelector<HTMLElement>(`[data-path="${CSS.escape(path)}"]`)?.focus()
  }

  return (
    <div ref={tree} role="treegrid" aria-label="Files" data-testid="file-tree">
      {rows.map((node) => (
        <div key={node.path} role="rowgroup">
          <TreeRow
            node={node}
            isOpen={isOpen(node.path)}
            isChosen={node.id !== null && node.id === openId}
            isTabStop={node.path === tabStop}
            isRenaming={doing?.type === 'rename' && doing.path === node.path}
            mayEdit={mayEdit}
            onDoing={onDoing}
            onRename={(name) => actions.rename(node, name)}
            onFocus={() => setFocused(node.path)}
            onKey={(event) => moveInTree(event, { rows, node, isOpen, setOpen, focus, onDoing: mayEdit ? onDoing : () => {} })}
            onChoose={() => (node.type === 'directory' ? setOpen(node.path, !isOpen(node.path)) : node.id !== null && onOpen(node.id))}
          />
          {doing?.type === 'create' && doing.directory === node.path && (
            <NewName doing={doing} onName={actions.create} onDone={() => onDoing(null)} depth={node.depth + 1} />
          )}
        </div>
      ))}
    </div>
  )
}

function NoFiles({ isLoading, onCreate }: { readonly isLoading: boolean; readonly onCreate: () => void }) {
  const { online } = useStatus()
  if (isLoading && online)
    return (
      <div role="status" className="space-y-2 p-2.5">
        <p className="sr-only">Loading the files</p>
        <Skeleton className="h-5 w-2/3" />
        <Skeleton className="h-5 w-5/6" />
        <Skeleton className="h-5 w-1/2" />
      </div>
    )
  return (
    <EmptyState
      testId="no-files"
      icon={<FilesIcon aria-hidden size={20} />}
      title={isLoading ? 'Not on this device yet' : 'No files'}
      action={<Button onClick={onCreate}>New file</Button>}
    >
      {isLoading ? 'They appear when you are online again.' : 'Make the first one; a path such as src/main.ts makes its folders as well.'}
    </EmptyState>
  )
}
