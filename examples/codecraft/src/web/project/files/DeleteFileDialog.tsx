import { Button } from '../../parts/Button.tsx'
import { Dialog, DialogButtons } from '../../parts/Dialog.tsx'
import { count } from '../../sync/describe.ts'
import type { TreeNode } from './tree.ts'

export function DeleteFileDialog({ node, onDelete, onClose }: { readonly node: TreeNode; readonly onDelete: () => void; readonly onClose: () => void }) {
  const below = countBelow(node)
  return (
    <Dialog title={node.type === 'directory' ? 'Delete this folder?' : 'Delete this file?'} onClose={onClose} testId="delete-file-dialog">
      <p className="text-muted">
        <code className="font-mono text-sm text-ink">{node.path}</code> {below > 0 ? `and ${count(below, 'thing')} in it go` : 'goes'} for everybody in this
        project. This cannot be undone.
      </p>
      <DialogButtons>
        <Button onClick={onClose}>Keep it</Button>
        <Button
          kind="danger"
          data-testid="confirm-delete-file"
          onClick={() => {
            onClose()
            onDelete()
          }}
        >
          Delete
        </Button>
      </DialogButtons>
    </Dialog>
  )
}

const countBelow = (node: TreeNode): number => node.children.reduce((sum, child) => sum + 1 + countBelow(child), 0)
