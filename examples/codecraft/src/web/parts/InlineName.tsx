import { type KeyboardEvent, useEffect, useRef } from 'react'

export interface InlineNameProps {
  readonly label: string
  readonly name: string
  /** Called with a name that differs, without spaces at its ends. */
  readonly onName: (name: string) => void
  readonly onDone: () => void
  readonly className?: string
  /** What is selected at first: all of the name, or what stands before its last dot. */
  readonly selects?: 'all' | 'stem'
}

/** A name being written in place: Enter or leaving takes it, Escape does not. */
export function InlineName({ label, name, onName, onDone, className = '', selects = 'all' }: InlineNameProps) {
  const input = useRef<HTMLInputElement>(null)
  const isOver = useRef(false)
  // Once, as it appears: a change that sync brings while a name is being written must not select it again.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useEffect(() => {
    input.current?.focus()
    const dot = selects === 'stem' ? name.lastIndexOf('.') : -1
    input.current?.setSelectionRange(0, dot > 0 ? dot : name.length)
  }, [])
  const finish = (written: string | null) => {
    // Escape removes the field, and removing it is leaving it.
    if (isOver.current) return
    isOver.current = true
    const next = written?.trim() ?? ''
    if (next !== '' && next !== name) onName(next)
    onDone()
  }
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    event.stopPropagation()
    if (event.key === 'Enter' && !event.nativeEvent.isComposing) finish(event.currentTarget.value)
    if (event.key === 'Escape') finish(null)
  }
  return (
    <input
      type="text"
      aria-label={label}
      defaultValue={name}
      maxLength={200}
      data-testid="inline-name"
      ref={input}
      onKeyDown={onKeyDown}
      onBlur={(event) => finish(event.currentTarget.value)}
      className={`min-w-0 rounded-md border border-accent bg-surface px-1.5 outline-none ring-2 ring-accent/25 ${className}`}
    />
  )
}
