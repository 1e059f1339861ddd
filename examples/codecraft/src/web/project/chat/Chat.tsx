import { MessagesSquare, Sparkles } from 'lucide-react'
import { useLayoutEffect, useRef, useState } from 'react'
import type { Message } from '../../../schema.ts'
import { useQuery, useStatus } from '../../headwater.ts'
import { Avatar } from '../../parts/Avatar.tsx'
import { Button } from '../../parts/Button.tsx'
import { EmptyState } from '../../parts/EmptyState.tsx'
import { Skeleton } from '../../parts/Skeleton.tsx'
import { Time } from '../../parts/Time.tsx'
import type { People } from '../../session/people.ts'
import { usePeople, usePerson } from '../../session/SessionContext.ts'
import { useMayEdit } from '../../useMayEdit.ts'
import { Answer } from './Answer.tsx'
import { Composer } from './Composer.tsx'
import { MessageBody } from './MessageBody.tsx'

const pageSize = 100

/** The conversation of a project, by sequence, the last message in sight. */
export function Chat({ projectId, isLoading }: { readonly projectId: string; readonly isLoading: boolean }) {
  const [limit, setLimit] = useState(pageSize)
  const { rows } = useQuery((q) => q.messages.where({ projectId }).orderBy('sequence', 'desc').limit(limit))
  const messages = [...rows].reverse()
  return (
    <section aria-label="Conversation" className="flex min-h-0 flex-1 flex-col">
      <Scroller>
        {rows.length === limit && (
          <Button size="small" kind="ghost" className="mx-auto mb-4 flex" onClick={() => setLimit(limit + pageSize)}>
            Show earlier messages
          </Button>
        )}
        {messages.length === 0 ? <NoMessages isLoading={isLoading} /> : <MessageList projectId={projectId} messages={messages} />}
      </Scroller>
      <Composer projectId={projectId} />
    </section>
  )
}

/** Stays at the end while the reader is there, also while the last message grows; whoever has scrolled up to read stays where they are. */
function Scroller({ children }: { readonly children: React.ReactNode }) {
  const element = useRef<HTMLDivElement>(null)
  const isAtEnd = useRef(true)
  useLayoutEffect(() => {
    const [scroller, inner] = [element.current, element.current?.firstElementChild]
    if (!scroller || !inner) return
    const toEnd = () => {
      if (isAtEnd.current) scroller.scrollTop = scroller.scrollHeight
    }
    toEnd()
    const observer = new ResizeObserver(toEnd)
    observer.observe(inner)
    return () => observer.disconnect()
  }, [])
  return (
    <div
      ref={element}
      data-testid="messages"
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        isAtEnd.current = scrollHeight - scrollTop - clientHeight < 48
      }}
      className="scroll-quiet min-h-0 flex-1 overflow-y-auto px-4 pt-5 pb-2 sm:px-5"
    >
      <div>{children}</div>
    </div>
  )
}

function MessageList({ projectId, messages }: { readonly projectId: string; readonly messages: readonly Message[] }) {
  const people = usePeople()
  const mayEdit = useMayEdit(projectId)
  return (
    <ol className="mx-auto max-w-180 space-y-5">
      {messages.map((message, i) => (
        <MessageRow key={message.id} message={message} asker={messages[i - 1]?.authorId ?? null} people={people} mayEdit={mayEdit} />
      ))}
    </ol>
  )
}

interface MessageRowProps {
  readonly message: Message
  /** Who wrote the message before it. */
  readonly asker: string | null
  readonly people: People
  readonly mayEdit: boolean
}

function MessageRow({ message, asker, people, mayEdit }: MessageRowProps) {
  const me = usePerson()
  const author = message.authorId === null ? null : people.find(message.authorId)
  const name = message.role === 'assistant' ? 'Assistant' : author?.id === me.id ? 'You' : (author?.name ?? 'Somebody')
  return (
    <li data-testid="message" data-role={message.role} data-sequence={message.sequence} className="flex gap-3">
      {author ? <Avatar person={author} /> : <AssistantMark />}
      <div className="min-w-0 flex-1">
        <div className="mb-0.5 flex items-baseline gap-2">
          <span className="text-sm font-semibold">{name}</span>
          <Time at={message.createdAt} className="text-xs text-faint" />
        </div>
        {message.role === 'assistant' ? <Answer message={message} isOwn={asker === me.id} mayEdit={mayEdit} /> : <MessageBody content={message.content} />}
      </div>
    </li>
  )
}

const AssistantMark = () => (
  <span className="flex size-6 shrink-0 items-center justify-center rounded-full bg-accent-soft text-accent">
    <Sparkles aria-hidden size={13} />
  </span>
)

function NoMessages({ isLoading }: { readonly isLoading: boolean }) {
  const { online } = useStatus()
  if (isLoading && online)
    return (
      <div role="status" className="space-y-4">
        <p className="sr-only">Loading the conversation</p>
        <Skeleton className="h-14" />
        <Skeleton className="h-24" />
        <Skeleton className="h-14" />
      </div>
    )
  return (
    <EmptyState testId="no-messages" icon={<MessagesSquare aria-hidden size={20} />} title={isLoading ? 'Not on this device yet' : 'Nothing said yet'}>
      {isLoading ? 'The conversation appears when you are online again. What you write now is kept.' : 'Describe what you want to build, below.'}
    </EmptyState>
  )
}
