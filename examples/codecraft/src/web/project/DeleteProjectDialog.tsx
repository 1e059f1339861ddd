import type { Project } from '../../schema.ts'
import { useMutate } from '../headwater.ts'
import { Button } from '../parts/Button.tsx'
import { Dialog, DialogButtons } from '../parts/Dialog.tsx'
import { useWrite } from '../sync/WritesContext.ts'

export function DeleteProjectDialog({ project, onClose }: { readonly project: Project; readonly onClose: () => void }) {
  const mutate = useMutate()
  const write = useWrite()
  const remove = () => {
    onClose()
    write(`Delete “${project.title}”`, mutate.deleteProject({ id: project.id }))
  }
  return (
    <Dialog title="Delete this project?" onClose={onClose} testId="delete-dialog">
      <p className="text-muted">
        <strong className="font-medium text-ink">{project.title}</strong> goes with its conversation and its files, for you and for everybody it is shared with.
        This cannot be undone.
      </p>
      <DialogButtons>
        <Button onClick={onClose}>Keep it</Button>
        <Button kind="danger" data-testid="confirm-delete" onClick={remove}>
          Delete project
        </Button>
      </DialogButtons>
    </Dialog>
  )
}
