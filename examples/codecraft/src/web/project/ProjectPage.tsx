import { FileCode2, MessagesSquare } from 'lucide-react'
import { type ReactNode, useEffect, useState } from 'react'
import { useLocation } from 'wouter'
import type { Project } from '../../schema.ts'
import { Header } from '../Header.tsx'
import { useQuery, useStatus } from '../headwater.ts'
import { NotFound } from '../NotFound.tsx'
import { Skeleton } from '../parts/Skeleton.tsx'
import { useTitle } from '../useTitle.ts'
import { Chat } from './chat/Chat.tsx'
import { Files } from './files/Files.tsx'
import { Here } from './here/HereContext.tsx'
import { ProjectHeading } from './ProjectHeading.tsx'
import { useProjectScope } from './useProjectScope.ts'

/** A project: its conversation and its files. They are held while the page is open, and shown from the device at once. */
export function ProjectPage({ id }: { readonly id: string }) {
  const { rows, state } = useQuery((q) => q.projects.where({ id }))
  const project = rows[0]
  const scope = useProjectScope(id, project !== undefined)
  useTitle(project?.title ?? 'Project')
  useHomeWhenGone(project !== undefined)

  if (project)
    return (
      <Here projectId={scope === 'ready' ? id : null}>
        <Workspace project={project} isLoading={scope === 'loading'} />
      </Here>
    )
  return state === 'complete' ? <Absent /> : <Opening />
}

/** Projects are on every device of those who may see them: one that is not here is gone, somebody else’s, or too new. */
function Absent() {
  const { online } = useStatus()
  if (online) return <NotFound title="There is no such project">It was deleted, or it is not shared with you.</NotFound>
  return <NotFound title="Not on this device">What was made elsewhere since this device was last online appears when it is online again.</NotFound>
}

/** A project that goes while it is open, by one's own hand or another's, leaves for the dashboard. */
function useHomeWhenGone(isHere: boolean): void {
  const [, navigate] = useLocation()
  const [wasHere, setWasHere] = useState(isHere)
  if (isHere && !wasHere) setWasHere(true)
  useEffect(() => {
    if (wasHere && !isHere) navigate('/', { replace: true })
  }, [wasHere, isHere, navigate])
}

type Side = 'chat' | 'files'

function Workspace({ project, isLoading }: { readonly project: Project; readonly isLoading: boolean }) {
  const [side, setSide] = useState<Side>('chat')
  return (
    <div className="flex h-[calc(100dvh-var(--docked,0px))] flex-col">
      <Header>
        <ProjectHeading project={project} />
      </Header>
      <Sides side={side} onSide={setSide} />
      <main className="grid min-h-0 flex-1 lg:grid-cols-[minmax(340px,5fr)_9fr]">
        <Pane isShown={side === 'chat'} className="border-line lg:border-r">
          <Chat projectId={project.id} isLoading={isLoading} />
        </Pane>
        <Pane isShown={side === 'files'}>
          <Files projectId={project.id} isLoading={isLoading} />
        </Pane>
      </main>
    </div>
  )
}

/** Both panes stand side by side where there is room; elsewhere one of them is shown. */
function Pane({ isShown, className = '', children }: { readonly isShown: boolean; readonly className?: string; readonly children: ReactNode }) {
  return <div className={`min-h-0 min-w-0 flex-col lg:flex ${isShown ? 'flex' : 'hidden'} ${className}`}>{children}</div>
}

const sides = [
  { side: 'chat', label: 'Chat', icon: <MessagesSquare aria-hidden size={16} /> },
  { side: 'files', label: 'Files', icon: <FileCode2 aria-hidden size={16} /> },
] as const

function Sides({ side, onSide }: { readonly side: Side; readonly onSide: (side: Side) => void }) {
  return (
    <nav aria-label="Parts of the project" className="flex border-b border-line lg:hidden">
      {sides.map((one) => (
        <button
          key={one.side}
          type="button"
          aria-pressed={side === one.side}
          data-testid={`side-${one.side}`}
          onClick={() => onSide(one.side)}
          className="flex h-10 flex-1 items-center justify-center gap-2 border-b-2 border-transparent text-sm font-medium text-muted focus-visible:-outline-offset-2 aria-pressed:border-accent aria-pressed:text-ink"
        >
          {one.icon}
          {one.label}
        </button>
      ))}
    </nav>
  )
}

function Opening() {
  return (
    <>
      <Header />
      <main role="status" className="grid gap-6 p-6 lg:grid-cols-[5fr_9fr]">
        <p className="sr-only">Opening the project</p>
        <div className="space-y-3">
          <Skeleton className="h-16" />
          <Skeleton className="h-24" />
          <Skeleton className="h-16" />
        </div>
        <Skeleton className="h-80" />
      </main>
    </>
  )
}
