import { type FormEvent, useState } from 'react'
import { useLocation } from 'wouter'
import { type Framework, frameworks } from '../../schema.ts'
import { frameworkNames } from '../../starter.ts'
import { useClient, useMutate } from '../headwater.ts'
import { Button } from '../parts/Button.tsx'
import { Dialog, DialogButtons } from '../parts/Dialog.tsx'
import { TextArea, TextField } from '../parts/Field.tsx'
import { FrameworkMark } from '../project/FrameworkMark.tsx'
import { useWrite } from '../sync/WritesContext.ts'

/** Makes a project and opens it: it is there before the database has heard of it. */
export function NewProjectDialog({ onClose }: { readonly onClose: () => void }) {
  const client = useClient()
  const mutate = useMutate()
  const write = useWrite()
  const [, navigate] = useLocation()
  const [title, setTitle] = useState('')
  const [description, setDescription] = useState('')
  const [framework, setFramework] = useState<Framework>('react')
  const create = (event: FormEvent) => {
    event.preventDefault()
    const id = client.id()
    write(`Create “${title.trim()}”`, mutate.createProject({ id, title: title.trim(), description: description.trim(), framework }))
    onClose()
    navigate(`/projects/${id}`)
  }
  return (
    <Dialog title="New project" onClose={onClose} testId="new-project-dialog">
      <form onSubmit={create}>
        <TextField
          label="Title"
          name="title"
          data-testid="new-title"
          required
          maxLength={200}
          autoFocus
          autoComplete="off"
          value={title}
          onChange={(event) => setTitle(event.target.value)}
        />
        <TextArea
          label="What should it do?"
          name="description"
          rows={2}
          maxLength={500}
          hint="Optional. It is shown on the project’s card."
          value={description}
          onChange={(event) => setDescription(event.target.value)}
        />
        <FrameworkChoice value={framework} onChoose={setFramework} />
        <DialogButtons>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" data-testid="create" disabled={title.trim() === ''}>
            Create project
          </Button>
        </DialogButtons>
      </form>
    </Dialog>
  )
}

function FrameworkChoice({ value, onChoose }: { readonly value: Framework; readonly onChoose: (framework: Framework) => void }) {
  return (
    <fieldset className="mt-4">
      <legend className="mb-1.5 text-sm font-medium">Framework</legend>
      <div className="grid grid-cols-2 gap-2 sm:grid-cols-3">
        {frameworks.map((framework) => (
          <label
            key={framework}
            className="flex cursor-pointer items-center gap-2.5 rounded-lg border border-line p-1.5 text-sm transition-colors hover:border-line-strong has-checked:border-accent has-checked:bg-accent-soft has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent"
          >
            <input type="radio" name="framework" value={framework} checked={value === framework} onChange={() => onChoose(framework)} className="sr-only" />
            <FrameworkMark framework={framework} />
            {frameworkNames[framework]}
          </label>
        ))}
      </div>
    </fieldset>
  )
}
