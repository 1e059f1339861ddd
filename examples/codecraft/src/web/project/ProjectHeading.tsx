import { ArrowLeft, UserPlus } from 'lucide-react'
import { useState } from 'react'
import { Link } from 'wouter'
import type { Project } from '../../schema.ts'
import { frameworkNames } from '../../starter.ts'
import { ProjectMenu } from '../dashboard/ProjectMenu.tsx'
import { useCan, useMutate, useQuery } from '../headwater.ts'
import { AvatarStack } from '../parts/AvatarStack.tsx'
import { InlineName } from '../parts/InlineName.tsx'
import { usePeople } from '../session/SessionContext.ts'
import { useWrite } from '../sync/WritesContext.ts'
import { WhoIsHere } from './here/WhoIsHere.tsx'
import { ShareDialog } from './ShareDialog.tsx'
import { StatusBadge } from './StatusBadge.tsx'

/** The name of the open project, changed by a double click or from its menu, and what can be done with it. */
export function ProjectHeading({ project }: { readonly project: Project }) {
  const mutate = useMutate()
  const write = useWrite()
  const mayRename = useCan().update.projects(project, ['title', 'updatedAt'])
  const [isRenaming, setRenaming] = useState(false)
  const rename = (title: string) => write(`Rename “${project.title}”`, mutate.projects.update({ id: project.id, title, updatedAt: new Date() }))
  return (
    <>
      <Link
        href="/"
        aria-label="Back to your projects"
        title="Back to your projects"
        className="-ml-1.5 flex size-8 shrink-0 items-center justify-center rounded-lg text-muted hover:bg-hover hover:text-ink"
      >
        <ArrowLeft aria-hidden size={18} />
      </Link>
      <div className="flex min-w-0 flex-1 items-center gap-2.5">
        {isRenaming ? (
          <InlineName
            label="Title"
            name={project.title}
            onName={rename}
            onDone={() => setRenaming(false)}
            className="w-full max-w-90 font-semibold tracking-tight"
          />
        ) : (
          <h1 data-testid="project-title" onDoubleClick={() => setRenaming(mayRename)} title={project.title} className="truncate font-semibold tracking-tight">
            {project.title}
          </h1>
        )}
        <span className="hidden shrink-0 text-xs text-muted md:inline">{frameworkNames[project.framework]}</span>
        {project.status !== 'active' && <StatusBadge status={project.status} />}
        <ProjectMenu project={project} onRename={() => setRenaming(true)} className="-ml-1" />
      </div>
      <WhoIsHere />
      <ShareButton project={project} />
    </>
  )
}

function ShareButton({ project }: { readonly project: Project }) {
  const people = usePeople()
  const { rows: members } = useQuery((q) => q.projectMembers.where({ projectId: project.id }).orderBy('addedAt'))
  const [isOpen, setOpen] = useState(false)
  const together = [project.ownerId, ...members.map((member) => member.userId)].map((id) => people.find(id))
  return (
    <>
      <button
        type="button"
        data-testid="open-share"
        onClick={() => setOpen(true)}
        className="hidden h-7 shrink-0 items-center gap-2 rounded-full border border-line pr-2.5 pl-1 text-xs font-medium text-muted transition-colors hover:border-line-strong hover:text-ink sm:flex"
      >
        <AvatarStack people={together} />
        <UserPlus aria-hidden size={14} />
        Share
      </button>
      {isOpen && <ShareDialog project={project} onClose={() => setOpen(false)} />}
    </>
  )
}
