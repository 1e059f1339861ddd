import { Play, Square } from 'lucide-react'
import { useEffect, useState } from 'react'
import type { Message } from '../../../schema.ts'
import { useMutate, useStatus } from '../../headwater.ts'
import { Button } from '../../parts/Button.tsx'
import { useWrite } from '../../sync/WritesContext.ts'
import { followAnswer, shownText } from './answerStream.ts'
import { MessageBody } from './MessageBody.tsx'

export interface AnswerProps {
  readonly message: Message
  /** This person asked for it: then each token is shown as it is written, and not only what sync brings twice a second. */
  readonly isOwn: boolean
  readonly mayEdit: boolean
}

/** What the assistant says: while it is written, when it was stopped or interrupted, and whole. */
export function Answer({ message, isOwn, mayEdit }: AnswerProps) {
  const { state } = message
  const isUnderWay = state === 'waiting' || state === 'writing'
  const streamed = useStreamed(message.id, isOwn && isUnderWay)
  const text = shownText(message, streamed)
  return (
    <div data-testid="answer" data-state={state} aria-busy={isUnderWay}>
      {text === '' && isUnderWay ? <Thinking /> : <MessageBody content={text} />}
      {isUnderWay && text !== '' && <span aria-hidden="true" className="mt-1 inline-block h-4 w-1.5 animate-pulse rounded-sm bg-accent align-middle" />}
      {state !== 'whole' && mayEdit && <AnswerControls message={message} isUnderWay={isUnderWay} />}
      {(state === 'stopped' || state === 'interrupted') && !mayEdit && <p className="mt-2 text-xs text-muted">{endings[state]}</p>}
    </div>
  )
}

const endings = { stopped: 'Stopped.', interrupted: 'Interrupted: the server stopped while it wrote this.' }

function Thinking() {
  const { online } = useStatus()
  // Text that fades is at times too pale to be read.
  return (
    <p className="text-muted">
      {online ? 'Thinking' : 'Asked as soon as this device is online.'}
      {online && (
        <span aria-hidden="true" className="animate-pulse">
          …
        </span>
      )}
    </p>
  )
}

function AnswerControls({ message: { id, state }, isUnderWay }: { readonly message: Message; readonly isUnderWay: boolean }) {
  const mutate = useMutate()
  const write = useWrite()
  if (isUnderWay)
    return (
      <p className="mt-2">
        <Button
          size="small"
          data-testid="stop-answer"
          icon={<Square aria-hidden size={12} />}
          onClick={() => write('Stop the answer', mutate.stopAnswer({ id }))}
        >
          Stop
        </Button>
      </p>
    )
  return (
    <p className="mt-2 flex flex-wrap items-center gap-3 text-xs text-muted">
      {state === 'stopped' ? endings.stopped : endings.interrupted}
      <Button
        size="small"
        data-testid="continue-answer"
        icon={<Play aria-hidden size={12} />}
        onClick={() => write('Continue the answer', mutate.continueAnswer({ id }))}
      >
        Continue
      </Button>
    </p>
  )
}

/** The text that came so far; empty while nothing is followed. */
function useStreamed(id: string, isFollowed: boolean): string {
  const [text, setText] = useState('')
  useEffect(() => {
    if (!isFollowed) return
    const ports = { request: fetch.bind(globalThis), wait: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)) }
    const stop = followAnswer(id, setText, ports)
    return () => {
      stop()
      setText('')
    }
  }, [id, isFollowed])
  return text
}
