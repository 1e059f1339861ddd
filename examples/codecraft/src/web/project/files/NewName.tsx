// biome-ignore-all lint/a11y/useSemanticElements: a table's elements cannot be laid out as a tree is
// biome-ignore-all lint/a11y/useFocusableInteractive: rows are gone to by the button in their first cell
import { FileCode2, Folder } from 'lucide-react'
import type { ProjectFile } from '../../../schema.ts'
import { InlineName } from '../../parts/InlineName.tsx'
import { indentOf } from './TreeRow.tsx'

export interface NewNameProps {
  readonly doing: { readonly what: ProjectFile['type']; readonly directory: string }
  readonly onName: (directory: string, name: string, type: ProjectFile['type']) => void
  readonly onDone: () => void
  readonly depth: number
}

/** The row in which a new file or directory gets its name. */
export function NewName({ doing: { what, directory }, onName, onDone, depth }: NewNameProps) {
  const Icon = what === 'directory' ? Folder : FileCode2
  return (
    <div role="row" style={indentOf(depth)} className="flex h-7 items-center gap-1.5 pr-1.5">
      <Icon aria-hidden size={15} className="ml-4.5 shrink-0 text-faint" />
      <span role="gridcell" className="flex min-w-0 flex-1">
        <InlineName
          label={what === 'directory' ? 'Name of the new folder' : 'Name of the new file'}
          name=""
          onName={(name) => onName(directory, name, what)}
          onDone={onDone}
          className="h-6 flex-1 text-sm"
        />
      </span>
    </div>
  )
}
