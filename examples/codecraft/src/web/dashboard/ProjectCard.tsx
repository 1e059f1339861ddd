import { useState } from 'react'
import { Link } from 'wouter'
import type { Project } from '../../schema.ts'
import { frameworkNames } from '../../starter.ts'
import { useMutate, useQuery } from '../headwater.ts'
import { AvatarStack } from '../parts/AvatarStack.tsx'
import { InlineName } from '../parts/InlineName.tsx'
import { Time } from '../parts/Time.tsx'
import { FrameworkMark } from '../project/FrameworkMark.tsx'
import { StatusBadge } from '../project/StatusBadge.tsx'
import type { People } from '../session/people.ts'
import { useWrite } from '../sync/WritesContext.ts'
import { ProjectMenu } from './ProjectMenu.tsx'

/** One project. All of the card opens it; its name is changed in place. */
export function ProjectCard({ project, people }: { readonly project: Project; readonly people: People }) {
  const [isRenaming, setRenaming] = useState(false)
  return (
    <li
      data-testid="project-card"
      data-project={project.id}
      data-status={project.status}
      className="group relative flex min-h-35 min-w-0 flex-col rounded-xl border border-line bg-surface p-4 shadow-card transition-colors focus-within:border-line-strong hover:border-line-strong"
    >
      <div className="flex items-start gap-3">
        <FrameworkMark framework={project.framework} />
        <div className="min-w-0 flex-1">
          {isRenaming ? <RenameField project={project} onDone={() => setRenaming(false)} /> : <Title project={project} />}
          <p className="truncate text-xs text-muted">{frameworkNames[project.framework]}</p>
        </div>
        <ProjectMenu project={project} onRename={() => setRenaming(true)} className="relative z-1 -mt-1 -mr-1.5" />
      </div>
      <p className="mt-2.5 line-clamp-2 text-sm text-pretty text-muted">{project.description}</p>
      <footer className="mt-auto flex items-center gap-2 pt-3 text-xs text-muted">
        <Together project={project} people={people} />
        {project.status !== 'active' && <StatusBadge status={project.status} />}
        <Time at={project.updatedAt} className="ml-auto shrink-0 tabular-nums" />
      </footer>
    </li>
  )
}

function Title({ project }: { readonly project: Project }) {
  return (
    <h2 className="truncate font-semibold tracking-tight">
      <Link
        href={`/projects/${project.id}`}
        data-testid="project-title"
        title={project.title}
        className="after:absolute after:inset-0 after:rounded-xl focus-visible:outline-none focus-visible:after:outline-2 focus-visible:after:outline-accent"
      >
        {project.title}
      </Link>
    </h2>
  )
}

function RenameField({ project, onDone }: { readonly project: Project; readonly onDone: () => void }) {
  const mutate = useMutate()
  const write = useWrite()
  const rename = (title: string) => write(`Rename “${project.title}”`, mutate.projects.update({ id: project.id, title, updatedAt: new Date() }))
  return <InlineName label="Title" name={project.title} onName={rename} onDone={onDone} className="relative z-1 -mx-1.5 w-full font-semibold tracking-tight" />
}

/** Whose it is, and who else is in it. */
function Together({ project, people }: { readonly project: Project; readonly people: People }) {
  const { rows: members } = useQuery((q) => q.projectMembers.where({ projectId: project.id }).orderBy('addedAt'))
  const together = [project.ownerId, ...members.map((member) => member.userId)].map((id) => people.find(id))
  return <AvatarStack people={together} />
}
