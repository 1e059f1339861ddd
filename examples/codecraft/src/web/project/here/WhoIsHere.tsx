import { AvatarStack } from '../../parts/AvatarStack.tsx'
import { usePeople } from '../../session/SessionContext.ts'
import { useOtherPeople } from './HereContext.tsx'
import { peopleOf, typingText } from './here.ts'

/** Who else looks at the project now. */
export function WhoIsHere() {
  const people = usePeople()
  const here = peopleOf(useOtherPeople()).map((id) => people.find(id))
  if (here.length === 0) return null
  return (
    <span data-testid="here" title={`Here now: ${here.map(({ name }) => name).join(', ')}`} className="flex shrink-0 items-center gap-1.5 text-xs text-muted">
      <span aria-hidden="true" className="size-2 rounded-full bg-accent" />
      <span className="sr-only">Here now:</span>
      <AvatarStack people={here} />
    </span>
  )
}

/** Above the field in which one writes oneself; its line is there all the time, so that nothing jumps. */
export function WhoIsTyping() {
  const people = usePeople()
  const typing = peopleOf(useOtherPeople().filter(({ isTyping }) => isTyping))
  const text = typingText(typing.map((id) => people.find(id).name))
  return (
    <p role="status" data-testid="typing" className="mx-auto h-5 max-w-180 truncate px-1 text-xs text-muted">
      {text !== null && `${text} …`}
    </p>
  )
}
