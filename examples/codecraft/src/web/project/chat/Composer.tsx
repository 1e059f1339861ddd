import { ArrowUp } from 'lucide-react'
import { type FormEvent, type KeyboardEvent, useState } from 'react'
import { useClient, useMutate } from '../../headwater.ts'
import { useWrite } from '../../sync/WritesContext.ts'
import { useMayEdit } from '../../useMayEdit.ts'
import { useSay } from '../here/HereContext.tsx'
import { WhoIsTyping } from '../here/WhoIsHere.tsx'

/** Writes a message. Enter sends it, Shift and Enter begin a line. */
export function Composer({ projectId }: { readonly projectId: string }) {
  const client = useClient()
  const mutate = useMutate()
  const write = useWrite()
  const mayEdit = useMayEdit(projectId)
  const say = useSay()
  const [content, setContent] = useState('')
  const send = () => {
    if (content.trim() === '') return
    write('Send a message', mutate.sendMessage({ id: client.id(), projectId, content: content.trim(), answerId: client.id() }))
    setContent('')
    say({ isTyping: false })
  }
  const onSubmit = (event: FormEvent) => {
    event.preventDefault()
    send()
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
    event.preventDefault()
    send()
  }
  return (
    <form onSubmit={onSubmit} className="px-4 pb-3 sm:px-5">
      <WhoIsTyping />
      <div className="mx-auto flex max-w-180 items-end gap-2 rounded-xl border border-line bg-surface p-1.5 shadow-card transition-colors focus-within:border-accent hover:border-line-strong focus-within:hover:border-accent">
        <textarea
          aria-label="Message"
          data-testid="composer"
          placeholder={mayEdit ? 'Describe a change…' : 'You may read this conversation, not write in it'}
          disabled={!mayEdit}
          rows={1}
          value={content}
          onChange={(event) => {
            setContent(event.target.value)
            say({ isTyping: event.target.value.trim() !== '' })
          }}
          onBlur={() => say({ isTyping: false })}
          onKeyDown={onKeyDown}
          className="scroll-quiet field-sizing-content max-h-48 min-h-8 min-w-0 flex-1 resize-none bg-transparent px-2 py-1.5 outline-none"
        />
        <button
          type="submit"
          aria-label="Send"
          title="Send"
          data-testid="send"
          disabled={content.trim() === ''}
          className="flex size-8 shrink-0 items-center justify-center rounded-lg bg-accent text-accent-ink transition-colors hover:bg-accent-strong disabled:bg-sunken disabled:text-faint"
        >
          <ArrowUp aria-hidden size={16} />
        </button>
      </div>
      <p className="mx-auto mt-1.5 max-w-180 px-1 text-2xs text-faint">
        Answers come from a small generator on the server, not from a model. Ask “in detail” for a long one.
      </p>
    </form>
  )
}
