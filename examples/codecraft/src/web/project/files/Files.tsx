import { ArrowLeft, FileText } from 'lucide-react'
import { useState } from 'react'
import { nameOf } from '../../../path.ts'
import type { ProjectFile } from '../../../schema.ts'
import { useQuery } from '../../headwater.ts'
import { IconButton } from '../../parts/Button.tsx'
import { EmptyState } from '../../parts/EmptyState.tsx'
import { Editor } from '../editor/Editor.tsx'
import { FileTree } from './FileTree.tsx'

export interface FilesProps {
  readonly projectId: string
  readonly isLoading: boolean
}

/** The files of a project, and the one that is open. It is known by its id: renaming it, here or elsewhere, keeps it open. */
export function Files({ projectId, isLoading }: FilesProps) {
  const { rows: files } = useQuery((q) => q.files.where({ projectId }).orderBy('path'))
  const [openId, setOpenId] = useState<string | null>(null)
  const chosen = files.find((file) => file.id === openId && file.type === 'file')
  // What is shown without having been chosen stays, whatever comes to be before it in the list.
  const [pinnedId, setPinnedId] = useState<string | null>(null)
  const shown = chosen ?? (openId === null ? (files.find((file) => file.id === pinnedId) ?? firstFile(files)) : undefined)
  if (shown && shown.id !== pinnedId) setPinnedId(shown.id)
  return (
    <section aria-label="Files" className="grid min-h-0 flex-1 md:grid-cols-[minmax(200px,250px)_1fr]">
      <div className={`min-h-0 min-w-0 flex-col border-line md:flex md:border-r ${chosen ? 'hidden' : 'flex'}`}>
        <FileTree projectId={projectId} files={files} openId={shown?.id ?? null} isLoading={isLoading} onOpen={setOpenId} />
      </div>
      <div className={`min-h-0 min-w-0 flex-col bg-surface md:flex ${chosen ? 'flex' : 'hidden'}`}>
        <OpenFile file={shown} files={files} onClose={() => setOpenId(null)} />
      </div>
    </section>
  )
}

const entries = ['App', 'page', 'server', 'main', 'index']

/** Where nothing was chosen yet, what a reader would look at first. */
function firstFile(files: readonly ProjectFile[]): ProjectFile | undefined {
  const readable = files.filter((file) => file.type === 'file' && file.conflictOf === null)
  const found = entries.map((entry) => readable.find((file) => nameOf(file.path).startsWith(`${entry}.`))).find((file) => file !== undefined)
  return found ?? readable[0]
}

interface OpenFileProps {
  readonly file: ProjectFile | undefined
  readonly files: readonly ProjectFile[]
  readonly onClose: () => void
}

function OpenFile({ file, files, onClose }: OpenFileProps) {
  if (!file)
    return (
      <EmptyState icon={<FileText aria-hidden size={20} />} title="No file is open">
        Choose one from the list, or make a new one.
      </EmptyState>
    )
  return (
    <Editor key={file.id} file={file} files={files}>
      <IconButton label="Back to the files" onClick={onClose} className="-ml-1.5 md:hidden">
        <ArrowLeft aria-hidden size={16} />
      </IconButton>
    </Editor>
  )
}
