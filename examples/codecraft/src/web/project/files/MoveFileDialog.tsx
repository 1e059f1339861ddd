import { type FormEvent, useState } from 'react'
import { Button } from '../../parts/Button.tsx'
import { Dialog, DialogButtons } from '../../parts/Dialog.tsx'
import { TextField } from '../../parts/Field.tsx'
import type { TreeNode } from './tree.ts'

export interface MoveFileDialogProps {
  readonly node: TreeNode
  readonly onMove: (path: string) => void
  readonly onClose: () => void
}

/** Where a file or folder should be, as a path from the project's root. */
export function MoveFileDialog({ node, onMove, onClose }: MoveFileDialogProps) {
  const [path, setPath] = useState(node.path)
  const wanted = path.trim().replace(/^\/+|\/+$/g, '')
  const submit = (event: FormEvent) => {
    event.preventDefault()
    onClose()
    if (wanted !== node.path) onMove(wanted)
  }
  return (
    <Dialog title={node.type === 'directory' ? 'Move this folder' : 'Move this file'} onClose={onClose} testId="move-file-dialog">
      <form onSubmit={submit}>
        <TextField
          label="Path"
          name="path"
          data-testid="move-path"
          required
          autoFocus
          autoComplete="off"
          spellCheck={false}
          hint={
            node.type === 'directory' ? 'What is in it moves with it. Folders that are not there yet are made.' : 'Folders that are not there yet are made.'
          }
          value={path}
          onChange={(event) => setPath(event.target.value)}
        />
        <DialogButtons>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" data-testid="confirm-move" disabled={wanted === ''}>
            Move
          </Button>
        </DialogButtons>
      </form>
    </Dialog>
  )
}
