import { ArrowRight, MonitorSmartphone, WifiOff } from 'lucide-react'
import { useState } from 'react'
import type { Person } from '../../people.ts'
import { Avatar } from '../parts/Avatar.tsx'
import { Button } from '../parts/Button.tsx'
import { Logo } from '../parts/Logo.tsx'
import { usePeople, useSession } from './SessionContext.ts'
import type { SignedOutReason } from './session.ts'

/** Chooses between the people of the demo. */
export function SignIn({ reason }: { readonly reason: SignedOutReason }) {
  const { session, people: store } = useSession()
  const people = usePeople()
  const [chosen, setChosen] = useState<string | null>(null)
  const [isUnreachable, setUnreachable] = useState(reason === 'unreachable')
  const signIn = async (id: string) => {
    setChosen(id)
    setUnreachable(!(await session.signIn(id)))
    setChosen(null)
  }

  const retry = () => {
    void store.refresh()
    void session.check()
  }

  return (
    <main className="mx-auto flex min-h-dvh w-full max-w-105 flex-col justify-center px-5 py-10">
      <Logo className="mb-8" />
      <h1 className="text-xl font-semibold tracking-tight">Sign in</h1>
      <p className="mt-1 text-muted">
        {reason === 'ended' ? 'Your session has ended. What was not synced waits on this device.' : 'Whose workspace do you want to open?'}
      </p>
      {isUnreachable && <Unreachable onRetry={retry} />}
      <ul className="mt-6 divide-y divide-line overflow-hidden rounded-xl border border-line bg-surface shadow-card">
        {people.all.map((person) => (
          <li key={person.id}>
            <PersonButton person={person} isBusy={chosen === person.id} isDisabled={chosen !== null} onChoose={() => void signIn(person.id)} />
          </li>
        ))}
        {people.all.length === 0 && <li className="animate-late px-4 py-6 text-center text-sm text-muted">Asking who is here…</li>}
      </ul>
      <p className="mt-6 flex gap-2.5 text-xs text-muted">
        <MonitorSmartphone aria-hidden size={16} className="mt-px shrink-0 text-faint" />
        <span>This is a demo on this machine’s loopback address: there are no passwords, and whoever can open this page can be anybody on it.</span>
      </p>
    </main>
  )
}

interface PersonButtonProps {
  readonly person: Person
  readonly isBusy: boolean
  readonly isDisabled: boolean
  readonly onChoose: () => void
}

function PersonButton({ person, isBusy, isDisabled, onChoose }: PersonButtonProps) {
  return (
    <button
      type="button"
      data-testid={`sign-in-${person.id}`}
      disabled={isDisabled}
      onClick={onChoose}
      className="group flex w-full items-center gap-3 px-4 py-3 text-left transition-colors hover:bg-hover focus-visible:-outline-offset-2 disabled:opacity-60"
    >
      <Avatar person={person} size="large" />
      <span className="min-w-0 flex-1">
        <span className="block font-medium">{person.name}</span>
        <span className="block truncate text-sm text-muted">{isBusy ? 'Opening…' : person.work}</span>
      </span>
      <ArrowRight aria-hidden size={16} className="text-faint transition-transform group-hover:translate-x-0.5 group-hover:text-accent" />
    </button>
  )
}

function Unreachable({ onRetry }: { readonly onRetry: () => void }) {
  return (
    <div role="alert" className="mt-5 flex items-center gap-3 rounded-lg bg-warn-soft px-3 py-2.5 text-sm text-warn">
      <WifiOff aria-hidden size={16} className="shrink-0" />
      <span className="flex-1">The server cannot be reached from here.</span>
      <Button size="small" onClick={onRetry}>
        Try again
      </Button>
    </div>
  )
}
