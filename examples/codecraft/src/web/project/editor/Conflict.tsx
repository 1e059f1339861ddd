import { GitMerge } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { nameOf } from '../../../path.ts'
import type { ProjectFile } from '../../../schema.ts'
import { useMutate } from '../../headwater.ts'
import { Button } from '../../parts/Button.tsx'
import { Time } from '../../parts/Time.tsx'
import { usePeople, usePerson } from '../../session/SessionContext.ts'
import { useWrite } from '../../sync/WritesContext.ts'
import { CompareDialog } from './CompareDialog.tsx'

export interface ConflictProps {
  readonly file: ProjectFile
  /** All of the project. */
  readonly files: readonly ProjectFile[]
  readonly mayEdit: boolean
}

/** Says what of a file could not be merged, and where it is kept; above the file itself, and above the copy. */
export function Conflict({ file, files, mayEdit }: ConflictProps) {
  if (file.conflictOf !== null) return <CopyBar copy={file} file={files.find((one) => one.id === file.conflictOf)} mayEdit={mayEdit} />
  return files.filter((one) => one.conflictOf === file.id).map((copy) => <FileBar key={copy.id} copy={copy} file={file} mayEdit={mayEdit} />)
}

interface BarProps {
  readonly copy: ProjectFile
  readonly mayEdit: boolean
}

function FileBar({ copy, file, mayEdit }: BarProps & { readonly file: ProjectFile }) {
  const whose = useWhose(copy)
  return (
    <Bar>
      <p className="min-w-0 flex-1">
        {whose} version (<Time at={copy.updatedAt} />) and this one changed the same lines. Nothing is lost: it is kept in{' '}
        <span className="font-medium break-all">{nameOf(copy.path)}</span>.
      </p>
      {mayEdit && <Compare copy={copy} file={file} />}
    </Bar>
  )
}

function CopyBar({ copy, file, mayEdit }: BarProps & { readonly file: ProjectFile | undefined }) {
  const mutate = useMutate()
  const write = useWrite()
  const whose = useWhose(copy)
  const keep = () => write(`Keep ${copy.path}`, mutate.files.update({ id: copy.id, conflictOf: null, conflictBy: null }))
  const discard = () => write(`Discard ${copy.path}`, mutate.deleteFile({ id: copy.id }))
  return (
    <Bar>
      <p className="min-w-0 flex-1">
        {file ? (
          <>
            {whose} version of <span className="font-medium break-all">{file.path}</span>, which could not be merged with what others wrote.
          </>
        ) : (
          <>{whose} version of a file that was deleted meanwhile.</>
        )}
      </p>
      {mayEdit && (
        <span className="flex shrink-0 flex-wrap gap-2">
          {file && <Compare copy={copy} file={file} />}
          <Button size="small" data-testid="keep-copy" onClick={keep}>
            Keep as a file
          </Button>
          <Button size="small" kind="ghost" data-testid="discard-copy" onClick={discard}>
            Discard
          </Button>
        </span>
      )}
    </Bar>
  )
}

const Bar = ({ children }: { readonly children: ReactNode }) => (
  <div
    role="status"
    data-testid="conflict"
    className="flex shrink-0 flex-wrap items-center gap-x-3 gap-y-2 border-b border-line bg-warn-soft px-4 py-2 text-sm text-warn"
  >
    <GitMerge aria-hidden size={16} className="shrink-0" />
    {children}
  </div>
)

function Compare({ copy, file }: { readonly copy: ProjectFile; readonly file: ProjectFile }) {
  const [isOpen, setOpen] = useState(false)
  return (
    <>
      <Button size="small" data-testid="compare" onClick={() => setOpen(true)}>
        Compare…
      </Button>
      {isOpen && <CompareDialog copy={copy} file={file} onClose={() => setOpen(false)} />}
    </>
  )
}

function useWhose(copy: ProjectFile): string {
  const people = usePeople()
  const me = usePerson()
  if (copy.conflictBy === null) return 'Another'
  return copy.conflictBy === me.id ? 'Your' : `${people.find(copy.conflictBy).name}’s`
}
