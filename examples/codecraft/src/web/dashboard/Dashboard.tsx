import { FolderPlus, Plus, SearchX } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useSearchParams } from 'wouter'
import type { Project } from '../../schema.ts'
import { Header } from '../Header.tsx'
import { useQuery, useStatus } from '../headwater.ts'
import { Button } from '../parts/Button.tsx'
import { EmptyState } from '../parts/EmptyState.tsx'
import { Skeleton } from '../parts/Skeleton.tsx'
import { usePeople } from '../session/SessionContext.ts'
import { useTitle } from '../useTitle.ts'
import { NewProjectDialog } from './NewProjectDialog.tsx'
import { ProjectCard } from './ProjectCard.tsx'
import { Toolbar } from './Toolbar.tsx'
import { countByStatus, readView, selectProjects, type View, writeView } from './view.ts'

export function Dashboard() {
  const { rows: projects, state } = useQuery((q) => q.projects.orderBy('updatedAt', 'desc'))
  const [parameters, setParameters] = useSearchParams()
  const [isCreating, setCreating] = useState(false)
  const view = readView(parameters)
  const setView = (next: View) => setParameters(writeView(next), { replace: true })
  useTitle('Projects')

  return (
    <>
      <Header />
      <main className="mx-auto w-full max-w-300 px-4 pt-7 pb-16 sm:px-6">
        <div className="flex items-center justify-between gap-4">
          <h1 className="text-xl font-semibold tracking-tight">Projects</h1>
          <Button kind="primary" data-testid="new-project" icon={<Plus aria-hidden size={16} />} onClick={() => setCreating(true)}>
            New project
          </Button>
        </div>
        <Toolbar view={view} counts={countByStatus(projects, view)} onView={setView} />
        <ProjectGrid projects={projects} view={view} isLoading={state === 'loading'} onCreate={() => setCreating(true)} onView={setView} />
      </main>
      {isCreating && <NewProjectDialog onClose={() => setCreating(false)} />}
    </>
  )
}

interface ProjectGridProps {
  readonly projects: readonly Project[]
  readonly view: View
  readonly isLoading: boolean
  readonly onCreate: () => void
  readonly onView: (view: View) => void
}

const gridClass = 'mt-5 grid gap-3 sm:grid-cols-2 xl:grid-cols-3'

function ProjectGrid({ projects, view, isLoading, onCreate, onView }: ProjectGridProps) {
  const people = usePeople()
  const shown = selectProjects(projects, view)
  useFirstRowMark(shown.length > 0)
  if (projects.length === 0) return isLoading ? <Loading /> : <NoProjects onCreate={onCreate} />
  if (shown.length === 0) return <NothingFound view={view} onView={onView} />
  return (
    <ul data-testid="projects" className={gridClass}>
      {shown.map((project) => (
        <ProjectCard key={project.id} project={project} people={people} />
      ))}
    </ul>
  )
}

/** `first-row` in the browser's timeline: when the first project was painted. */
function useFirstRowMark(hasRows: boolean): void {
  useEffect(() => {
    if (!hasRows || performance.getEntriesByName('first-row').length > 0) return
    // The effect runs before the paint of what it belongs to; the task after the next frame runs behind it.
    const frame = requestAnimationFrame(() => setTimeout(() => performance.mark('first-row')))
    return () => cancelAnimationFrame(frame)
  }, [hasRows])
}

function Loading() {
  const { online } = useStatus()
  const places = ['a', 'b', 'c', 'd', 'e', 'f']
  return (
    <div data-testid="loading" role="status">
      <p className="sr-only">{online ? 'Loading your projects' : 'Waiting for the connection'}</p>
      <div className={gridClass}>
        {places.map((place) => (
          <Skeleton key={place} className="h-35 rounded-xl" />
        ))}
      </div>
    </div>
  )
}

function NoProjects({ onCreate }: { readonly onCreate: () => void }) {
  return (
    <EmptyState
      testId="no-projects"
      icon={<FolderPlus aria-hidden size={20} />}
      title="Start your first project"
      action={
        <Button kind="primary" icon={<Plus aria-hidden size={16} />} onClick={onCreate}>
          New project
        </Button>
      }
    >
      A project holds a conversation and its files. It opens from this device at once, with or without a connection.
    </EmptyState>
  )
}

function NothingFound({ view, onView }: { readonly view: View; readonly onView: (view: View) => void }) {
  const isSearch = view.search !== ''
  return (
    <EmptyState
      testId="nothing-found"
      icon={<SearchX aria-hidden size={20} />}
      title={isSearch ? `Nothing matches “${view.search}”` : `No ${view.status} projects`}
      action={<Button onClick={() => onView({ ...view, status: 'all', search: '' })}>Show all projects</Button>}
    >
      {isSearch ? 'Titles, descriptions and frameworks are searched.' : 'The others are only a filter away.'}
    </EmptyState>
  )
}
