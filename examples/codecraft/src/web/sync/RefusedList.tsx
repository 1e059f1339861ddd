import type { SetAside } from '@headwater/client'
import { type FormEvent, useState } from 'react'
import { useClient, useSetAside } from '../headwater.ts'
import { Button } from '../parts/Button.tsx'
import { controlClass } from '../parts/Field.tsx'
import { Time } from '../parts/Time.tsx'
import { count, describeMutation } from './describe.ts'
import { type Editable, editableOf, withText } from './editable.ts'
import { useWrite } from './WritesContext.ts'

/** What the database refused for good: each with its reason, to be tried again, changed first, or given up. */
export function RefusedList() {
  const refused = useSetAside()
  if (refused.length === 0) return null
  const followers = (id: string) => refused.filter((one) => one.after === id).length
  return (
    <ul className="divide-y divide-line">
      {refused.map((one) => (
        <Refused key={one.id} refused={one} followers={followers(one.id)} />
      ))}
    </ul>
  )
}

function Refused({ refused, followers }: { readonly refused: SetAside; readonly followers: number }) {
  const { setAside } = useClient()
  const write = useWrite()
  const [isEditing, setEditing] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  const editable = editableOf(refused)
  const label = describeMutation(refused)
  const retry = async (args = refused.args) => {
    try {
      write(label, await setAside.retry(refused.id, { args }))
    } catch (error) {
      // The device itself would not take it: it stays here, as it was.
      setProblem(error instanceof Error ? error.message : String(error))
    }
  }
  return (
    <li data-testid="refused" data-code={refused.code} className="px-4 py-3">
      <div className="flex items-baseline justify-between gap-3">
        <p className="min-w-0 text-sm font-medium break-words">{label}</p>
        <Time at={refused.at} className="shrink-0 text-xs text-faint" />
      </div>
      <p className="mt-0.5 text-sm break-words text-danger">{problem ?? refused.reason}</p>
      {followers > 0 && <p className="mt-0.5 text-xs text-muted">{count(followers, 'change')} after it are tried with it.</p>}
      {isEditing && editable ? (
        <EditForm editable={editable} onCancel={() => setEditing(false)} onText={(text) => void retry(withText(refused.args, editable.field, text))} />
      ) : (
        <div className="mt-2.5 flex gap-2">
          <Button size="small" data-testid="retry" onClick={() => void retry()}>
            Try again
          </Button>
          {editable && (
            <Button size="small" data-testid="edit-refused" onClick={() => setEditing(true)}>
              Change…
            </Button>
          )}
          <Button size="small" kind="ghost" data-testid="discard" onClick={() => void setAside.discard(refused.id)}>
            Discard
          </Button>
        </div>
      )}
    </li>
  )
}

function EditForm({ editable, onCancel, onText }: { readonly editable: Editable; readonly onCancel: () => void; readonly onText: (text: string) => void }) {
  const [text, setText] = useState(editable.text)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (text.trim() !== '') onText(text.trim())
  }
  return (
    <form onSubmit={submit} className="mt-2.5">
      <textarea
        aria-label={editable.label}
        data-testid="refused-text"
        rows={Math.min(6, text.split('\n').length)}
        value={text}
        onChange={(event) => setText(event.target.value)}
        className={`${controlClass} scroll-quiet resize-none py-1.5 text-sm`}
      />
      <div className="mt-2 flex gap-2">
        <Button size="small" kind="primary" type="submit" data-testid="retry-edited" disabled={text.trim() === ''}>
          Try with this
        </Button>
        <Button size="small" kind="ghost" onClick={onCancel}>
          Cancel
        </Button>
      </div>
    </form>
  )
}
