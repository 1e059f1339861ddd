import { Archive, ArchiveRestore, Pause, Pencil, Play, Trash2, UserPlus } from 'lucide-react'
import { useState } from 'react'
import type { Project, ProjectStatus } from '../../schema.ts'
import { useCan, useMutate } from '../headwater.ts'
import { Menu, type MenuItem } from '../parts/Menu.tsx'
import { DeleteProjectDialog } from '../project/DeleteProjectDialog.tsx'
import { ShareDialog } from '../project/ShareDialog.tsx'
import { useWrite } from '../sync/WritesContext.ts'

export interface ProjectMenuProps {
  readonly project: Project
  readonly onRename: () => void
  readonly className?: string
}

const icon = { size: 16, 'aria-hidden': true } as const
const verbs: Readonly<Record<ProjectStatus, string>> = { active: 'Resume', paused: 'Pause', archived: 'Archive' }

/** Everything that can be done to a project as a whole. */
export function ProjectMenu({ project, onRename, className = '' }: ProjectMenuProps) {
  const mutate = useMutate()
  const write = useWrite()
  const can = useCan()
  const isOwner = can.delete.projects(project)
  const mayRename = can.update.projects(project, ['title', 'updatedAt'])
  const maySetStatus = can.update.projects(project, ['status', 'updatedAt'])
  const [dialog, setDialog] = useState<'share' | 'delete' | null>(null)
  const setStatus = (status: ProjectStatus) =>
    write(`${verbs[status]} “${project.title}”`, mutate.projects.update({ id: project.id, status, updatedAt: new Date() }))
  const groups: readonly (readonly MenuItem[])[] = [
    [
      ...(mayRename ? [{ label: 'Rename', icon: <Pencil {...icon} />, onChoose: onRename, testId: 'rename' }] : []),
      { label: isOwner ? 'Share…' : 'Members…', icon: <UserPlus {...icon} />, onChoose: () => setDialog('share'), testId: 'share' },
    ],
    maySetStatus ? statusItems(project.status, setStatus) : [],
    isOwner ? [{ label: 'Delete…', icon: <Trash2 {...icon} />, onChoose: () => setDialog('delete'), isDangerous: true, testId: 'delete' }] : [],
  ]
  return (
    <span className={className}>
      <Menu label={`More for ${project.title}`} groups={groups} />
      {dialog === 'share' && <ShareDialog project={project} onClose={() => setDialog(null)} />}
      {dialog === 'delete' && <DeleteProjectDialog project={project} onClose={() => setDialog(null)} />}
    </span>
  )
}

function statusItems(status: ProjectStatus, onStatus: (status: ProjectStatus) => void): readonly MenuItem[] {
  if (status === 'archived')
    return [{ label: 'Take out of archive', icon: <ArchiveRestore {...icon} />, onChoose: () => onStatus('active'), testId: 'unarchive' }]
  const pause = { label: 'Pause', icon: <Pause {...icon} />, onChoose: () => onStatus('paused'), testId: 'pause' }
  const resume = { label: 'Resume', icon: <Play {...icon} />, onChoose: () => onStatus('active'), testId: 'resume' }
  return [status === 'active' ? pause : resume, { label: 'Archive', icon: <Archive {...icon} />, onChoose: () => onStatus('archived'), testId: 'archive' }]
}
